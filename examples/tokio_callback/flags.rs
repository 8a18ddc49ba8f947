//! The command line.

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

/// Reads the arguments behind the program's name, as `--flag value` or `--flag=value`.
///
/// # Errors
/// A sentence that names the flag, its value, and what is accepted.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut flags = Flags { walks: 300, items: 100 };
    // What is not Unicode is shown with replacement characters, and then refused like any other wrong value.
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match flag {
            "--walks" => flags.walks = number(flag, inline.or_else(|| arguments.next()), 400)?,
            "--items" => flags.items = number(flag, inline.or_else(|| arguments.next()), 10_000)?,
            "--help" | "-h" if inline.is_none() => return Ok(Request::Help),
            _ => return Err(format!("unknown flag `{argument}`: accepted are --walks and --items")),
        }
    }
    Ok(Request::Run(flags))
}

fn number(flag: &str, value: Option<String>, most: u32) -> Result<u32, String> {
    let accepted = format!("a whole number from 1 to {most}");
    let value = value.ok_or_else(|| format!("{flag} needs a value: {accepted}"))?;
    match value.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("{flag} `{value}` is not accepted: it must be {accepted}")),
    }
}
