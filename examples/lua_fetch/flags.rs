//! The command line.

use crate::support::arguments::Arguments;
use crate::support::flags::{number_of, way};
use crate::support::ways::Way;
use std::ffi::OsString;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Lua scripts that fetch inside table.sort, string.gsub and require: green threads beside spawn_blocking and a thread each.

usage: lua_fetch [--scripts N] [--delay MS]
  --scripts N   scripts at once, 1 to 20000 (default: 1000)
  --delay MS    how long the server takes to answer, 0 to 10000 ms (default: 100)
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// To explain the flags.
    Help,
    /// To compare the ways.
    Compare(Flags),
    /// In a child: to measure one, with the server's address.
    Measure(Way, usize, String),
}

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) scripts: usize,
    pub(crate) delay: Duration,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { scripts: 1_000, delay: Duration::from_millis(100) };
    let mut child = (None, None);
    let mut arguments = Arguments::new(arguments);
    while let Some(flag) = arguments.flag() {
        match &*flag.name {
            "--scripts" => flags.scripts = arguments.number(&flag, 1..=20_000)?,
            "--delay" => flags.delay = Duration::from_millis(arguments.number(&flag, 0..=10_000)? as u64),
            // From the parent.
            "--way" => child.0 = way(arguments.number(&flag, 0..=2)?),
            "--server" => child.1 = arguments.value(&flag),
            _ if flag.is_help() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{}`: accepted are --scripts and --delay", flag.written())),
        }
    }
    Ok(match child {
        (Some(way), Some(base)) => Request::Measure(way, flags.scripts, base),
        _ => Request::Compare(flags),
    })
}

/// The arguments of a child that measures `way`.
pub(crate) fn of_child(way: Way, scripts: usize, base: &str) -> [String; 3] {
    [format!("--way={}", number_of(way)), format!("--scripts={scripts}"), format!("--server={base}")]
}
