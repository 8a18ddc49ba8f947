//! The example `cpp_wrapper`, built as its page says and run: values and exceptions of C++ lambdas come back through `join`,
//! destructors run, and a thousand bodies wait on a few OS threads.
//!
//! What could break it: a green thread that outlives what it was lent, an object that is freed twice or never, an exception that
//! meets Rust.
//!
//! Passed over where there is no compiler for C++, or no `make`.

mod support;

use std::path::Path;
use std::process::Command;
use support::{Process, build_member, cpp_compiler, pass_over};

const EXPECTED: [&str; 6] = [
    "joined: 42",
    "caught: the parcel is lost",
    "three waited for the event",
    "the sum of 1000 messages: 499500",
    "1000 bodies wait, on fewer than 50 OS threads",
    "objects alive: 0",
];

#[test]
fn the_example_runs_and_prints_what_it_says() {
    let Some(compiler) = cpp_compiler() else { return };
    if !Command::new("make").arg("--version").output().is_ok_and(|output| output.status.success()) {
        pass_over("there is no `make` (Debian: make)");
        return;
    }
    let rust = build_member("examples/cpp_wrapper");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/cpp_wrapper");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cpp_wrapper");
    let make = || {
        let make = Process::program(Path::new("make")).arg("-C").arg(folder.to_str().expect("the path is UTF-8"));
        let make = make.arg(&format!("RUST={}", rust.display())).arg(&format!("OUT={}", out.display()));
        make.arg(&format!("CXX={compiler}"))
    };
    for processors in ["1", "2", "8"] {
        let run = make().arg("run").env("GREENBRIDGE_PROCESSORS", processors).run();
        for line in EXPECTED {
            run.succeeds().prints(line);
        }
    }
    // What the page of the example says it prints is what it prints.
    let page = std::fs::read_to_string(folder.join("main.cpp")).expect("the program is there");
    assert!(EXPECTED.iter().all(|line| page.contains(&format!("//     {line}\n"))));
}
