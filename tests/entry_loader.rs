//! A library with a runtime may be unloaded before its first use and loaded again; after that it stays, also if it is unloaded by a green
//! thread of its own. Two such libraries leave each other's faults, and those of the host, to whom they belong.
//!
//! What could break it: a handler for forks or faults that points into a library that is gone, or two handlers that pass a fault to each
//! other, or take it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use support::{Outcome, Process, build_crate, compile_program};

static HOST: LazyLock<PathBuf> = LazyLock::new(|| compile_program("c_host/main.c"));

static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| build_crate("c_host").join("libc_host.so"));

/// The same, linked without `-z nodelete`.
static DELETABLE: LazyLock<PathBuf> = LazyLock::new(|| build_crate("c_host_deletable").join("libc_host_deletable.so"));

/// A copy of the file is another library to the loader, with statics of its own.
static OTHER_LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let copy = LIBRARY.with_file_name("libc_host_beside.so");
    fs::copy(&*LIBRARY, &copy).expect("the library can be copied");
    copy
});

fn host(scenario: &str, libraries: &[&Path]) -> Outcome {
    let process = Process::program(&HOST).arg(scenario);
    libraries.iter().fold(process, |process, library| process.arg(library.to_str().expect("UTF-8"))).run()
}

#[test]
fn a_library_that_was_never_used_can_be_unloaded_and_loaded_again() {
    host("unload unused", &[&DELETABLE]).succeeds();
}

#[test]
fn a_library_may_be_unloaded_by_its_own_green_thread() {
    host("unload during a call", &[&LIBRARY]).succeeds();
    // However it was linked: the start keeps it in place.
    host("unload during a call", &[&DELETABLE]).succeeds();
    host("load twice", &[&DELETABLE]).succeeds();
}

#[test]
fn a_fault_beside_two_runtimes_goes_to_whom_it_belongs() {
    let both: [&Path; 2] = [&LIBRARY, &OTHER_LIBRARY];
    host("two libraries, a fault of the host", &both).succeeds();
    host("two libraries, overflow in main", &both).dies_by(libc::SIGSEGV).does_not_say("overflowed");
    host("two libraries, a handler that passes on", &both).aborts().says("'deep diver'").says("overflowed its stack");
}
