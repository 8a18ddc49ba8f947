//! The example `cgo_callback` does every task with each gate and reports both in the documented form; and a wrong flag is
//! refused with a sentence that names the flag, the value, and what is accepted. A lost wake-up would hang it, a lost or
//! repeated task fails its own count, so it runs with a deadline.

mod support;

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::process::Command;
use std::ptr::null_mut;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::{Outcome, Process, example};

/// Runs the example with `arguments`. Its streams are no terminals.
fn run(arguments: &[&str]) -> Outcome {
    arguments.iter().fold(Process::program(&example("cgo_callback")), |process, argument| process.arg(argument)).run()
}

/// Runs the example, which must succeed and print nothing on the error stream; returns its output.
fn succeed(arguments: &[&str]) -> String {
    let outcome = run(arguments);
    outcome.succeeds();
    assert_eq!(outcome.stderr, "", "{outcome}should have kept its error stream empty, above all of a bar");
    outcome.stdout
}

#[test]
fn both_gates_are_reported_with_speed_up_and_shares() {
    let text = succeed(&["--tasks", "10000", "--workers", "2"]);
    let lines: Vec<_> = text.lines().collect();
    let starts = [
        "numWorkers = 2",
        "before: took ",
        "after: took ",
        "speed-up: ",
        "time in the gate, before: ",
        "time in the gate, after: ",
        "Of 3 runs with each gate, ",
        "changes the gate every millisecond: ",
        "middle half of ",
    ];
    assert_eq!(lines.len(), starts.len(), "{text}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "`{line}` does not start with `{start}`");
    }
    for line in &lines[1..=2] {
        let number = line.split_once("took ").and_then(|(_, rest)| rest.split_once("ms")).expect("`took Nms`").0;
        assert!(number.parse::<u64>().is_ok(), "{line}");
    }
}

#[test]
fn one_gate_alone_has_no_speed_up() {
    for (gate, other) in [("before", "after"), ("after", "before")] {
        let text = succeed(&["--tasks=10000", "--workers=1", "--gate", gate]);
        assert!(text.starts_with("numWorkers = 1\n"), "{text}");
        assert!(text.contains(&format!("\n{gate}: took ")), "{text}");
        assert!(!text.contains(&format!("\n{other}: took ")) && !text.contains("speed-up"), "{text}");
    }
}

#[test]
fn more_workers_than_processors_of_the_machine() {
    assert!(succeed(&["--tasks", "10000", "--workers", "8", "--gate", "after"]).starts_with("numWorkers = 8\n"));
}

#[test]
fn fewer_tasks_than_workers() {
    assert!(succeed(&["--tasks", "1", "--workers", "3", "--gate", "after"]).starts_with("numWorkers = 3\n"));
}

#[test]
fn json_is_one_object_on_one_line() {
    let json = succeed(&["--tasks", "10000", "--workers", "2", "--json"]);
    assert_eq!(json.lines().count(), 1, "{json}");
    let rest = json.trim_end().strip_prefix(r#"{"numWorkers":2,"tasks":10000,"before":"#).expect(&json);
    let rest = gate_of(rest).strip_prefix(r#","after":"#).expect(&json);
    let rest = gate_of(rest).strip_prefix(r#","speed_up":"#).expect(&json);
    let speed_up: f64 = rest.strip_suffix('}').expect(&json).parse().expect(&json);
    assert!(speed_up > 0.0, "{json}");
}

/// Checks the object of one gate at the start of `json`, and returns what follows it.
fn gate_of(json: &str) -> &str {
    let (gate, rest) = json.split_once('}').expect("the object of a gate ends");
    let fields = gate.strip_prefix(r#"{"took_ms":"#).and_then(|fields| {
        let (took, fields) = fields.split_once(r#","gate_share":"#)?;
        let (share, fields) = fields.split_once(r#","gate_share_quartiles":["#)?;
        let (low, high) = fields.strip_suffix(']')?.split_once(',')?;
        Some([took, share, low, high])
    });
    let [took, share, low, high] =
        fields.expect(gate).map(|number| number.parse::<f64>().unwrap_or_else(|_| panic!("`{number}` in {gate}")));
    assert!(took > 0.0 && low <= share && share <= high && high < 1.0, "{gate}");
    rest
}

/// The example refuses `arguments` with status 2, and says all of `words`.
fn refused(arguments: &[&str], words: &[&str]) {
    let outcome = run(arguments);
    assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been refused");
    assert_eq!(outcome.stdout, "", "{outcome}should have printed no result");
    for expected in words {
        outcome.says(expected);
    }
}

#[test]
fn a_wrong_number_is_refused() {
    for value in ["0", "-1", "many", "", "100000001", "99999999999999999999999999"] {
        refused(&["--tasks", value], &["--tasks", &format!("`{value}`"), "a whole number from 1 to 100000000"]);
    }
    for value in ["0", "1025", "2.5"] {
        refused(&["--workers", value], &["--workers", &format!("`{value}`"), "a whole number from 1 to 1024"]);
        refused(&[&format!("--workers={value}")], &["--workers", &format!("`{value}`")]);
    }
}

#[test]
fn a_wrong_gate_is_refused() {
    refused(&["--gate", "during"], &["--gate", "`during`", "`before`, `after` or `both`"]);
}

#[test]
fn a_missing_value_is_refused() {
    refused(&["--tasks"], &["--tasks", "needs a value", "a whole number from 1 to 100000000"]);
    refused(&["--gate"], &["--gate", "needs a value", "`before`, `after` or `both`"]);
}

#[test]
fn an_unknown_flag_is_refused() {
    for flag in ["--threads", "10000", "--json=yes"] {
        refused(&[flag], &[flag, "--tasks, --workers, --gate and --json"]);
    }
}

#[test]
fn help_names_every_flag() {
    let help = succeed(&["--help"]);
    for flag in ["--tasks", "--workers", "--gate", "--json"] {
        assert!(help.contains(flag), "{help}");
    }
}

#[test]
fn a_terminal_shows_a_bar_and_then_wipes_it_out() {
    let (mut screen, terminal) = terminal();
    let errors = terminal.try_clone().expect("the terminal can be shared");
    let mut child = Command::new(example("cgo_callback"))
        .args(["--tasks", "10000", "--gate", "after"])
        .stdout(terminal)
        .stderr(errors)
        .spawn()
        .expect("the example starts");
    let (sender, shown) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // Ends with an error when the last program has closed the terminal.
        let _ = screen.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    let shown = shown.recv_timeout(Duration::from_secs(60));
    child.kill().expect("an ended child can be killed as well");
    child.wait().expect("the child can be waited for");
    let shown = shown.expect("the example ends within 60 s");
    let (bar, result) = shown.split_once("numWorkers = ").expect(&shown);
    assert!(bar.contains("\r[") && bar.contains(" %") && bar.ends_with('\r'), "{shown:?}");
    assert!(result.contains("after: took ") && !result.contains("\r["), "{shown:?}");
}

/// A terminal: the end that a person sits at, and the end that a program writes to.
fn terminal() -> (File, File) {
    let (mut screen, mut terminal) = (-1, -1);
    // SAFETY: both numbers may be written to; the terminal gets no name, no modes and no size.
    let rc = unsafe { libc::openpty(&mut screen, &mut terminal, null_mut(), null_mut(), null_mut()) };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: openpty has just opened both, and nobody else closes them.
    unsafe { (File::from_raw_fd(screen), File::from_raw_fd(terminal)) }
}
