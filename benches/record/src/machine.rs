//! What the figures were measured on, in words.

use crate::arguments::Arguments;
use crate::programs::{Program, said};
use std::fs;
use std::process::Command;

/// Pairs of a name and a value, for the table above all others.
pub(crate) fn describe(programs: &[Program], arguments: &Arguments) -> Vec<(String, String)> {
    let cpus = std::thread::available_parallelism().map_or(0, |cpus| cpus.get());
    let model = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let memory = line_of("/proc/meminfo", "MemTotal").and_then(|kib| kib.trim_end_matches(" kB").parse::<f64>().ok());
    let memory = memory.map_or_else(|| "unknown".into(), |kib| format!("{:.0} GiB", kib / 1024.0 / 1024.0));
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux").trim_matches('"');
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // Behind the version stands who built it.
    let kernel = kernel.trim().split(['-', '+']).next().unwrap_or_default();
    let mappings = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    let libc = first_line("ldd", "--version").rsplit(' ').next().unwrap_or("?").to_owned();
    let compilers = ["rustc", "gcc"].map(|compiler| first_line(compiler, "--version")).join("; ");
    let version = |name: &str| programs.iter().find(|program| program.name == name).map(|program| &program.version);
    let peers: Vec<_> = ["go", "may", "tokio", "floor"].iter().filter_map(|name| version(name)).cloned().collect();
    let date = said(Command::new("date").args(["-u", "+%F"])).unwrap_or_default();
    let rounds = format!("{}, medians; {} workers, scale {}", arguments.rounds, arguments.workers, arguments.scale);
    [
        ("machine", format!("{cpus} CPUs ({model}), {memory}")),
        ("system", format!("{system}, Linux {kernel}, glibc {libc}; `vm.max_map_count` {}", mappings.trim())),
        ("compilers", compilers),
        ("peers", peers.join("; ")),
        ("Greenbridge", format!("{}, on {date}", version("greenbridge").map_or("not run", String::as_str))),
        ("rounds", rounds),
    ]
    .map(|(what, value)| (what.to_owned(), value.replace(['\t', '|'], " ")))
    .to_vec()
}

fn first_line(program: &str, argument: &str) -> String {
    said(Command::new(program).arg(argument)).unwrap_or_default().lines().next().unwrap_or("?").to_owned()
}

/// The value behind `name:` in a file of such lines.
fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
