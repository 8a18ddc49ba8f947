//! Signals that come while C calls in, from the very first entry on, disturb nothing. An entry from a signal handler is C's risk, as any
//! function is there that is not async-signal-safe; what the runtime can tell is an error, and not a start.
//!
//! What could break it: a signal that interrupts the start or a wait and makes it come back too early, or not at all; a runtime that
//! is started on an alternate signal stack, among whatever locks the handler has interrupted.

mod support;

use greenbridge::{Start, call, call_blocking, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::panic::catch_unwind;
use std::ptr;
use support::{Callback, child, panic_text};

// SAFETY: docs/safety.md. No test here touches a thread-local around a wait.
const GREENBRIDGE: Start = unsafe { Start::on_first_entry() }.processors(2).thread_name("lazy");

unsafe extern "C" {
    fn entry_signal_storm(f: Callback<c_long>, context: *mut c_void, times: c_long) -> c_long;
    safe fn entry_signal_enter(f: Callback<c_long>, on_alternate_stack: c_long) -> c_long;
}

#[greenbridge::export(fallback = -1)]
extern "C" fn wait(_: *mut c_void, number: c_long) -> c_long {
    let green = spawn(move || {
        yield_now();
        number
    });
    green.join().expect("no panic")
}

#[greenbridge::export(fallback = -1)]
extern "C" fn double(_: *mut c_void, number: c_long) -> c_long {
    2 * number
}

#[test]
fn a_storm_of_signals_from_the_first_entry_on_disturbs_nothing() {
    for _ in 0..5 {
        child("c_threads_enter_in_a_storm_of_signals").succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn c_threads_enter_in_a_storm_of_signals() {
    // SAFETY: C calls `wait` with the null pointer.
    let sum = unsafe { entry_signal_storm(wait, ptr::null_mut(), 200) };
    assert_eq!(sum, 200 * (0..8).sum::<c_long>());
    assert_eq!(run(|| 5), 5);
}

#[test]
fn a_change_of_user_reaches_all_os_threads_and_holds_nobody_up() {
    child("c_sets_the_user_again_and_again").succeeds();
}

#[test]
#[ignore = "child process"]
fn c_sets_the_user_again_and_again() {
    assert_eq!(wait(ptr::null_mut(), 7), 7);
    // The C library interrupts every OS thread for it, those that sleep and those that are just made, and waits for them all.
    let setters: Vec<_> = (0..4)
        .map(|_| {
            spawn(|| {
                for _ in 0..50 {
                    // SAFETY: -1 leaves each as it is.
                    assert_eq!(call(|| unsafe { libc::setresuid(u32::MAX, u32::MAX, u32::MAX) }), 0);
                    call_blocking(|| wait(ptr::null_mut(), 1));
                }
            })
        })
        .collect();
    for setter in setters {
        setter.join().expect("no panic");
    }
}

#[test]
fn a_handler_on_an_alternate_stack_starts_nothing() {
    child("a_handler_makes_the_first_entry").succeeds().says("double").says("from a signal handler");
}

#[test]
#[ignore = "child process"]
fn a_handler_makes_the_first_entry() {
    assert_eq!(entry_signal_enter(double, 1), -1);
    // It was no start that failed: an entry from elsewhere starts.
    assert_eq!(wait(ptr::null_mut(), 7), 7);
}

#[test]
fn an_entry_that_needs_no_service_works_in_a_handler() {
    child("handlers_enter").succeeds();
}

#[test]
#[ignore = "child process"]
fn handlers_enter() {
    assert_eq!(wait(ptr::null_mut(), 7), 7);
    for on_alternate_stack in [0, 1] {
        assert_eq!(entry_signal_enter(double, on_alternate_stack), 10);
        assert_eq!(run(move || call(|| entry_signal_enter(double, on_alternate_stack))), 10);
    }
}

#[greenbridge::export(fallback = -1)]
extern "C" fn let_others_go_first(_: *mut c_void, number: c_long) -> c_long {
    yield_now();
    number
}

#[test]
fn a_callback_that_would_wait_on_an_alternate_stack_is_refused() {
    child("handlers_wait").succeeds().says("from a signal handler").says("wait");
}

#[test]
#[ignore = "child process"]
fn handlers_wait() {
    assert_eq!(wait(ptr::null_mut(), 7), 7);
    run(|| {
        for _ in 0..3 {
            // The panic is kept for the call, as that of any callback.
            let refused =
                catch_unwind(|| call(|| entry_signal_enter(let_others_go_first, 1))).expect_err("it cannot wait");
            assert!(panic_text(&*refused).contains("from a signal handler"), "{}", panic_text(&*refused));
            // The green thread may wait again.
            yield_now();
            assert_eq!(spawn(|| 5).join().expect("no panic"), 5);
        }
        // On the green thread's own stack it is a callback of the C that was interrupted.
        assert_eq!(call(|| entry_signal_enter(let_others_go_first, 0)), 5);
    });
}
