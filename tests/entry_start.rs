//! A start that is slow and then fails is the same error for every thread that waited for it, whichever of its OS threads the
//! system refuses.
//!
//! What could break it: a waiter that is not woken by a failure, one that tries again with the second half of a runtime, or a
//! first worker that was made before the failure and lets somebody in.

mod support;

use greenbridge::{Builder, Start, spawn};
use std::ffi::{c_long, c_void};
use std::ptr;
use support::{Callback, Process, allow_threads, delay_threads, failed_threads};

// SAFETY: docs/safety.md. No test here touches a thread-local around a wait.
const GREENBRIDGE: Start = unsafe { Start::on_first_entry() }.processors(2).thread_name("lazy");

unsafe extern "C" {
    safe fn entry_start_prepared(
        f: Callback<c_long>,
        threads: c_long,
        prepare: extern "C" fn(),
        expected: c_long,
    ) -> c_long;
}

#[greenbridge::export(fallback = -7)]
extern "C" fn with_fallback(_: *mut c_void, number: c_long) -> c_long {
    spawn(move || number + 1).join().expect("no panic")
}

#[test]
fn a_start_that_is_slow_and_fails_answers_everybody() {
    for name in ["no_thread_is_made", "one_thread_is_made"] {
        let child = Process::child(name).with_interposed_threads().run();
        child.succeeds().says("with_fallback").says("create an OS thread");
        assert_eq!(child.stderr.matches("returns its fallback").count(), 32 + 2, "{child}");
    }
}

fn everybody_is_answered(prepare: extern "C" fn()) {
    assert_eq!(entry_start_prepared(with_fallback, 32, prepare, -7), 32);
    assert_eq!(failed_threads(), 1, "somebody tried again");
    // And it stays so when the system would give threads again.
    allow_threads(None);
    for _ in 0..2 {
        assert_eq!(with_fallback(ptr::null_mut(), 1), -7);
    }
    // SAFETY: docs/safety.md; nothing is started.
    let error = unsafe { Builder::new().start() }.expect_err("it has failed for good").to_string();
    assert!(error.contains("create an OS thread"), "{error}");
}

#[test]
#[ignore = "child process"]
fn no_thread_is_made() {
    extern "C" fn prepare() {
        delay_threads(100);
        allow_threads(Some(0));
    }
    everybody_is_answered(prepare);
}

#[test]
#[ignore = "child process"]
fn one_thread_is_made() {
    extern "C" fn prepare() {
        delay_threads(100);
        allow_threads(Some(1));
    }
    everybody_is_answered(prepare);
}
