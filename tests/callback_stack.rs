//! A callback runs on whatever stack C calls it from: shallow, deep, or one that C has made itself; and panics, too.
//!
//! What could break it: a stack pointer that is remembered from the last callback, or a bound that is checked against the
//! wrong stack.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{Start, call, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Callback, child, child_on_processors, for_c, panic_text, run, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn callback_stack_below(f: Callback<c_long>, context: *mut c_void, number: c_long, bytes: c_long) -> c_long;
    fn callback_stack_on_overlapping_stacks(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

fn below<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long, bytes: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    call(|| unsafe { callback_stack_below(f, context, number, bytes) })
}

#[test]
fn callbacks_come_from_any_depth_and_may_wait_and_panic_there() {
    child_on_processors("callbacks_from_shallow_and_deep_stacks", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn callbacks_from_shallow_and_deep_stacks() {
    run(|| {
        let threads: Vec<_> = (0..8).map(|_| spawn(shallow_deep_shallow)).collect();
        for thread in threads {
            thread.join().expect("no other panic");
        }
    });
}

fn shallow_deep_shallow() {
    for kibibytes in [0, 100, 1, 160, 0, 50, 0] {
        assert_eq!(below(wait, &(), 5, 1024 * kibibytes), 5);
        let panicked = catch_unwind(AssertUnwindSafe(|| below(wait_and_panic, &(), 6, 1024 * kibibytes)));
        assert_eq!(panic_text(&*panicked.expect_err("it panics")), "number 6");
        assert_eq!(below(wait, &(), 7, 1024 * (160 - kibibytes)), 7);
    }
}

#[greenbridge::export]
extern "C" fn wait(_: &(), number: c_long) -> c_long {
    let (value, received) = bounded(0);
    spawn(move || value.send(number));
    yield_now();
    received.recv().expect("it is sent")
}

#[greenbridge::export]
extern "C" fn wait_and_panic(_: &(), number: c_long) -> c_long {
    yield_now();
    panic!("number {number}");
}

#[test]
fn a_callback_may_use_what_is_left_of_the_stack() {
    child("callbacks_use_what_is_left").succeeds();
}

#[test]
#[ignore = "child process"]
fn callbacks_use_what_is_left() {
    // 256 KiB, of which C takes more and more, and the callback all but the rest.
    run(|| {
        for taken in (0..200).step_by(4) {
            assert_eq!(below(use_kibibytes, &(), 220 - taken, 1024 * taken), 0);
        }
    });
}

#[greenbridge::export]
extern "C" fn use_kibibytes(_: &(), kibibytes: c_long) -> c_long {
    descend(kibibytes)
}

#[inline(never)]
fn descend(kibibytes: c_long) -> c_long {
    let frame = std::hint::black_box([1_u8; 900]);
    if kibibytes > 1 { descend(kibibytes - 1) } else { c_long::from(frame[7]) - 1 }
}

#[test]
fn callbacks_come_from_stacks_that_c_has_made() {
    child_on_processors("callbacks_from_stacks_of_c", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn callbacks_from_stacks_of_c() {
    start();
    let from_own_stacks = |f| {
        let (f, context) = for_c(f, &());
        // SAFETY: C calls `f` with a pointer to nothing.
        unsafe { callback_stack_on_overlapping_stacks(f, context, 4) }
    };
    greenbridge::run(move || {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                spawn(move || {
                    for _ in 0..20 {
                        assert_eq!(call(|| from_own_stacks(double)), 24);
                        assert_eq!(call(|| from_own_stacks(wait)), 12);
                        yield_now();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
    assert_eq!(from_own_stacks(double), 24);
    assert_eq!(from_own_stacks(wait), 12);
}

#[greenbridge::export]
extern "C" fn double(_: &(), number: c_long) -> c_long {
    2 * number
}
