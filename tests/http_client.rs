//! The example `http_client`: a client library that blocks in system calls, used unchanged, beside the server that it asks, also on one
//! processor. If one of its waits kept the processor, the server could never answer.

mod support;

use std::path::PathBuf;
use support::{Outcome, Process};

fn run(processors: &str, arguments: &[&str]) -> Outcome {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the test lies in the folder of its profile");
    let example: PathBuf = profile.join("examples/http_client");
    assert!(example.exists(), "{} is missing: `cargo test` builds it, `cargo test --test` does not", example.display());
    let process = Process::program(&example).env("GREENBRIDGE_PROCESSORS", processors);
    arguments.iter().fold(process, |process, argument| process.arg(argument)).run()
}

#[test]
fn all_clients_are_answered_by_a_server_on_the_same_processors() {
    for processors in ["1", "2"] {
        let outcome = run(processors, &["--requests", "40", "--delay=50"]);
        outcome.succeeds();
        assert_eq!(outcome.stderr, "", "{outcome}should have kept its error stream empty");
        let lines: Vec<_> = outcome.stdout.lines().collect();
        assert_eq!(lines.len(), 5, "{outcome}should have printed five lines");
        assert!(lines[0].starts_with("40 requests at once, each of 50 ms: all after "), "{outcome}");
        assert_eq!(lines[1], "hello: 200, Hello, World!");
        assert_eq!(lines[2], "echo: 200, 100000 bytes came back");
        assert_eq!(lines[3], "nowhere: http status: 404");
        assert!(lines[4].starts_with("43 requests on "), "{outcome}");
    }
}

#[test]
fn wrong_flags_are_refused() {
    for (arguments, words) in [
        (vec!["--requests", "0"], "--requests `0` is not accepted: it must be a whole number from 1 to 200"),
        (vec!["--delay=x"], "--delay `x` is not accepted: it must be a whole number from 0 to 10000"),
        (vec!["--url", "x"], "unknown flag `--url`: accepted are --requests and --delay"),
    ] {
        let outcome = run("1", &arguments);
        assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been refused");
        outcome.says(words);
    }
    run("1", &["--help"]).succeeds().prints("--requests").prints("--delay");
}
