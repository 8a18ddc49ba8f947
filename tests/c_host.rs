//! The example `c_host` builds by its Makefile, and a host in C gets the right keys from its own threads, whether it loads the service or has it
//! inside; each key is fetched once.
//!
//! What could break it: a library that needs to be initialised, a private library that pkg-config does not name, or a callback on a thread of
//! C's that cannot wait.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use support::{Process, passed_over, succeed};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/c_host");

/// The folder with what the Makefile makes; `None` if a tool is missing.
static BUILT: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    for tool in ["make", "pkg-config"] {
        if Command::new(tool).arg("--version").output().is_err() {
            passed_over(tool, "the example c_host builds");
            return None;
        }
    }
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_host_example");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut make = Command::new("make");
    make.args(["--directory", EXAMPLE, "--silent", "CARGO_FLAGS=--offline --quiet"]);
    make.arg(format!("BUILD={}", build.display())).arg(format!("CARGO={cargo}")).env_remove("CARGO_TARGET_DIR");
    // What `cargo test` sets for its own build is none of this one's.
    make.env_remove("MAKEFLAGS").env_remove("CARGO_MAKEFLAGS");
    succeed(&mut make);
    Some(build)
});

const LINE: &str = "400 handshakes by 8 threads of the host, 0 failed, 10 keys fetched\n";

#[test]
fn host_that_loads_the_service_gets_every_key() {
    let Some(built) = &*BUILT else { return };
    let library = built.join("lib/libkey_service.so");
    let outcome = Process::program(&built.join("host")).arg(library.to_str().expect("UTF-8")).run();
    assert_eq!(outcome.succeeds().stdout, LINE);
}

#[test]
fn host_that_is_linked_with_the_service_gets_every_key() {
    let Some(built) = &*BUILT else { return };
    let outcome = Process::program(&built.join("host_linked")).run();
    assert_eq!(outcome.succeeds().stdout, LINE);
}

#[test]
fn comparison_needs_few_os_threads_for_green_threads() {
    let Some(built) = &*BUILT else { return };
    let outcome = Process::program(&built.join("host_linked")).arg("-").arg("compare").run();
    let lines: Vec<_> = outcome.succeeds().stdout.lines().collect();
    assert_eq!(lines.len(), 6, "{outcome}should have printed six lines");
    assert_eq!(lines[1], "1000 keys at once, each after 100 ms");
    let [green, pool, each] =
        [(3, "green threads"), (4, "512 OS threads"), (5, "a thread each")].map(|(at, way)| os_threads(lines[at], way));
    assert!(green < pool && green < each, "{outcome}should have needed fewer OS threads for green threads");
}

/// The number of OS threads in the line of `way`, behind three times of the form `123 ms`.
fn os_threads(line: &str, way: &str) -> u32 {
    let figures = line.strip_prefix(way).expect(line);
    figures.split_whitespace().nth(6).expect(line).parse().expect(line)
}

#[test]
fn host_without_the_library_says_what_is_missing() {
    let Some(built) = &*BUILT else { return };
    let outcome = Process::program(&built.join("host")).arg("/nowhere/libkey_service.so").run();
    assert_eq!(outcome.status.code(), Some(1), "{outcome}should have failed");
    outcome.says("/nowhere/libkey_service.so");
}

#[test]
fn service_that_cannot_start_is_an_error_of_each_handshake() {
    let Some(built) = &*BUILT else { return };
    let outcome = Process::program(&built.join("host_linked")).env("GREENBRIDGE_PROCESSORS", "0").run();
    assert_eq!(outcome.status.code(), Some(1), "{outcome}should have failed");
    outcome.prints("400 failed").says("export `key_service_get` returns its fallback").says("GREENBRIDGE_PROCESSORS");
}

#[test]
fn library_exports_its_own_functions_only() {
    let Some(built) = &*BUILT else { return };
    let library = built.join("lib/libkey_service.so");
    let symbols = succeed(Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(&library));
    let exported: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(exported, ["key_service_fetch_many", "key_service_fetched", "key_service_get"]);
}
