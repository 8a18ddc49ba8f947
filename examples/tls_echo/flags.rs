//! The command line.

use std::ffi::OsString;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
TLS between green threads: clients send messages of growing size, and a server sends them back.

usage: tls_echo [--clients N] [--messages N]
  --clients N    clients at once, 1 to 400 (default: 100)
  --messages N   messages of each, 1 to 100000 (default: 100)
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
    /// How many clients. Each has two sockets, and few systems let a process have more than 1024 descriptors.
    pub(crate) clients: usize,
    /// How many messages each sends.
    pub(crate) messages: usize,
}

/// Reads the arguments behind the program's name, as `--flag value` or `--flag=value`.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { clients: 100, messages: 100 };
    // What is not Unicode is shown with replacement characters, and then refused like any other wrong value.
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match flag {
            "--clients" => flags.clients = number(flag, inline.or_else(|| arguments.next()), 400)?,
            "--messages" => flags.messages = number(flag, inline.or_else(|| arguments.next()), 100_000)?,
            "--help" | "-h" if inline.is_none() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{argument}`: accepted are --clients and --messages")),
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
