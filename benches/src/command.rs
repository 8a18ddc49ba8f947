//! The command line, and what the program answers to a wrong one.

use std::ffi::OsString;
use std::process::ExitCode;

/// What `--help` prints, and what follows every refusal.
pub(crate) const USAGE: &str = "\
usage: bench-greenbridge ROW [--workers N] [--scale F]
       bench-greenbridge list          the rows, one per line
  --workers N   processors, 1 to 1024 (default: the CPUs this process may use)
  --scale F     multiplies the number of operations, above 0 up to 1000 (default: 1)";

/// No row keeps per-worker state for more.
pub(crate) const MAX_WORKERS: usize = 1024;

/// How large a row is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The number of processors.
    pub(crate) workers: usize,
    /// Multiplies the number of operations.
    pub(crate) scale: f64,
}

impl Settings {
    /// `operations` times the scale, at least one.
    pub(crate) fn scaled(self, operations: usize) -> usize {
        ((operations as f64 * self.scale) as usize).max(1)
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// The row of this name.
    Run(String, Settings),
    /// The names of the rows.
    List,
    /// The usage.
    Help,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence that names the argument, its value, and what is accepted.
pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let row = match arguments.next().map(text) {
        None => return Err("no row given".into()),
        Some(first) if first == "list" => return Ok(Request::List),
        Some(first) if first == "--help" || first == "-h" => return Ok(Request::Help),
        Some(first) => first,
    };
    let workers = std::thread::available_parallelism().map_or(1, |cpus| cpus.get());
    let mut settings = Settings { workers, scale: 1.0 };
    while let Some(option) = arguments.next().map(text) {
        match option.as_str() {
            "--workers" => settings.workers = value(&option, arguments.next(), WORKERS, whole)?,
            "--scale" => settings.scale = value(&option, arguments.next(), SCALE, scale)?,
            "--help" | "-h" => return Ok(Request::Help),
            _ => return Err(format!("unknown argument `{option}`; after the row come --workers N and --scale F")),
        }
    }
    Ok(Request::Run(row, settings))
}

/// Says why the command line cannot be obeyed; the exit status is 2.
pub(crate) fn refuse(error: &str) -> ExitCode {
    eprintln!("bench-greenbridge: {error}\n{USAGE}");
    ExitCode::from(2)
}

const WORKERS: &str = "a whole number from 1 to 1024";
const SCALE: &str = "a number above 0 up to 1000";

fn whole(value: &str) -> Option<usize> {
    value.parse().ok().filter(|n| (1..=MAX_WORKERS).contains(n))
}

fn scale(value: &str) -> Option<f64> {
    value.parse().ok().filter(|&factor| factor > 0.0 && factor <= 1000.0)
}

/// The value behind `option`, read by `parse`, or an error that says what is `accepted`.
fn value<T>(
    option: &str,
    argument: Option<OsString>,
    accepted: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, String> {
    let Some(argument) = argument.map(text) else {
        return Err(format!("{option} needs a value: {accepted}"));
    };
    parse(&argument).ok_or_else(|| format!("{option} `{argument}` is not {accepted}"))
}

/// An argument as text; what is not Unicode is shown with replacement characters, and then refused like any other.
fn text(argument: OsString) -> String {
    argument.to_string_lossy().into_owned()
}
