//! The command line.

use crate::gates::Gate;
use std::ffi::OsString;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
The program of Go issue 60961: green threads call C, and C calls back through a gate.

usage: cgo_callback [--tasks N] [--workers N] [--gate before|after|both] [--json]
  --tasks N     tasks to do with each gate, 1 to 100000000 (default: 10000000)
  --workers N   processors, and green threads that do the tasks, 1 to 1024
                (default: the CPUs this process may use)
  --gate WHICH  before: one global mutex per callback, as in Go until 1.21
                after: the gate of every exported function of Greenbridge
                both, one after the other (default)
  --json        print one JSON object instead of the text
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// To run the program.
    Run(Flags),
    /// To explain the flags.
    Help,
}

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    /// How many tasks to do with each gate.
    pub(crate) tasks: usize,
    /// The number of processors, and of the green threads that drain the channel.
    pub(crate) workers: usize,
    /// Whether to print JSON.
    pub(crate) json: bool,
    which: Which,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Before,
    After,
    Both,
}

impl Flags {
    /// The gates to run with, in this order.
    pub(crate) fn gates(&self) -> &'static [Gate] {
        match self.which {
            Which::Before => &[Gate::Before],
            Which::After => &[Gate::After],
            Which::Both => &[Gate::Before, Gate::After],
        }
    }
}

/// Reads the arguments behind the program's name, as `--flag value` or `--flag=value`.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let workers = std::thread::available_parallelism().map_or(1, |cpus| cpus.get());
    let mut flags = Flags { tasks: 10_000_000, workers, json: false, which: Which::Both };
    // What is not Unicode is shown with replacement characters, and then refused like any other wrong value.
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match flag {
            "--tasks" => flags.tasks = number(flag, inline.or_else(|| arguments.next()), 100_000_000)?,
            "--workers" => flags.workers = number(flag, inline.or_else(|| arguments.next()), 1024)?,
            "--gate" => flags.which = which(flag, inline.or_else(|| arguments.next()))?,
            "--json" if inline.is_none() => flags.json = true,
            "--help" | "-h" if inline.is_none() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{argument}`: accepted are --tasks, --workers, --gate and --json")),
        }
    }
    Ok(Request::Run(flags))
}

fn number(flag: &str, value: Option<String>, most: usize) -> Result<usize, String> {
    let accepted = format!("a whole number from 1 to {most}");
    let value = value.ok_or_else(|| format!("{flag} needs a value: {accepted}"))?;
    match value.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("{flag} `{value}` is not accepted: it must be {accepted}")),
    }
}

fn which(flag: &str, value: Option<String>) -> Result<Which, String> {
    let accepted = "`before`, `after` or `both`";
    match value.as_deref() {
        Some("before") => Ok(Which::Before),
        Some("after") => Ok(Which::After),
        Some("both") => Ok(Which::Both),
        Some(other) => Err(format!("{flag} `{other}` is not accepted: it must be {accepted}")),
        None => Err(format!("{flag} needs a value: {accepted}")),
    }
}
