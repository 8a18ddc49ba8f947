//! The command line.

use crate::arguments::Arguments;
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

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { clients: 100, messages: 100 };
    let mut arguments = Arguments::new(arguments);
    while let Some(flag) = arguments.flag() {
        match &*flag.name {
            "--clients" => flags.clients = arguments.number(&flag, 1..=400)?,
            "--messages" => flags.messages = arguments.number(&flag, 1..=100_000)?,
            _ if flag.is_help() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{}`: accepted are --clients and --messages", flag.written())),
        }
    }
    Ok(Request::Run(flags))
}
