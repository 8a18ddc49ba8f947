//! At `max_threads` a green thread that would need one more OS thread waits for one, and goes on when one comes free.
//!
//! What could break it: a worker beyond the limit, a crash at it, or a green thread in the queue for a worker that nobody
//! takes out when one is free again.

mod support;

use greenbridge::channel::{Receiver, bounded};
use greenbridge::{Builder, Start, call, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use support::{Callback, child, for_c, start_with, thread_count};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn thread_limit_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn thread_limit_sleep_until(flag: *const AtomicI32) -> c_long;
}

#[test]
fn eight_waiting_callbacks_take_turns_on_two_threads() {
    child("eight_callbacks_wait_with_two_threads").succeeds();
}

#[test]
#[ignore = "child process"]
fn eight_callbacks_wait_with_two_threads() {
    callbacks_wait(1, 2);
}

#[test]
fn eight_waiting_callbacks_take_turns_on_three_threads_of_two_processors() {
    child("eight_callbacks_wait_with_three_threads").succeeds();
}

#[test]
#[ignore = "child process"]
fn eight_callbacks_wait_with_three_threads() {
    callbacks_wait(2, 3);
}

/// One value at a time sets one of the callbacks free, so that it leaves its OS thread to another one.
fn callbacks_wait(processors: usize, max_threads: usize) {
    start_with(Builder::new().processors(processors).max_threads(max_threads));
    let most = run(|| {
        let (values, received) = bounded(0);
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let received = received.clone();
                spawn(move || {
                    for _ in 0..25 {
                        let (f, context) = for_c(receive, &received);
                        // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                        assert_eq!(call(|| unsafe { thread_limit_enter(f, context, 0) }), 3);
                        yield_now();
                    }
                })
            })
            .collect();
        let most = Arc::new(AtomicUsize::new(0));
        for _ in 0..8 * 25 {
            values.send(3).expect("the callbacks wait");
            most.fetch_max(thread_count(), Ordering::Relaxed);
        }
        for call in calls {
            call.join().expect("no panic");
        }
        most.load(Ordering::Relaxed)
    });
    // The workers, the monitor, and the thread that called `run`.
    assert!(most <= max_threads + 2, "{most} OS threads with a limit of {max_threads} workers");
}

#[greenbridge::export]
extern "C" fn receive(received: &Receiver<c_long>, _: c_long) -> c_long {
    received.recv().expect("a value for each")
}

#[test]
fn with_no_thread_to_spare_c_calls_run_one_after_the_other() {
    child("calls_with_as_many_threads_as_processors").succeeds();
}

#[test]
#[ignore = "child process"]
fn calls_with_as_many_threads_as_processors() {
    start_with(Builder::new().processors(1).max_threads(1));
    run(|| {
        let (values, received) = bounded(1);
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let received = received.clone();
                spawn(move || {
                    let (f, context) = for_c(receive, &received);
                    // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                    call(|| unsafe { thread_limit_enter(f, context, 0) })
                })
            })
            .collect();
        for _ in 0..8 {
            values.send(4).expect("the callbacks wait");
        }
        assert_eq!(calls.into_iter().map(|call| call.join().expect("no panic")).sum::<c_long>(), 32);
    });
}

#[test]
fn at_the_limit_a_processor_waits_for_c_to_return() {
    child("c_sleeps_on_every_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn c_sleeps_on_every_thread() {
    start_with(Builder::new().processors(2).max_threads(2));
    let flag = Arc::new(AtomicI32::new(0));
    let in_c: Vec<_> = (0..6)
        .map(|_| {
            let flag = Arc::clone(&flag);
            // SAFETY: C only reads the flag, and returns while it is borrowed.
            spawn(move || call(|| unsafe { thread_limit_sleep_until(&*flag) }))
        })
        .collect();
    let other = spawn(|| 5);
    // Both workers are in C, or will be: only this OS thread can set the flag.
    flag.store(1, Ordering::Release);
    assert_eq!(in_c.into_iter().map(|thread| thread.join().expect("no panic")).sum::<c_long>(), 6);
    assert_eq!(other.join().expect("no panic"), 5);
}
