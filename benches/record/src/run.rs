//! The order of the runs, and one run.

use crate::arguments::Arguments;
use crate::programs::Program;
use crate::sweeps::{self, Sweep};
use std::fs::{self, File};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// One run of one program.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// The row, or the name of the sweep.
    pub(crate) row: String,
    pub(crate) program: &'a Program,
    pub(crate) round: usize,
    /// Where on its axis a run of a sweep stands.
    pub(crate) at: Option<String>,
    arguments: Vec<String>,
}

/// All runs, in their order.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    arguments: &'a Arguments,
    programs: &'a [Program],
    rows: Vec<String>,
    sweeps: Vec<&'static Sweep>,
}

impl<'a> Plan<'a> {
    /// Asks each program for its rows.
    ///
    /// # Errors
    /// A row was asked for that nobody knows.
    pub(crate) fn new(arguments: &'a Arguments, programs: &'a [Program]) -> Result<Self, String> {
        let mut rows: Vec<String> = Vec::new();
        for row in programs.iter().flat_map(|program| &program.rows) {
            if !rows.contains(row) {
                rows.push(row.clone());
            }
        }
        let known = |name: &String| rows.contains(name) || sweeps::ALL.iter().any(|sweep| sweep.name == name);
        if let Some(unknown) = arguments.rows.iter().flatten().find(|name| !known(name)) {
            return Err(format!("no program knows the row `{unknown}`; they know {}", rows.join(", ")));
        }
        rows.retain(|row| arguments.wants(row));
        let sweeps = sweeps::ALL.iter().filter(|sweep| arguments.wants(sweep.name)).collect();
        Ok(Self { arguments, programs, rows, sweeps })
    }

    /// Row by row, within it round by round, within that program by program; then the sweeps.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'a>> {
        let (rounds, workers, scale) = (self.arguments.rounds, self.arguments.workers, self.arguments.scale);
        let programs = self.programs;
        let step = move |row: &str, name: &str, round, program, at: Option<String>, workers: usize, scale: f64| Step {
            row: name.to_owned(),
            program,
            round,
            at,
            arguments: [row, "--workers", &workers.to_string(), "--scale", &scale.to_string()]
                .map(str::to_owned)
                .to_vec(),
        };
        let rows = self.rows.iter().flat_map(move |row| {
            let asked = programs.iter().filter(move |program| program.rows.contains(row));
            (1..=rounds).flat_map(move |round| {
                asked.clone().map(move |program| step(row, row, round, program, None, workers, scale))
            })
        });
        let sweeps = self.sweeps.iter().flat_map(move |sweep| {
            (1..=rounds).flat_map(move |round| {
                sweep.places.iter().flat_map(move |place| {
                    let asked = programs.iter().filter(|program| program.rows.iter().any(|row| row == sweep.row));
                    asked.map(move |program| {
                        // A number of workers stands as it is; a number of tasks is scaled.
                        let at = place.workers.unwrap_or((place.at as f64 * scale).round() as usize);
                        let at = Some(at.to_string());
                        let workers = place.workers.unwrap_or(workers);
                        step(sweep.row, sweep.name, round, program, at, workers, place.scale * scale)
                    })
                })
            })
        });
        rows.chain(sweeps).collect::<Vec<_>>().into_iter()
    }

    /// How many there are.
    pub(crate) fn length(&self) -> usize {
        self.steps().count()
    }
}

/// One figure as a program printed it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) figure: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

impl Line {
    /// For the progress.
    pub(crate) fn shown(&self) -> String {
        format!("{} {} {}", self.figure, crate::numbers::short(self.value), self.unit)
    }
}

/// Runs a program once; its figures, or in one line why there are none.
pub(crate) fn once(step: &Step, timeout: Duration) -> Result<Vec<Line>, String> {
    let (out, err) = (step.program.output.with_extension("out"), step.program.output.with_extension("err"));
    // Files, not pipes: a program that is killed may leave children behind that keep a pipe open.
    let file = |path| File::create(path).map_err(|error| format!("no place for its output: {error}"));
    let child = Command::new(&step.program.path)
        .args(&step.arguments)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(file(&out)?)
        .stderr(file(&err)?)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let status = wait(child, timeout)?;
    let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    if !status.success() {
        return Err(reason(&read(err), status));
    }
    match figures(&read(out)) {
        none if none.is_empty() => Err("printed no figure".into()),
        figures => Ok(figures),
    }
}

/// Waits until `child` has ended; kills it at the deadline.
fn wait(mut child: Child, timeout: Duration) -> Result<ExitStatus, String> {
    let deadline = Instant::now() + timeout;
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => return Ok(status),
            None if Instant::now() < deadline => pause(),
            None => {
                // It may end by itself just now; then there is nobody left to kill.
                _ = child.kill();
                child.wait().map_err(|error| error.to_string())?;
                return Err(format!("no end within {} s", timeout.as_secs_f64()));
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "this program has no green thread that could wait in its place")]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// The lines `FIGURE VALUE UNIT` of what a program printed.
fn figures(printed: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (figure, value, unit) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        words.next().is_none().then(|| Line { figure: figure.to_owned(), value, unit: unit.to_owned() })
    };
    printed.lines().filter_map(line).collect()
}

/// One line that says why a program failed.
fn reason(stderr: &str, status: ExitStatus) -> String {
    let lines: Vec<_> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let panic = lines.iter().position(|line| line.contains("panicked at")).and_then(|at| lines.get(at + 1));
    let fatal =
        lines.iter().find(|line| ["fatal error", "panic:", "runtime:"].iter().any(|word| line.starts_with(word)));
    let line = panic.or(fatal).or(lines.last());
    line.map_or_else(|| status.to_string(), |line| line.replace(['\t', '|'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_from_other_words() {
        let printed = "warming up\nidle.cpu 0.043000 ms/s\nc_call 3.9 ns\nnot a figure at all\n";
        let names: Vec<_> = figures(printed).into_iter().map(|line| (line.figure, line.value, line.unit)).collect();
        assert_eq!(names, [("idle.cpu".into(), 0.043, "ms/s".into()), ("c_call".into(), 3.9, "ns".into())]);
    }

    #[test]
    fn a_program_that_hangs_is_killed_and_named() {
        let mut sleep = Command::new("sleep");
        let child = sleep.arg("600").spawn().expect("there is a program `sleep`");
        let error = wait(child, Duration::from_millis(50)).expect_err("it ended");
        assert!(error.contains("no end within 0.05 s"), "{error}");
    }

    #[test]
    fn the_reason_is_the_line_that_tells() {
        let status = Command::new("false").status().expect("there is a program `false`");
        let of = |stderr| reason(stderr, status);
        assert_eq!(of("thread 'main' panicked at a.rs:1:2:\nno memory\nnote: run with\n"), "no memory");
        assert_eq!(
            of("x\nfatal error: all goroutines are asleep\ngoroutine 1\n"),
            "fatal error: all goroutines are asleep"
        );
        assert_eq!(of(""), "exit status: 1");
    }
}
