//! The command line, and the line in which a child reports.

use crate::ways::{AnyError, Figures, Way};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
SQLite over a slow object store: green threads beside spawn_blocking and a thread each.

usage: sqlite_vfs [--connections N] [--delay MS] [--units N]
  --connections N   SQLite connections, 1 to 20000 (default: 2000)
  --delay MS        how long the store takes to answer, 0 to 10000 ms (default: 100)
  --units N         units of work for each connection, 1 to 1000 (default: 1)
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// To explain the flags.
    Help,
    /// To compare the ways.
    Compare(Flags),
    /// In a child: to measure one.
    Measure(Way, Flags, SocketAddr),
}

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) connections: usize,
    pub(crate) delay: Duration,
    pub(crate) units: usize,
}

/// Reads the arguments behind the program's name, as `--flag value` or `--flag=value`.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { connections: 2_000, delay: Duration::from_millis(100), units: 1 };
    let mut child = (None, None);
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut number = |range| number(flag, inline.clone().or_else(|| arguments.next()), range);
        match flag {
            "--connections" => flags.connections = number(1..=20_000)?,
            "--delay" => flags.delay = Duration::from_millis(number(0..=10_000)? as u64),
            "--units" => flags.units = number(1..=1_000)?,
            // From the parent.
            "--way" => child.0 = Way::ALL.get(number(0..=2)?).copied(),
            "--store" => child.1 = arguments.next().and_then(|address| address.parse().ok()),
            "--help" | "-h" if inline.is_none() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{argument}`: accepted are --connections, --delay and --units")),
        }
    }
    Ok(match child {
        (Some(way), Some(store)) => Request::Measure(way, flags, store),
        _ => Request::Compare(flags),
    })
}

fn number(flag: &str, value: Option<String>, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    let accepted = format!("a whole number from {} to {}", range.start(), range.end());
    let value = value.ok_or_else(|| format!("{flag} needs a value: {accepted}"))?;
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("{flag} `{value}` is not accepted: it must be {accepted}")),
    }
}

/// The arguments of a child that measures `way`.
pub(crate) fn of_child(way: Way, flags: Flags, store: SocketAddr) -> [String; 8] {
    let way = Way::ALL.iter().position(|other| *other == way).unwrap_or_default();
    let [connections, units] = [flags.connections, flags.units].map(|number| number.to_string());
    let flags = ["--way", "--store", "--connections", "--units"].map(str::to_owned);
    let [a, b, c, d] = flags;
    [a, way.to_string(), b, store.to_string(), c, connections, d, units]
}

/// The report of a child: microseconds, OS threads, KiB.
pub(crate) fn write(figures: Figures) -> String {
    let Figures { wall, p50, p99, threads, memory } = figures;
    format!("{} {} {} {threads} {memory}", wall.as_micros(), p50.as_micros(), p99.as_micros())
}

/// Reads it.
pub(crate) fn read_figures(report: &str) -> Result<Figures, String> {
    let numbers: Vec<u64> = report.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let &[wall, p50, p99, threads, memory] = &*numbers else { return Err(format!("a child reports `{report}`")) };
    let [wall, p50, p99] = [wall, p50, p99].map(Duration::from_micros);
    Ok(Figures { wall, p50, p99, threads: threads as usize, memory: memory as usize })
}

/// Lets the process have as many descriptors as the system allows: each request under way has a socket.
pub(crate) fn raise_descriptors() -> Result<(), AnyError> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it fills, and then reads, a limit.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
        }
    };
    if done { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
