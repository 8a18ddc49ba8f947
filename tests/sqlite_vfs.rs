//! The example `sqlite_vfs`: SQLite over the store answers as over an ordinary file, survives a store that goes down in a transaction, and
//! serves its connections in three ways; a wrong flag is refused with a sentence that names the flag, the value, and what is accepted.
//!
//! A lost wake-up would hang it, so it runs with a deadline.

mod support;

use support::{Outcome, Process};

/// Runs the example with `arguments`.
fn run(arguments: &[&str]) -> Outcome {
    arguments
        .iter()
        .fold(Process::program(&support::example("sqlite_vfs")), |process, argument| process.arg(argument))
        .run()
}

#[test]
fn three_ways_serve_all_connections_and_green_threads_need_few_os_threads() {
    let outcome = run(&["--connections", "60", "--delay=1", "--units", "2"]);
    outcome.succeeds();
    assert_eq!(outcome.stderr, "", "{outcome}should have kept its error stream empty");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], "answers as an ordinary file does, and survives a store that goes down in a transaction");
    assert_eq!(lines[1], "60 connections, 2 units of work each, a store that answers after 1 ms");
    let [green, pool, each] = ["green threads", "spawn_blocking", "a thread each"].map(|way| threads(&lines, way));
    assert!(green < pool && green < each, "{outcome}should have needed fewer OS threads for green threads");
}

/// The number of OS threads in the line of `way`, behind three times of the form `1.23 s`.
fn threads(lines: &[&str], way: &str) -> u32 {
    let line = lines.iter().find_map(|line| line.strip_prefix(way)).expect(way);
    let threads = line.split_whitespace().nth(6).expect(line);
    threads.parse().expect(line)
}

#[test]
fn wrong_flags_are_refused() {
    for (arguments, words) in [
        (vec!["--connections", "0"], "--connections `0` is not accepted: it must be a whole number from 1 to 20000"),
        (vec!["--delay=soon"], "--delay `soon` is not accepted: it must be a whole number from 0 to 10000"),
        (vec!["--units"], "--units needs a value: a whole number from 1 to 1000"),
        (vec!["--threads", "3"], "unknown flag `--threads`: accepted are --connections, --delay and --units"),
    ] {
        let outcome = run(&arguments);
        assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been refused");
        assert_eq!(outcome.stdout, "", "{outcome}should have printed no result");
        outcome.says(words);
    }
    run(&["--help"]).prints("--connections").prints("--delay").prints("--units");
}
