//! The example `tokio_callback` does its walks in both ways, every sum right, and shows that green threads need few OS threads for them; a
//! wrong flag is refused with a sentence that names the flag, the value, and what is accepted.
//!
//! A lost wake-up between the two runtimes would hang it, so it runs with a deadline.

mod support;

use support::{Outcome, Process};

/// Runs the example with `arguments`.
fn run(arguments: &[&str]) -> Outcome {
    arguments
        .iter()
        .fold(Process::program(&support::example("tokio_callback")), |process, argument| process.arg(argument))
        .run()
}

#[test]
fn both_ways_are_reported_with_their_os_threads() {
    let outcome = run(&["--walks", "40", "--items=20"]);
    outcome.succeeds();
    assert_eq!(outcome.stderr, "", "{outcome}should have kept its error stream empty");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{outcome}should have printed three lines");
    assert_eq!(lines[0], "40 walks of 20 items, each of which waits for a server");
    let green = threads(lines[1], "green threads, call_interleaved: ");
    let pool = threads(lines[2], "spawn_blocking, Handle::block_on: ");
    assert!(green < pool, "{outcome}should have needed fewer OS threads for green threads");
}

/// The number of OS threads in a line of the form `WAY: N ms, N more OS threads`.
fn threads(line: &str, way: &str) -> u32 {
    let numbers = line.strip_prefix(way).and_then(|rest| rest.strip_suffix(" more OS threads"));
    let (time, threads) = numbers.and_then(|numbers| numbers.split_once(" ms, ")).expect(line);
    assert!(time.parse::<u32>().is_ok(), "{line}");
    threads.parse().expect(line)
}

#[test]
fn one_walk_of_one_item() {
    run(&["--walks=1", "--items=1"]).succeeds().prints("1 walks of 1 items");
}

#[test]
fn wrong_flags_are_refused() {
    for (arguments, words) in [
        (vec!["--walks", "0"], "--walks `0` is not accepted: it must be a whole number from 1 to 400"),
        (vec!["--walks=401"], "--walks `401` is not accepted"),
        (vec!["--items", "many"], "--items `many` is not accepted: it must be a whole number from 1 to 10000"),
        (vec!["--items"], "--items needs a value: a whole number from 1 to 10000"),
        (vec!["--threads", "3"], "unknown flag `--threads`: accepted are --walks and --items"),
    ] {
        let outcome = run(&arguments);
        assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been refused");
        assert_eq!(outcome.stdout, "", "{outcome}should have printed no result");
        outcome.says(words);
    }
    run(&["--help"]).prints("--walks").prints("--items");
}
