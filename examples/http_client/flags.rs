//! The command line.

use crate::arguments::Arguments;
use std::ffi::OsString;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Clients of a library that blocks, beside the server that they ask.

usage: http_client [--requests N] [--delay MS]
  --requests N   requests at once, each on an OS thread, 1 to 200 (default: 50)
  --delay MS     how long the server takes for each, 0 to 10000 ms (default: 100)
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
    /// How many requests at once. Each has two sockets and an OS thread.
    pub(crate) requests: usize,
    /// How many milliseconds the server takes.
    pub(crate) delay: usize,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { requests: 50, delay: 100 };
    let mut arguments = Arguments::new(arguments);
    while let Some(flag) = arguments.flag() {
        match &*flag.name {
            "--requests" => flags.requests = arguments.number(&flag, 1..=200)?,
            "--delay" => flags.delay = arguments.number(&flag, 0..=10_000)?,
            _ if flag.is_help() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{}`: accepted are --requests and --delay", flag.written())),
        }
    }
    Ok(Request::Run(flags))
}
