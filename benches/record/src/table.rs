//! The tables in Markdown.

use crate::figures::{Figures, Values};
use crate::numbers::short;
use crate::rows::{GROUPS, Group, PEERS, Row};
use std::fmt::Write as _;

/// All tables, as they are printed at the end of a run: what was not measured is left out.
pub(crate) fn all(figures: &Figures) -> String {
    let mut text = machine(figures);
    for group in GROUPS {
        let known: Vec<_> = group.rows.iter().filter(|row| is_measured(figures, row.figure)).collect();
        if !known.is_empty() {
            write!(text, "\n{}\n\n{}", group.title, rows(figures, &known)).expect("a string takes everything");
        }
    }
    let others = others(figures);
    if !others.is_empty() {
        let rows: Vec<_> = others.iter().collect();
        write!(text, "\nOthers\n\n{}", self::rows(figures, &rows)).expect("a string takes everything");
    }
    text + "\n" + &failures(figures)
}

/// Where it was measured.
pub(crate) fn machine(figures: &Figures) -> String {
    let lines: Vec<_> = figures.machine.iter().map(|(what, value)| format!("| {what} | {value} |\n")).collect();
    format!("| | |\n|---|---|\n{}", lines.concat())
}

/// The rows of a group, measured or not.
pub(crate) fn group(figures: &Figures, group: &Group) -> String {
    rows(figures, &group.rows.iter().collect::<Vec<_>>())
}

/// Who failed where, and why.
pub(crate) fn failures(figures: &Figures) -> String {
    let lines: Vec<_> =
        figures.failures().map(|(row, program, why)| format!("* `{row}`, {program}: {why}\n")).collect();
    if lines.is_empty() { "Nobody failed in a row.\n".into() } else { format!("Failed:\n\n{}", lines.concat()) }
}

fn is_measured(figures: &Figures, figure: &str) -> bool {
    let row = figure.split('.').next().unwrap_or(figure);
    let programs = PEERS.iter().copied().chain(["greenbridge", "floor"]);
    programs.into_iter().any(|program| figures.get(figure, program).is_some() || figures.has_failed(row, program))
}

/// What was measured and has no place in a group: what `list` has beyond our tables.
fn others(figures: &Figures) -> Vec<Row> {
    let placed = |name: &str| GROUPS.iter().flat_map(|group| group.rows).any(|row| row.figure == name);
    let curve = |name: &str| name.rsplit_once('.').is_some_and(|(_, at)| at.parse::<u64>().is_ok());
    let names = figures.names().into_iter().filter(|name| !placed(name) && !curve(name));
    names.map(|name| Row { figure: name.to_owned().leak(), what: "", target: None }).collect()
}

fn rows(figures: &Figures, rows: &[&Row]) -> String {
    let mut text = String::from(
        "| row | what | Greenbridge | Go | may | tokio | floor | over the best peer | over the floor | target |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    for row in rows {
        let of = |program: &str| figures.get(row.figure, program);
        let ours = of("greenbridge");
        let best = PEERS.iter().filter_map(|peer| of(peer)).reduce(|a, b| if is_better(b, a) { b } else { a });
        let mut cells = vec![format!("`{}`", row.figure), row.what.to_owned()];
        cells.extend(["greenbridge", "go", "may", "tokio", "floor"].map(|program| match of(program) {
            Some(values) => cell(values),
            None if figures.has_failed(row.figure.split('.').next().unwrap_or_default(), program) => "fails".into(),
            None => "-".into(),
        }));
        cells.push(ratio(ours, best));
        cells.push(ratio(ours, of("floor")));
        cells.push(row.target.map_or(String::new(), |target| aim(target, ours)));
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes everything");
    }
    text
}

/// `median [least-most] unit`.
fn cell(values: &Values) -> String {
    let (low, high) = values.range();
    let unit = if values.unit == "ratio" { String::new() } else { format!(" {}", values.unit) };
    if values.all.len() == 1 {
        return format!("{}{unit}", short(values.median()));
    }
    format!("{}{unit} [{}-{}]", short(values.median()), short(low), short(high))
}

/// Our cost over theirs: below 1 where ours is less, whatever the unit counts.
fn ratio(ours: Option<&Values>, theirs: Option<&Values>) -> String {
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return "-".into() };
    let (mut over, mut under) = (ours.median(), theirs.median());
    if more_is_better(&ours.unit) {
        (over, under) = (under, over);
    }
    if under > 0.0 { short(over / under) } else { "-".into() }
}

/// The target, bold where it is missed.
fn aim(target: f64, ours: Option<&Values>) -> String {
    let Some(ours) = ours else { return short(target) };
    let met = if more_is_better(&ours.unit) { ours.median() >= target } else { ours.median() <= target };
    if met { short(target) } else { format!("**{}**, missed", short(target)) }
}

fn is_better(a: &Values, b: &Values) -> bool {
    if more_is_better(&a.unit) { a.median() > b.median() } else { a.median() < b.median() }
}

/// Rates and shares grow with what is good; times, memory and threads do not.
fn more_is_better(unit: &str) -> bool {
    matches!(unit, "ratio" | "msg/s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Line;

    fn measured(lines: &[(&str, &str, f64, &str)]) -> Figures {
        let mut figures = Figures::default();
        for &(figure, program, value, unit) in lines {
            let row = figure.split('.').next().unwrap_or(figure);
            let line = Line { figure: figure.into(), value, unit: unit.into() };
            figures.add(row, program, None, Ok(vec![line]));
        }
        figures
    }

    #[test]
    fn a_row_stands_beside_the_best_peer_and_the_floor() {
        let figures = measured(&[
            ("c_call", "greenbridge", 4.0, "ns"),
            ("c_call", "go", 40.0, "ns"),
            ("c_call", "tokio", 2.0, "ns"),
            ("c_call", "floor", 1.0, "ns"),
        ]);
        let row = Row { figure: "c_call", what: "a call", target: Some(3.5) };
        let text = rows(&figures, &[&row]);
        let last = text.lines().last().expect("the row");
        assert_eq!(last, "| `c_call` | a call | 4 ns | 40 ns | - | 2 ns | 1 ns | 2 | 4 | **3.5**, missed |");
    }

    #[test]
    fn where_more_is_better_the_ratio_turns_round() {
        let figures = measured(&[("echo", "greenbridge", 200.0, "msg/s"), ("echo", "go", 100.0, "msg/s")]);
        let (ours, theirs) = (figures.get("echo", "greenbridge"), figures.get("echo", "go"));
        assert_eq!(ratio(ours, theirs), "0.5");
        assert_eq!(aim(150.0, ours), "150");
    }

    #[test]
    fn what_no_group_has_is_printed_all_the_same() {
        let figures = measured(&[("new_row", "greenbridge", 1.0, "ns")]);
        assert!(all(&figures).contains("| `new_row` |"));
    }
}
