//! The command line.

use std::time::Duration;

/// What `--help` prints, and what follows every refusal.
pub(crate) const USAGE: &str = "\
usage: record [OPTION...]
  --rows a,b       only these rows, and no sweeps unless `threads` or `tasks` is among them (default: all)
  --programs a,b   of greenbridge,go,may,tokio,floor (default: all)
  --rounds N       how often each program runs each row (default: 3)
  --workers N      processors (default: the CPUs this process may use)
  --scale F        multiplies the number of operations (default: 1)
  --timeout S      seconds after which a program is killed (default: 60)
  --write          write into the book what fewer rounds, another scale or other workers gave, too
  --no-write       print only
  --redraw         measure nothing: tables and plots again from docs/figures.tsv";

/// What to measure, and how.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) rows: Option<Vec<String>>,
    pub(crate) programs: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) workers: usize,
    pub(crate) scale: f64,
    pub(crate) timeout: Duration,
    pub(crate) redraw: bool,
    /// As asked for; without a word, see [`Arguments::writes`].
    write: Option<bool>,
}

impl Arguments {
    /// Whether the book gets the figures: what is good enough for it does, unless told otherwise.
    pub(crate) fn writes(&self) -> bool {
        self.write.unwrap_or(self.rounds >= 3 && self.scale == 1.0 && self.workers == cpus() && self.programs == ALL)
    }

    /// Whether `row` was asked for, by name or by asking for all.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.iter().any(|wanted| wanted == row))
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    Measure(Arguments),
    Help,
}

const ALL: [&str; 5] = ["greenbridge", "go", "may", "tokio", "floor"];

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, |cpus| cpus.get())
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence that names the argument and what is accepted.
pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut read = Arguments {
        rows: None,
        programs: ALL.map(str::to_owned).to_vec(),
        rounds: 3,
        workers: cpus(),
        scale: 1.0,
        timeout: Duration::from_secs(60),
        redraw: false,
        write: None,
    };
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(Request::Help),
            "--rows" => read.rows = Some(list(&value()?)),
            "--programs" => read.programs = known(list(&value()?))?,
            "--rounds" => read.rounds = number(&option, &value()?, 1.0, 1000.0)? as usize,
            "--workers" => read.workers = number(&option, &value()?, 1.0, 1024.0)? as usize,
            "--scale" => read.scale = number(&option, &value()?, 1e-6, 1000.0)?,
            "--timeout" => read.timeout = Duration::from_secs_f64(number(&option, &value()?, 0.1, 86_400.0)?),
            "--write" => read.write = Some(true),
            "--no-write" => read.write = Some(false),
            "--redraw" => read.redraw = true,
            _ => return Err(format!("unknown argument `{option}`")),
        }
    }
    Ok(Request::Measure(read))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn known(programs: Vec<String>) -> Result<Vec<String>, String> {
    match programs.iter().find(|name| !ALL.contains(&name.as_str())) {
        Some(unknown) => Err(format!("no program `{unknown}`; there are {}", ALL.join(", "))),
        None => Ok(programs),
    }
}

fn number(option: &str, text: &str, least: f64, most: f64) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{option} `{text}` is not a number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &str) -> Result<Request, String> {
        read(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_full_run_writes_and_a_quick_one_prints() {
        for (words, writes) in [
            ("", true),
            ("--rounds 5 --rows c_call", true),
            ("--rounds 1", false),
            ("--scale 0.1", false),
            ("--programs greenbridge", false),
            ("--rounds 1 --write", true),
            ("--no-write", false),
        ] {
            let Ok(Request::Measure(arguments)) = read_words(words) else { panic!("`{words}` is refused") };
            assert_eq!(arguments.writes(), writes, "{words}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (words, named) in
            [("--programs node", "node"), ("--rounds none", "none"), ("-x", "-x"), ("--rows", "--rows")]
        {
            let error = read_words(words).expect_err(words);
            assert!(error.contains(named), "{error}");
        }
    }
}
