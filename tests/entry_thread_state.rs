//! What belongs to an OS thread is C's own business under `call`: signal mask, alternate signal stack, locale and rounding mode are, when a
//! callback returns, as C left them, however long the callback has waited. What C leaves changed when it returns stays with that OS
//! thread.
//!
//! What could break it: another chain of C calls on the same OS thread meanwhile, or a switch that puts something back; and an
//! overflow that finds no stack to be reported on because C has brought its own.

mod support;

use greenbridge::{Builder, Start, ThreadBuilder, call, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::hint::black_box;
use support::{Callback, child, child_on_processors, for_c, run, start_with};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn entry_thread_state_changes(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    safe fn entry_thread_state_keeps_stack(bytes: c_long) -> c_long;
    safe fn entry_thread_state_keeps_rounding(upward: c_long) -> c_long;
    safe fn entry_thread_state_rounds_upward() -> c_long;
}

#[test]
fn c_finds_its_os_thread_as_it_left_it_when_a_callback_returns() {
    child_on_processors("callbacks_wait_while_c_has_changed_its_thread", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_while_c_has_changed_its_thread() {
    run(|| {
        let threads: Vec<_> = (0..16)
            .map(|number| {
                spawn(move || {
                    for _ in 0..50 {
                        let (f, context) = for_c(wait, &());
                        // SAFETY: C calls `f` with a pointer to nothing.
                        let wrong = call(|| unsafe { entry_thread_state_changes(f, context, number) });
                        assert_eq!(wrong, 0, "mask 1, locale 2, rounding 4, stack 8");
                        yield_now();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

#[greenbridge::export]
extern "C" fn wait(_: &(), number: c_long) -> c_long {
    for _ in 0..3 {
        yield_now();
    }
    spawn(move || number).join().expect("no panic")
}

#[test]
fn what_c_leaves_behind_stays_with_the_os_thread() {
    child("c_leaves_its_rounding_mode_behind").succeeds();
}

#[test]
#[ignore = "child process"]
fn c_leaves_its_rounding_mode_behind() {
    start_with(Builder::new().processors(1));
    greenbridge::run(|| {
        // One processor, and bare calls, which never cost it: all on the same OS thread.
        assert_eq!(entry_thread_state_keeps_rounding(1), 0);
        assert_eq!(spawn(|| entry_thread_state_rounds_upward()).join().expect("no panic"), 1);
        assert_eq!(entry_thread_state_keeps_rounding(0), 0);
    });
    // It is the worker's alone.
    assert_eq!(entry_thread_state_rounds_upward(), 0);
}

#[inline(never)]
fn descend(depth: c_long) -> c_long {
    let frame = black_box([depth; 16]);
    if depth == 0 { 0 } else { descend(depth - 1) + frame[3] }
}

/// Overflows on a worker on which C has just put a stack of `bytes` for signals.
fn overflow_after(bytes: c_long) {
    start_with(Builder::new().processors(1));
    let diver = ThreadBuilder::new().name("deep diver").spawn(move || {
        // Bare, so that it goes on here.
        assert_eq!(entry_thread_state_keeps_stack(bytes), 0);
        descend(1 << 30)
    });
    drop(diver.join());
}

#[test]
fn an_overflow_is_reported_on_an_alternate_stack_of_c() {
    for name in ["c_brings_a_large_stack_for_signals", "c_brings_a_small_stack_for_signals"] {
        child(name).aborts().says("'deep diver'").says("overflowed its stack");
    }
}

#[test]
#[ignore = "child process"]
fn c_brings_a_large_stack_for_signals() {
    overflow_after(256 << 10);
}

#[test]
#[ignore = "child process"]
fn c_brings_a_small_stack_for_signals() {
    overflow_after(16 << 10);
}

#[test]
fn an_overflow_where_c_has_switched_the_alternate_stack_off_still_ends_the_process() {
    child("c_takes_the_stack_for_signals_away").dies_by(libc::SIGSEGV).does_not_say("overflowed");
}

#[test]
#[ignore = "child process"]
fn c_takes_the_stack_for_signals_away() {
    overflow_after(0);
}
