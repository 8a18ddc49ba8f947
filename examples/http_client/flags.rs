//! The command line.

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

/// Reads the arguments behind the program's name, as `--flag value` or `--flag=value`.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { requests: 50, delay: 100 };
    // What is not Unicode is shown with replacement characters, and then refused like any other wrong value.
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match flag {
            "--requests" => flags.requests = number(flag, inline.or_else(|| arguments.next()), 1, 200)?,
            "--delay" => flags.delay = number(flag, inline.or_else(|| arguments.next()), 0, 10_000)?,
            "--help" | "-h" if inline.is_none() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{argument}`: accepted are --requests and --delay")),
        }
    }
    Ok(Request::Run(flags))
}

fn number(flag: &str, value: Option<String>, least: usize, most: usize) -> Result<usize, String> {
    let accepted = format!("a whole number from {least} to {most}");
    let value = value.ok_or_else(|| format!("{flag} needs a value: {accepted}"))?;
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{flag} `{value}` is not accepted: it must be {accepted}")),
    }
}
