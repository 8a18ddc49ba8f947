//! A start that fails is the same error for every entry from C, then and later: the declared fallback, or an abort with a
//! message that names the function and the cause.
//!
//! The runtime is started here by the first entry. What could break it: an entry that waits for a start that has failed,
//! one that gets through, or one that tries once more and so lets some in and others not.

mod support;

use greenbridge::{Builder, Start, spawn};
use std::ffi::{c_long, c_void};
use std::panic::catch_unwind;
use support::{Callback, Process, panic_text};

// SAFETY: docs/safety.md. No test here touches a thread-local around a wait.
const GREENBRIDGE: Start = unsafe { Start::on_first_entry() }.thread_name("lazy");

unsafe extern "C" {
    safe fn start_failure_enter_at_once(f: Callback<c_long>, threads: c_long, expected: c_long) -> c_long;
}

#[greenbridge::export(fallback = -7)]
extern "C" fn with_fallback(_: *mut c_void, number: c_long) -> c_long {
    spawn(move || number + 1).join().expect("no panic")
}

#[greenbridge::export]
extern "C" fn without_fallback(_: *mut c_void, number: c_long) -> c_long {
    spawn(move || number + 1).join().expect("no panic")
}

fn child_with_bad_setting(name: &str) -> Process {
    Process::child(name).env("GREENBRIDGE_PROCESSORS", "none")
}

#[test]
fn a_good_start_lets_everybody_in() {
    Process::child("everybody_gets_in").run().succeeds();
}

#[test]
#[ignore = "child process"]
fn everybody_gets_in() {
    assert_eq!(start_failure_enter_at_once(without_fallback, 32, 2), 32);
    assert_eq!(with_fallback(std::ptr::null_mut(), 1), 2);
    // SAFETY: docs/safety.md.
    let second = unsafe { Builder::new().start() }.expect_err("the first entry has started it");
    assert!(second.to_string().contains("already"), "{second}");
}

#[test]
fn everybody_gets_the_declared_fallback_and_a_message() {
    let child = child_with_bad_setting("everybody_falls_back").run();
    child.succeeds().says("with_fallback").says("GREENBRIDGE_PROCESSORS is \"none\"").says("from 1 to 1024");
}

#[test]
#[ignore = "child process"]
fn everybody_falls_back() {
    for _ in 0..3 {
        assert_eq!(start_failure_enter_at_once(with_fallback, 16, -7), 16);
    }
    assert_eq!(with_fallback(std::ptr::null_mut(), 1), -7);
    // Rust gets the same error, and not a second try.
    // SAFETY: docs/safety.md.
    let error = unsafe { Builder::new().processors(1).start() }.expect_err("it has failed for good").to_string();
    assert!(error.contains("GREENBRIDGE_PROCESSORS is \"none\""), "{error}");
    let refused = catch_unwind(|| drop(spawn(|| ()))).expect_err("nothing runs");
    assert!(panic_text(&*refused).contains("start"));
}

#[test]
fn without_a_declared_fallback_the_process_aborts_and_says_why() {
    let child = child_with_bad_setting("an_entry_without_a_fallback").run();
    child.aborts().says("without_fallback").says("GREENBRIDGE_PROCESSORS is \"none\"").says("fallback");
    let child = child_with_bad_setting("entries_without_a_fallback").run();
    child.aborts().says("without_fallback").says("GREENBRIDGE_PROCESSORS is \"none\"");
}

#[test]
#[ignore = "child process"]
fn an_entry_without_a_fallback() {
    assert_eq!(with_fallback(std::ptr::null_mut(), 1), -7);
    without_fallback(std::ptr::null_mut(), 1);
    unreachable!("the process lives on");
}

#[test]
#[ignore = "child process"]
fn entries_without_a_fallback() {
    start_failure_enter_at_once(without_fallback, 8, 0);
    unreachable!("the process lives on");
}
