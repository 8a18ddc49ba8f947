//! The command line.

use crate::server::Limits;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
An HTTP/1.1 server on green threads. SIGTERM or SIGINT ends it, when what has begun is done.

usage: http_server [--address A] [--processors N] [--grace S] [--idle S] [--head S]
  --address A      where to listen, an address with a port, 0 for any (default: 127.0.0.1:8080)
  --processors N   how many green threads run at a time, 1 to 1024 (default: one for each CPU)
  --grace S        how long requests may take after the signal, 0 to 3600 s (default: 30)
  --idle S         how long a connection may rest between two requests, 1 to 3600 s (default: 60)
  --head S         how long the head of a request may take to arrive, 1 to 3600 s (default: 10)
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// To serve.
    Serve(Flags),
    /// To explain the flags.
    Help,
}

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) address: SocketAddr,
    pub(crate) processors: Option<usize>,
    pub(crate) limits: Limits,
}

/// Reads the arguments behind the program's name, as `--flag value` or `--flag=value`.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags {
        address: SocketAddr::from(([127, 0, 0, 1], 8080)),
        processors: None,
        limits: Limits { idle: Duration::from_secs(60), head: Duration::from_secs(10), grace: Duration::from_secs(30) },
    };
    // What is not Unicode is shown with replacement characters, and then refused like any other wrong value.
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || inline.clone().or_else(|| arguments.next());
        match flag {
            "--address" => flags.address = address(value())?,
            "--processors" => flags.processors = Some(number(flag, value(), 1, 1024)? as usize),
            "--grace" => flags.limits.grace = Duration::from_secs(number(flag, value(), 0, 3600)?),
            "--idle" => flags.limits.idle = Duration::from_secs(number(flag, value(), 1, 3600)?),
            "--head" => flags.limits.head = Duration::from_secs(number(flag, value(), 1, 3600)?),
            "--help" | "-h" if inline.is_none() => return Ok(Request::Help),
            _ => {
                let accepted = "--address, --processors, --grace, --idle and --head";
                return Err(format!("unknown flag `{argument}`: accepted are {accepted}"));
            }
        }
    }
    Ok(Request::Serve(flags))
}

fn address(value: Option<String>) -> Result<SocketAddr, String> {
    let accepted = "an address with a port, as 127.0.0.1:8080";
    let value = value.ok_or_else(|| format!("--address needs a value: {accepted}"))?;
    value.parse().map_err(|_| format!("--address `{value}` is not accepted: it must be {accepted}"))
}

fn number(flag: &str, value: Option<String>, least: u64, most: u64) -> Result<u64, String> {
    let accepted = format!("a whole number from {least} to {most}");
    let value = value.ok_or_else(|| format!("{flag} needs a value: {accepted}"))?;
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{flag} `{value}` is not accepted: it must be {accepted}")),
    }
}
