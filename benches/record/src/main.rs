//! The one place that measures: builds Greenbridge and its peers, runs their rows interleaved, and writes the tables and the plots
//! of `docs/benchmarks.md`.
//!
//! ```text
//! cargo run --release -p greenbridge-record                          # everything, 3 rounds, written into the book
//! cargo run --release -p greenbridge-record -- --rows c_call --rounds 1    # one row, in seconds, printed
//! cargo run --release -p greenbridge-record -- --help
//! ```
//! The programs are `bench-greenbridge`, and those of `benches/peers/`: Go's, may's, tokio's, and a *floor* without any runtime. Each
//! answers `list` with its rows, and `ROW [--workers N] [--scale F]` with lines `FIGURE VALUE UNIT`, in a process of its own. One
//! that cannot be built is left out, one that fails or hangs in a row is not asked for that row again: the table says so, and the
//! rest goes on.
//!
//! In a round every program runs the row once, then comes the next round, so that what disturbs the machine for a minute disturbs
//! all. What is written comes from `docs/figures.tsv`, which keeps every value of every round: a run of some rows replaces those,
//! and `--redraw` makes tables and plots anew without measuring.

mod arguments;
mod book;
mod curves;
mod figures;
mod machine;
mod numbers;
mod plots;
mod programs;
mod rows;
mod run;
mod sweeps;
mod table;

use arguments::{Arguments, Request};
use figures::Figures;
use programs::Program;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments = match arguments::read(std::env::args().skip(1)) {
        Ok(Request::Measure(arguments)) => arguments,
        Ok(Request::Help) => {
            println!("{}", arguments::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("record: {error}\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    match record(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("record: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the whole workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn record(arguments: &Arguments) -> Result<(), String> {
    let docs = root().join("docs");
    let kept = docs.join("figures.tsv");
    if arguments.redraw {
        let figures = Figures::read(&kept)?;
        return book::write(&docs, &figures);
    }
    let since = Instant::now();
    let programs = programs::build(&arguments.programs)?;
    let mut measured = measure(arguments, &programs, since)?;
    measured.machine = machine::describe(&programs, arguments);
    println!("{}", table::all(&measured));
    eprintln!("record: {} s in all", since.elapsed().as_secs());
    if arguments.writes() {
        let mut figures = Figures::read(&kept).unwrap_or_default();
        figures.replace(measured);
        figures.write(&kept)?;
        book::write(&docs, &figures)?;
        eprintln!("record: written into docs/benchmarks.md and docs/plots");
    }
    Ok(())
}

/// Runs all chosen rows and sweeps.
fn measure(arguments: &Arguments, programs: &[Program], since: Instant) -> Result<Figures, String> {
    let plan = run::Plan::new(arguments, programs)?;
    let mut figures = Figures::default();
    let mut done = 0;
    for step in plan.steps() {
        done += 1;
        if figures.has_failed(&step.row, &step.program.name) {
            continue;
        }
        let outcome = run::once(&step, arguments.timeout);
        let seen = match &outcome {
            Ok(lines) => lines.iter().map(run::Line::shown).collect::<Vec<_>>().join(", "),
            Err(reason) => format!("fails: {reason}"),
        };
        eprintln!(
            "[{done:>4}/{} {:>4} s] {} {}/{} {}: {seen}",
            plan.length(),
            since.elapsed().as_secs(),
            step.row,
            step.round,
            arguments.rounds,
            step.program.name,
        );
        figures.add(&step.row, &step.program.name, step.at.as_deref(), outcome);
    }
    Ok(figures)
}
