//! A bare C call may call back, as long as the callback need not wait; one that would have to wait is an error that names
//! `call`.
//!
//! What could break it: a callback that waits all the same, with frames of C on the stack that nothing pins.

mod support;

use greenbridge::channel::{Receiver, bounded};
use greenbridge::{Start, current, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use support::{Callback, Outcome, child, for_c, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn bare_call_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

fn barely<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    unsafe { bare_call_enter(f, context, number) }
}

#[test]
fn a_callback_that_need_not_wait_runs() {
    child("bare_calls_whose_callbacks_do_not_wait").succeeds();
}

#[test]
#[ignore = "child process"]
fn bare_calls_whose_callbacks_do_not_wait() {
    start();
    run(|| {
        let (values, received) = bounded(1);
        let me = current().id();
        assert_eq!(barely(double, &(), 4), 9);
        for number in 0..1000 {
            values.send(number).expect("there is room");
            // It need not wait: a value is there.
            assert_eq!(barely(receive, &received, 0), number + 1);
            yield_now();
        }
        assert_eq!(barely(spawn_one, &(), 5), 6);
        assert_eq!(barely(yield_in_vain, &(), 5), 6);
        assert_eq!(current().id(), me);
    });
    // On an OS thread nothing is bare: a callback that waits blocks it.
    let (values, received) = bounded(0);
    let sender = spawn(move || values.send(3));
    assert_eq!(barely(receive, &received, 0), 4);
    assert_eq!(sender.join().expect("no panic"), Ok(()));
}

#[greenbridge::export]
extern "C" fn double(_: &(), number: c_long) -> c_long {
    2 * number
}

#[greenbridge::export]
extern "C" fn receive(received: &Receiver<c_long>, _: c_long) -> c_long {
    received.recv().expect("the other side is there")
}

#[greenbridge::export]
extern "C" fn spawn_one(_: &(), number: c_long) -> c_long {
    drop(spawn(|| ()));
    number
}

/// It need not wait either: nobody has to go first.
#[greenbridge::export]
extern "C" fn yield_in_vain(_: &(), number: c_long) -> c_long {
    yield_now();
    number
}

/// Each word that the user of a waiting callback needs.
#[track_caller]
fn explains(child: &Outcome, function: &str) {
    child.says(function).says("call");
}

#[test]
fn a_callback_that_must_wait_aborts_and_names_call() {
    explains(child("a_bare_call_whose_callback_waits").aborts(), "receive");
}

#[test]
#[ignore = "child process"]
fn a_bare_call_whose_callback_waits() {
    start();
    run(|| {
        let (_values, received) = bounded(0);
        barely(receive, &received, 0)
    });
    unreachable!("the process lives on");
}

#[test]
fn with_a_declared_fallback_c_gets_it() {
    explains(child("bare_calls_whose_callbacks_want_to_wait").succeeds(), "receive_or_give_up");
}

#[test]
#[ignore = "child process"]
fn bare_calls_whose_callbacks_want_to_wait() {
    start();
    run(|| {
        let (values, received) = bounded(0);
        assert_eq!(barely(receive_or_give_up, &received, 0), -8);
        assert_eq!(barely(join_or_give_up, &(), 0), -8);
        // Nothing is left behind: neither here nor in the channel that one could not wait for.
        let sender = spawn(move || values.send(5));
        assert_eq!(received.recv(), Ok(5));
        assert_eq!(sender.join().expect("no panic"), Ok(()));
        assert_eq!(barely(double, &(), 4), 9);
    });
}

#[greenbridge::export(fallback = -9)]
extern "C" fn receive_or_give_up(received: &Receiver<c_long>, _: c_long) -> c_long {
    received.recv().expect("the other side is there")
}

#[greenbridge::export(fallback = -9)]
extern "C" fn join_or_give_up(_: &(), _: c_long) -> c_long {
    // It cannot have run yet: this green thread has the only turn of its processor.
    spawn(|| support::yield_until(&NEVER, 1)).join().map_or(0, |()| 0)
}

static NEVER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
