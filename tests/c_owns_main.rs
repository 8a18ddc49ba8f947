//! A program in C that has never heard of the runtime loads a library and calls it: from `main`, from its own threads, at
//! its exit, twice, and beside another such library.
//!
//! What could break it: a start that relies on what Rust's `main` sets up, a library that goes away under its own OS
//! threads, or two copies of the runtime that take each other's threads or signals for their own.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use support::{Outcome, Process, build_crate, compile_program};

static HOST: LazyLock<PathBuf> = LazyLock::new(|| compile_program("c_host/main.c"));

static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| build_crate("c_host").join("libc_host.so"));

/// A copy of the file is another library to the loader, with statics of its own.
static OTHER_LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let copy = LIBRARY.with_file_name("libc_host_again.so");
    fs::copy(&*LIBRARY, &copy).expect("the library can be copied");
    copy
});

fn host(scenario: &str, libraries: &[&Path]) -> Outcome {
    let process = Process::program(&HOST).arg(scenario);
    libraries.iter().fold(process, |process, library| process.arg(library.to_str().expect("UTF-8"))).run()
}

#[test]
fn the_first_call_starts_the_runtime_on_whatever_thread_it_comes() {
    for scenario in ["main thread", "pthread first", "all at once"] {
        host(scenario, &[&LIBRARY]).succeeds().says("the number 8");
    }
}

#[test]
fn a_library_that_is_loaded_and_unloaded_again_stays_usable() {
    host("load twice", &[&LIBRARY]).succeeds();
}

#[test]
fn a_hundred_thousand_calls_from_main_come_back() {
    host("many calls", &[&LIBRARY]).succeeds();
}

#[test]
fn a_green_thread_calls_the_host_which_calls_in_again() {
    host("there and back", &[&LIBRARY]).succeeds();
}

#[test]
fn a_stack_overflow_is_reported_without_the_help_of_rusts_main() {
    let child = host("overflow in Rust", &[&LIBRARY]);
    child.aborts().says("'deep diver'").says("overflowed its stack of 256 KiB").says("GREENBRIDGE_STACK_SIZE");
    let child = host("overflow in C", &[&LIBRARY]);
    child.aborts().says("green thread #").says("overflowed its stack of 256 KiB");
}

#[test]
fn an_overflow_of_the_main_thread_is_the_hosts_own() {
    host("overflow in main", &[&LIBRARY]).dies_by(libc::SIGSEGV).does_not_say("overflowed");
}

#[test]
fn two_libraries_each_with_a_runtime_call_each_other() {
    host("two libraries", &[&LIBRARY, &OTHER_LIBRARY]).succeeds();
}

#[test]
fn of_two_runtimes_the_right_one_reports_an_overflow() {
    for scenario in ["two libraries, overflow in the first", "two libraries, overflow in the second"] {
        let child = host(scenario, &[&LIBRARY, &OTHER_LIBRARY]);
        child.aborts().says("'deep diver'").says("overflowed its stack of 256 KiB");
    }
}

#[test]
fn a_call_at_exit_works_or_falls_back_and_the_process_ends() {
    host("call at exit", &[&LIBRARY]).succeeds().says("called at exit");
    host("first call at exit", &[&LIBRARY]).succeeds().says("called at exit");
    host("exit while busy", &[&LIBRARY]).succeeds();
}

#[test]
fn a_forked_child_of_the_host_gets_the_fallback() {
    host("fork", &[&LIBRARY]).succeeds().says("host_sum").says("forked");
}
