//! The command line.

use crate::arguments::Arguments;
use std::ffi::OsString;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
C walks lists and calls back for each item; the callback asks a server through tokio, and waits.

usage: tokio_callback [--walks N] [--items N]
  --walks N   walks at once, 1 to 400 (default: 300)
  --items N   items of each list, 1 to 10000 (default: 100)
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
    /// How many walks at once. Each has a connection, and few systems let a process have more than 1024 descriptors.
    pub(crate) walks: u32,
    /// How many items each list has.
    pub(crate) items: u32,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { walks: 300, items: 100 };
    let mut arguments = Arguments::new(arguments);
    while let Some(flag) = arguments.flag() {
        match &*flag.name {
            "--walks" => flags.walks = arguments.number(&flag, 1..=400)? as u32,
            "--items" => flags.items = arguments.number(&flag, 1..=10_000)? as u32,
            _ if flag.is_help() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{}`: accepted are --walks and --items", flag.written())),
        }
    }
    Ok(Request::Run(flags))
}
