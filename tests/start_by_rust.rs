//! Where the program starts the runtime, an entry from C that comes too early does not run: it gets its declared fallback,
//! or an abort that says what to do. The start still works afterwards; one that failed stays failed.
//!
//! What could break it: an early entry that decides the gate for everybody, or one that waits for a start that nobody
//! makes.

mod support;

use greenbridge::{Builder, Start, spawn};
use std::ffi::{c_long, c_void};
use support::{Process, child, start};

const GREENBRIDGE: Start = Start::by_rust();

// The entry stands for C: what it calls is the very function that C would call.
type Entry = extern "C" fn(*mut c_void, c_long) -> c_long;

fn enter(entry: Entry) -> c_long {
    entry(std::ptr::null_mut(), 1)
}

#[greenbridge::export(fallback = -7)]
extern "C" fn with_fallback(_: *mut c_void, number: c_long) -> c_long {
    spawn(move || number + 1).join().expect("no panic")
}

#[greenbridge::export]
extern "C" fn without_fallback(_: *mut c_void, number: c_long) -> c_long {
    spawn(move || number + 1).join().expect("no panic")
}

#[test]
fn an_early_entry_gets_its_fallback_and_the_start_still_works() {
    let child = child("an_early_entry_and_then_the_start");
    child.succeeds().says("with_fallback").says("before Rust had started it").says("Start::on_first_entry");
}

#[test]
#[ignore = "child process"]
fn an_early_entry_and_then_the_start() {
    for _ in 0..3 {
        assert_eq!(enter(with_fallback), -7);
        assert_eq!(std::thread::spawn(|| enter(with_fallback)).join().expect("no panic"), -7);
    }
    start();
    assert_eq!(enter(with_fallback), 2);
    assert_eq!(enter(without_fallback), 2);
}

#[test]
fn an_early_entry_without_a_fallback_aborts_and_says_what_to_do() {
    let child = child("an_early_entry");
    child.aborts().says("without_fallback").says("Builder::start").says("Start::on_first_entry");
}

#[test]
#[ignore = "child process"]
fn an_early_entry() {
    enter(without_fallback);
    unreachable!("the process lives on");
}

#[test]
fn after_a_start_that_failed_every_entry_fails_with_its_error() {
    let bad = |name| Process::child(name).env("GREENBRIDGE_STACK_SIZE", "a lot").run();
    bad("entries_after_a_failed_start").succeeds().says("GREENBRIDGE_STACK_SIZE is \"a lot\"").says("with_fallback");
    bad("an_entry_after_a_failed_start").aborts().says("GREENBRIDGE_STACK_SIZE is \"a lot\"").says("without_fallback");
}

#[test]
#[ignore = "child process"]
fn entries_after_a_failed_start() {
    fail_to_start();
    for _ in 0..3 {
        assert_eq!(enter(with_fallback), -7);
    }
    fail_to_start();
    assert_eq!(enter(with_fallback), -7);
}

#[test]
#[ignore = "child process"]
fn an_entry_after_a_failed_start() {
    fail_to_start();
    enter(without_fallback);
    unreachable!("the process lives on");
}

fn fail_to_start() {
    // SAFETY: docs/safety.md; nothing is started.
    let error = unsafe { Builder::new().start() }.expect_err("the stack size is not accepted").to_string();
    assert!(error.contains("GREENBRIDGE_STACK_SIZE is \"a lot\""), "{error}");
}
