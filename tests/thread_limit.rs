//! At `max_threads` a green thread that would need one more OS thread waits for one, and goes on when one comes free.
//!
//! What could break it: a worker beyond the limit, a crash at it, or a green thread in the queue for a worker that nobody
//! takes out when one is free again.

mod support;

use greenbridge::channel::{Receiver, bounded};
use greenbridge::{Builder, Start, call, run, spawn};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use support::{Callback, child, for_c, start_with, thread_count, wait_until, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn thread_limit_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn thread_limit_sleep_until(flag: *const AtomicI32) -> c_long;
}

#[test]
fn two_hundred_waiting_callbacks_take_turns_on_few_threads() {
    child("callbacks_wait_on_one_thread").succeeds();
    child("callbacks_wait_on_two_threads").succeeds();
    child("callbacks_wait_on_three_threads_of_two_processors").succeeds();
    child("callbacks_wait_on_four_threads_of_four_processors").succeeds();
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_on_one_thread() {
    callbacks_wait(1, 1);
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_on_two_threads() {
    callbacks_wait(1, 2);
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_on_three_threads_of_two_processors() {
    callbacks_wait(2, 3);
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_on_four_threads_of_four_processors() {
    callbacks_wait(4, 4);
}

/// How many callbacks wait.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Each value sets one callback free, as soon as there are as many as the threads can keep. So its OS thread must go to
/// another one, until there are no more.
fn callbacks_wait(processors: usize, max_threads: usize) {
    const CALLS: usize = 200;
    let before = thread_count();
    start_with(Builder::new().processors(processors).max_threads(max_threads));
    run(move || {
        let (values, received) = bounded(0);
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let received = received.clone();
                spawn(move || {
                    let (f, context) = for_c(receive, &received);
                    // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                    call(|| unsafe { thread_limit_enter(f, context, 0) })
                })
            })
            .collect();
        for left in (1..=CALLS).rev() {
            yield_until(&WAITING, left.min(max_threads));
            let waiting = WAITING.fetch_sub(1, Ordering::AcqRel);
            assert!(waiting <= max_threads, "{waiting} callbacks wait on {max_threads} OS threads");
            values.send(3).expect("the callbacks wait");
            let own = thread_count() - before;
            assert!(own <= max_threads + 1, "{own} OS threads with a limit of {max_threads} and a monitor");
        }
        let sum: c_long = calls.into_iter().map(|call| call.join().expect("no panic")).sum();
        assert_eq!(sum, 3 * CALLS as c_long);
    });
}

#[greenbridge::export]
extern "C" fn receive(received: &Receiver<c_long>, _: c_long) -> c_long {
    WAITING.fetch_add(1, Ordering::AcqRel);
    received.recv().expect("a value for each")
}

#[test]
fn work_from_outside_wakes_a_worker_at_the_limit() {
    child("os_threads_bring_work_at_the_limit").succeeds();
}

#[test]
#[ignore = "child process"]
fn os_threads_bring_work_at_the_limit() {
    start_with(Builder::new().processors(4).max_threads(4));
    let (values, received) = bounded(0);
    // Three of the four workers keep a resident, and sleep as spares or beside a processor.
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let received = received.clone();
            spawn(move || {
                let (f, context) = for_c(receive, &received);
                // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                call(|| unsafe { thread_limit_enter(f, context, 0) })
            })
        })
        .collect();
    wait_until(|| WAITING.load(Ordering::Acquire) == 3);
    for round in 0..2000_u64 {
        let threads = [0, 1, 2].map(|n| spawn(move || n + round));
        let sum: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, 3 + 3 * round);
    }
    for value in 1..=3 {
        values.send(value).expect("the callbacks wait");
    }
    assert_eq!(calls.into_iter().map(|call| call.join().expect("no panic")).sum::<c_long>(), 6);
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
