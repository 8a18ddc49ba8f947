//! Shows what the green threads of a running process do.
//!
//! ```text
//! greenbridge-top PATH [--every MILLISECONDS] [--once]
//! ```
//! PATH is the socket that the process has opened by `Builder::observe` or `GREENBRIDGE_OBSERVE`. `--once` prints metrics and a dump as text, for
//! scripts. `docs/dump.md` has the keys.
//!
//! # Reading order
//! `link.rs` (what the process says), `state.rs` (what is known of it), `view.rs` (how that is shown), `keys.rs` (what a key does).

mod keys;
mod link;
mod state;
mod view;

use keys::Next;
use link::Link;
use ratatui::crossterm::event;
use state::State;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: greenbridge-top PATH [--every MILLISECONDS] [--once]\n\
    PATH is the socket of the process: Builder::observe, or GREENBRIDGE_OBSERVE in its environment";

/// How often keys are looked for.
const KEYS: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = if arguments.once { print_once(&arguments) } else { show(&arguments) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("greenbridge-top: {}: {error}", arguments.path);
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    path: String,
    every: Duration,
    once: bool,
}

impl Arguments {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut path, mut every, mut once) = (None, Duration::from_secs(1), false);
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--once" => once = true,
                "--every" => {
                    let number = given.next().and_then(|number| number.parse().ok()).filter(|&number| number >= 10);
                    every = Duration::from_millis(number.ok_or("--every takes a number of milliseconds, at least 10")?);
                }
                option if option.starts_with('-') => return Err(format!("there is no option {option}")),
                _ if path.is_some() => return Err("only one path".to_owned()),
                _ => path = Some(argument),
            }
        }
        Ok(Self { path: path.ok_or("the path of a socket is missing")?, every, once })
    }
}

/// Prints metrics and a dump.
fn print_once(arguments: &Arguments) -> io::Result<()> {
    let mut link = Link::connect(&arguments.path)?;
    let mut state = State::default();
    link.ask_once()?;
    while !state.is_complete() {
        state.take(link.next()?)?;
    }
    io::stdout().write_all(view::as_text(&state).as_bytes())
}

/// Shows them until the user has seen enough.
fn show(arguments: &Arguments) -> io::Result<()> {
    let mut link = Link::connect(&arguments.path)?;
    let mut state = State { every: arguments.every, ..State::default() };
    link.watch(state.every)?;
    let mut asked = state.every;
    ratatui::run(|terminal| {
        loop {
            while let Some(message) = link.waiting()? {
                state.take(message)?;
            }
            terminal.draw(|frame| view::draw(&state, frame))?;
            if event::poll(KEYS)?
                && let Next::End = keys::press(&mut state, &event::read()?)
            {
                return Ok(());
            }
            if asked != state.every {
                asked = state.every;
                link.watch(asked)?;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        Arguments::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let wanted = Arguments { path: "/run/a.sock".to_owned(), every: Duration::from_millis(200), once: true };
        assert_eq!(read("--once /run/a.sock --every 200"), Ok(wanted));
        assert_eq!(read("a").map(|arguments| (arguments.every, arguments.once)), Ok((Duration::from_secs(1), false)));
    }

    #[test]
    fn what_is_wrong_with_them_is_said() {
        for (line, words) in [("", "missing"), ("a b", "only one"), ("a --every", "at least 10"), ("a --all", "--all")]
        {
            assert!(read(line).is_err_and(|problem| problem.contains(words)), "{line}");
        }
    }
}
