//! The example `tls_echo`: rustls over this library's sockets, unchanged, on one processor and on several, every byte back and every session
//! ended as TLS asks for.

mod support;

use std::path::PathBuf;
use support::{Outcome, Process};

fn run(processors: &str, arguments: &[&str]) -> Outcome {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the test lies in the folder of its profile");
    let example: PathBuf = profile.join("examples/tls_echo");
    assert!(example.exists(), "{} is missing: `cargo test` builds it, `cargo test --test` does not", example.display());
    let process = Process::program(&example).env("GREENBRIDGE_PROCESSORS", processors);
    arguments.iter().fold(process, |process, argument| process.arg(argument)).run()
}

#[test]
fn everything_that_clients_send_comes_back() {
    for processors in ["1", "2", "8"] {
        let outcome = run(processors, &["--clients", "20", "--messages=50"]);
        outcome.succeeds();
        assert_eq!(outcome.stderr, "", "{outcome}should have kept its error stream empty");
        let lines: Vec<_> = outcome.stdout.lines().collect();
        assert_eq!(lines[0], "20 clients, 50 messages each, TLSv1_3", "{outcome}");
        // 20 times the sum of 1 to 50.
        assert!(lines[1].starts_with("1000 messages, 25500 bytes there and back in "), "{outcome}");
    }
}

#[test]
fn one_client_with_messages_larger_than_its_buffer() {
    run("1", &["--clients=1", "--messages=5000"]).succeeds().prints("5000 messages, ");
}

#[test]
fn wrong_flags_are_refused() {
    for (arguments, words) in [
        (vec!["--clients", "0"], "--clients `0` is not accepted: it must be a whole number from 1 to 400"),
        (vec!["--messages"], "--messages needs a value: a whole number from 1 to 100000"),
        (vec!["--bytes", "3"], "unknown flag `--bytes`: accepted are --clients and --messages"),
    ] {
        let outcome = run("1", &arguments);
        assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been refused");
        outcome.says(words);
    }
    run("1", &["--help"]).succeeds().prints("--clients").prints("--messages");
}
