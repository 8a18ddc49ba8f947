//! A backtrace that is taken in a callback goes through the frames of C and on to the green thread's closure, also after the callback has
//! waited, and in the report of a panic; on a thread of C's own it goes through the frames of C.
//!
//! What could break it: a stack whose end the unwinder does not find, or a boundary that it does not pass. (Who compiles C without unwind
//! tables gets a backtrace that ends there: gcc makes them on x86-64 and aarch64 unless told otherwise.)

mod support;

use greenbridge::{Start, call, call_interleaved, call_on_thread_stack, run, spawn, yield_now};
use std::backtrace::Backtrace;
use std::ffi::{c_long, c_void};
use std::sync::Mutex;
use support::{Callback, Process, child, for_c, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn entry_backtrace_in_c(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

type Text = Mutex<String>;

#[greenbridge::export]
extern "C" fn take_a_backtrace(text: &Text, number: c_long) -> c_long {
    if number == 1 {
        yield_now();
        spawn(|| ()).join().expect("no panic");
    }
    *text.lock().expect("no panic") = Backtrace::force_capture().to_string();
    number
}

/// Lets C call back, in the way of the caller's; returns the backtrace.
fn through_c(waits: bool, way: impl FnOnce(&mut (dyn FnMut() -> c_long + Send)) -> c_long) -> String {
    let text = Text::default();
    let (f, context) = for_c(take_a_backtrace, &text);
    let context = context.expose_provenance();
    // SAFETY: C hands the pointer on to `f` while `text` is borrowed.
    way(&mut || unsafe {
        entry_backtrace_in_c(f, std::ptr::with_exposed_provenance_mut(context), c_long::from(waits))
    });
    text.into_inner().expect("no panic")
}

/// `names` stand in `backtrace` in this order.
#[track_caller]
fn is_in_order(backtrace: &str, names: &[&str]) {
    let mut rest = backtrace;
    for name in names {
        let Some(at) = rest.find(name) else { panic!("no `{name}` where it should be in\n{backtrace}") };
        rest = &rest[at + name.len()..];
    }
}

const FRAMES: [&str; 3] = ["take_a_backtrace", "entry_backtrace_in_c", "root_of_the_green_thread"];

#[inline(never)]
fn root_of_the_green_thread(waits: bool) -> [String; 3] {
    let backtraces = [
        through_c(waits, |c| call(c)),
        // SAFETY: C keeps nothing for its OS thread.
        through_c(waits, |c| unsafe { call_interleaved(c) }),
        through_c(waits, |c| call_on_thread_stack(c)),
    ];
    std::hint::black_box(backtraces)
}

#[test]
fn a_backtrace_goes_from_the_callback_through_c_to_the_green_thread() {
    child("callbacks_take_backtraces").succeeds();
}

#[test]
#[ignore = "child process"]
fn callbacks_take_backtraces() {
    start();
    for waits in [false, true] {
        for backtrace in run(move || root_of_the_green_thread(waits)) {
            is_in_order(&backtrace, &FRAMES);
        }
    }
}

#[test]
fn a_backtrace_on_a_thread_of_c_goes_through_c() {
    child("a_callback_without_a_green_thread_takes_a_backtrace").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_callback_without_a_green_thread_takes_a_backtrace() {
    start();
    let backtrace = through_c(true, |c| c());
    is_in_order(&backtrace, &FRAMES[..2]);
}

#[test]
fn the_report_of_a_panic_shows_both_sides() {
    let child = Process::child("a_callback_panics").env("RUST_BACKTRACE", "1").run();
    child.succeeds().says("out of a callback");
    is_in_order(&child.stderr, &["panic_in_callback", "entry_backtrace_in_c", "closure_that_panics"]);
}

#[greenbridge::export]
extern "C" fn panic_in_callback(_: &(), _: c_long) -> c_long {
    yield_now();
    panic!("out of a callback");
}

#[inline(never)]
fn closure_that_panics() -> c_long {
    let (f, context) = for_c(panic_in_callback, &());
    // SAFETY: C calls `f` with a pointer to nothing.
    let answer = call(|| unsafe { entry_backtrace_in_c(f, context, 0) });
    std::hint::black_box(answer)
}

#[test]
#[ignore = "child process"]
fn a_callback_panics() {
    start();
    assert!(spawn(closure_that_panics).join().is_err());
}
