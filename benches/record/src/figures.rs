//! Every value of every round, and the file that keeps them.
//!
//! A line of the file is `row, figure, program, unit, values...`, with tabs between; the unit of a row that failed is `fails` and its
//! value the reason; lines `machine, what, value` say where it was measured.

use crate::run::Line;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The values that one program gave for one figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values {
    pub(crate) unit: String,
    /// One for each round, never none.
    pub(crate) all: Vec<f64>,
}

impl Values {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.all.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
    }

    pub(crate) fn range(&self) -> (f64, f64) {
        self.all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// By row, figure and program.
    values: BTreeMap<(String, String, String), Values>,
    /// Why a program has no figure in a row, by row and program.
    failures: BTreeMap<(String, String), String>,
    /// What was measured where: name and value.
    pub(crate) machine: Vec<(String, String)>,
}

impl Figures {
    /// Takes in what a run gave. `at`: the place on the axis of a sweep, which then names the figure.
    pub(crate) fn add(&mut self, row: &str, program: &str, at: Option<&str>, outcome: Result<Vec<Line>, String>) {
        match outcome {
            Err(reason) => {
                self.failures.insert((row.to_owned(), program.to_owned()), reason);
            }
            Ok(lines) => {
                for line in lines {
                    let figure = at.map_or(line.figure, |at| format!("{row}.{at}"));
                    let entry = self.values.entry((row.to_owned(), figure, program.to_owned())).or_default();
                    entry.unit = line.unit;
                    entry.all.push(line.value);
                }
            }
        }
    }

    /// Whether the program is not to be asked for this row again.
    pub(crate) fn has_failed(&self, row: &str, program: &str) -> bool {
        self.failure(row, program).is_some()
    }

    /// Why the program has no figure in this row.
    pub(crate) fn failure(&self, row: &str, program: &str) -> Option<&str> {
        self.failures.get(&(row.to_owned(), program.to_owned())).map(String::as_str)
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.failures.iter().map(|((row, program), reason)| (row.as_str(), program.as_str(), reason.as_str()))
    }

    /// What `program` gave for `figure`.
    pub(crate) fn get(&self, figure: &str, program: &str) -> Option<&Values> {
        let row = figure.split('.').next().unwrap_or(figure);
        self.values.get(&(row.to_owned(), figure.to_owned(), program.to_owned()))
    }

    /// All names of figures, in the order of the alphabet.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.values.keys().map(|(_, figure, _)| figure.as_str()).collect();
        names.dedup();
        names
    }

    /// The points of a curve: `row.AT`, by AT.
    pub(crate) fn curve(&self, row: &str, program: &str) -> Vec<(f64, f64)> {
        let point = |((of, figure, by), values): (&(String, String, String), &Values)| {
            let at: f64 = figure.rsplit_once('.')?.1.parse().ok()?;
            (of == row && by == program).then(|| (at, values.median()))
        };
        let mut points: Vec<_> = self.values.iter().filter_map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    }

    /// Rows that `newer` has take the place of those here.
    pub(crate) fn replace(&mut self, newer: Figures) {
        let measured =
            |row: &str| newer.values.keys().any(|(of, ..)| of == row) || newer.failures.keys().any(|(of, _)| of == row);
        self.values.retain(|(row, ..), _| !measured(row));
        self.failures.retain(|(row, _), _| !measured(row));
        self.values.extend(newer.values);
        self.failures.extend(newer.failures);
        self.machine = newer.machine;
    }

    /// # Errors
    /// The file cannot be read, or not understood.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).ok_or_else(|| format!("{} is not what this program wrote", path.display()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut figures = Self::default();
        for line in text.lines() {
            let words: Vec<_> = line.split('\t').collect();
            match words.as_slice() {
                ["machine", what, value] => figures.machine.push(((*what).into(), (*value).into())),
                [row, _, program, "fails", reason] => {
                    figures.failures.insert(((*row).into(), (*program).into()), (*reason).into());
                }
                [row, figure, program, unit, values @ ..] if !values.is_empty() => {
                    let all = values.iter().map(|value| value.parse().ok()).collect::<Option<Vec<f64>>>()?;
                    let key = ((*row).into(), (*figure).into(), (*program).into());
                    figures.values.insert(key, Values { unit: (*unit).into(), all });
                }
                _ => return None,
            }
        }
        Some(figures)
    }

    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        fs::write(path, self.text()).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut put = |line: String| writeln!(text, "{line}").expect("a string takes everything");
        for (what, value) in &self.machine {
            put(format!("machine\t{what}\t{value}"));
        }
        for ((row, figure, program), values) in &self.values {
            let all: Vec<_> = values.all.iter().map(f64::to_string).collect();
            put(format!("{row}\t{figure}\t{program}\t{}\t{}", values.unit, all.join("\t")));
        }
        for ((row, program), reason) in &self.failures {
            put(format!("{row}\t{row}\t{program}\tfails\t{reason}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(figure: &str, value: f64) -> Line {
        Line { figure: figure.into(), value, unit: "ns".into() }
    }

    fn some() -> Figures {
        let mut figures = Figures { machine: vec![("CPUs".into(), "2".into())], ..Figures::default() };
        figures.add("c_call", "go", None, Ok(vec![line("c_call", 30.0)]));
        figures.add("c_call", "go", None, Ok(vec![line("c_call", 20.0)]));
        figures.add("threads", "go", Some("16"), Ok(vec![line("c_par_callback", 2.0)]));
        figures.add("threads", "go", Some("2"), Ok(vec![line("c_par_callback", 1.0)]));
        figures.add("skynet", "may", None, Err("no memory".into()));
        figures
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Figures::parse(&some().text()), Some(some()));
        assert_eq!(Figures::parse("half a line\tc_call\n"), None);
    }

    #[test]
    fn values_of_all_rounds_are_kept() {
        let figures = some();
        let values = figures.get("c_call", "go").expect("it was added");
        assert_eq!((values.median(), values.range()), (25.0, (20.0, 30.0)));
        assert_eq!(figures.curve("threads", "go"), [(2.0, 1.0), (16.0, 2.0)]);
        assert_eq!(figures.failure("skynet", "may"), Some("no memory"));
    }

    #[test]
    fn a_row_that_is_measured_again_is_replaced_whole() {
        let mut figures = some();
        let mut newer = Figures::default();
        newer.add("skynet", "may", None, Ok(vec![line("skynet", 500.0)]));
        figures.replace(newer);
        assert_eq!(figures.failure("skynet", "may"), None);
        assert_eq!(figures.get("skynet", "may").map(Values::median), Some(500.0));
        assert!(figures.get("c_call", "go").is_some(), "what was not measured stays");
    }
}
