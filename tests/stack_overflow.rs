//! A green thread that overflows its stack, in Rust or in C, ends the process with a message that names it, the size of
//! its stack and the knob; any other fault goes to whoever handled it before.
//!
//! What could break it: frames that run on into a neighbour's stack, a handler without a stack of its own, or one that
//! takes every fault for an overflow.

mod support;

use greenbridge::{Start, ThreadBuilder, call, call_on_thread_stack, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::hint::black_box;
use support::{Callback, Outcome, Process, child, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    safe fn stack_overflow_descend(depth: c_long) -> c_long;
    safe fn stack_overflow_descend_in_leaps(depth: c_long) -> c_long;
    fn stack_overflow_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// Runs `body` as a green thread called `deep diver`, among others.
fn deep_diver(body: impl FnOnce() -> c_long + Send + 'static) {
    run(|| {
        for _ in 0..10 {
            spawn(|| {
                loop {
                    yield_now();
                }
            });
        }
        yield_now();
        let diver = ThreadBuilder::new().name("deep diver").spawn(body);
        drop(diver.join());
    });
}

#[track_caller]
fn names_the_culprit(child: &Outcome) {
    child.aborts().says("'deep diver'").says("overflowed its stack of 256 KiB").says("GREENBRIDGE_STACK_SIZE");
}

#[test]
fn an_overflow_in_rust_names_the_green_thread() {
    names_the_culprit(&child("rust_overflows"));
}

#[test]
#[ignore = "child process"]
fn rust_overflows() {
    deep_diver(|| descend(1 << 30));
}

#[inline(never)]
fn descend(depth: c_long) -> c_long {
    let frame = black_box([depth; 16]);
    if depth == 0 { 0 } else { descend(depth - 1) + frame[3] }
}

#[test]
fn an_overflow_in_c_names_the_green_thread() {
    names_the_culprit(&child("c_overflows"));
    names_the_culprit(&child("c_overflows_in_leaps"));
    names_the_culprit(&child("c_overflows_under_a_bare_call"));
}

#[test]
#[ignore = "child process"]
fn c_overflows() {
    deep_diver(|| call(|| stack_overflow_descend(1 << 30)));
}

#[test]
#[ignore = "child process"]
fn c_overflows_in_leaps() {
    deep_diver(|| call(|| stack_overflow_descend_in_leaps(1 << 30)));
}

#[test]
#[ignore = "child process"]
fn c_overflows_under_a_bare_call() {
    deep_diver(|| stack_overflow_descend(1 << 30));
}

#[test]
fn an_overflow_in_a_callback_names_the_green_thread() {
    names_the_culprit(&child("a_callback_overflows"));
}

#[test]
#[ignore = "child process"]
fn a_callback_overflows() {
    deep_diver(|| {
        let (f, context) = for_c(wait_and_descend, &());
        // SAFETY: C calls `f` with a pointer to nothing.
        call(|| unsafe { stack_overflow_enter(f, context, 1 << 30) })
    });
}

#[greenbridge::export]
extern "C" fn wait_and_descend(_: &(), depth: c_long) -> c_long {
    yield_now();
    descend(depth)
}

#[test]
fn the_message_tells_the_size_that_was_set_and_the_number_of_a_nameless_one() {
    let child = Process::child("a_nameless_one_overflows").env("GREENBRIDGE_STACK_SIZE", "64K").run();
    child.aborts().says("green thread #").says("overflowed its stack of 64 KiB");
}

#[test]
#[ignore = "child process"]
fn a_nameless_one_overflows() {
    run(|| drop(spawn(|| descend(1 << 30)).join()));
}

#[test]
fn a_larger_stack_takes_what_overflows_a_smaller_one() {
    Process::child("a_hundred_kibibytes").env("GREENBRIDGE_STACK_SIZE", "64K").run().aborts();
    Process::child("a_hundred_kibibytes").env("GREENBRIDGE_STACK_SIZE", "256K").run().succeeds();
}

#[test]
#[ignore = "child process"]
fn a_hundred_kibibytes() {
    run(|| assert_eq!(call(|| stack_overflow_descend_in_leaps(2)), 3));
}

#[test]
fn other_faults_are_left_to_who_handled_them_before() {
    child("a_null_pointer_is_read").dies_by(libc::SIGSEGV).does_not_say("overflowed");
    child("a_null_pointer_is_read_in_a_callback").dies_by(libc::SIGSEGV).does_not_say("overflowed");
    // The standard library's own report, for a thread that it started.
    child("an_os_thread_overflows").aborts().says("has overflowed its stack").does_not_say("GREENBRIDGE_STACK_SIZE");
}

#[test]
#[ignore = "child process"]
fn a_null_pointer_is_read() {
    deep_diver(read_null);
}

fn read_null() -> c_long {
    let nowhere: *const c_long = black_box(std::ptr::without_provenance(8));
    // SAFETY: none, this is the fault.
    unsafe { nowhere.read_volatile() }
}

#[test]
#[ignore = "child process"]
fn a_null_pointer_is_read_in_a_callback() {
    deep_diver(|| {
        let (f, context) = for_c(read_null_in_callback, &());
        // SAFETY: C calls `f` with a pointer to nothing.
        call(|| unsafe { stack_overflow_enter(f, context, 0) })
    });
}

#[greenbridge::export]
extern "C" fn read_null_in_callback(_: &(), _: c_long) -> c_long {
    read_null()
}

#[test]
#[ignore = "child process"]
fn an_os_thread_overflows() {
    support::start();
    descend(1 << 30);
}

#[test]
fn an_overflow_of_the_os_threads_own_stack_is_no_green_threads_fault() {
    child("c_overflows_on_the_thread_stack").does_not_say("'deep diver'");
}

#[test]
#[ignore = "child process"]
fn c_overflows_on_the_thread_stack() {
    deep_diver(|| call_on_thread_stack(|| stack_overflow_descend(1 << 30)));
}
