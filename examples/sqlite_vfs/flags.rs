//! The command line.

use crate::support::arguments::Arguments;
use crate::support::flags::{number_of, way};
use crate::support::ways::Way;
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

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { connections: 2_000, delay: Duration::from_millis(100), units: 1 };
    let mut child = (None, None);
    let mut arguments = Arguments::new(arguments);
    while let Some(flag) = arguments.flag() {
        match &*flag.name {
            "--connections" => flags.connections = arguments.number(&flag, 1..=20_000)?,
            "--delay" => flags.delay = Duration::from_millis(arguments.number(&flag, 0..=10_000)? as u64),
            "--units" => flags.units = arguments.number(&flag, 1..=1_000)?,
            // From the parent.
            "--way" => child.0 = way(arguments.number(&flag, 0..=2)?),
            "--store" => child.1 = arguments.value(&flag).and_then(|address| address.parse().ok()),
            _ if flag.is_help() => return Ok(Request::Help),
            _ => {
                return Err(format!(
                    "unknown flag `{}`: accepted are --connections, --delay and --units",
                    flag.written()
                ));
            }
        }
    }
    Ok(match child {
        (Some(way), Some(store)) => Request::Measure(way, flags, store),
        _ => Request::Compare(flags),
    })
}

/// The arguments of a child that measures `way`.
pub(crate) fn of_child(way: Way, flags: Flags, store: SocketAddr) -> [String; 4] {
    let Flags { connections, units, .. } = flags;
    [
        format!("--way={}", number_of(way)),
        format!("--store={store}"),
        format!("--connections={connections}"),
        format!("--units={units}"),
    ]
}
