//! A processor that is handed on goes to a worker that keeps only interleaved calls before an OS thread is made for it: else thousands of
//! such calls, which are handed on now and then, would in the end be spread over hundreds of OS threads.
//!
//! What could break it: a choice of worker that looks for one without residents alone.

mod support;

use greenbridge::channel::{Receiver, bounded};
use greenbridge::{Builder, Start, call_blocking, call_interleaved, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Callback, child, for_c, start_with, thread_count, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn hosts_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    safe fn hosts_sleep(microseconds: c_long);
}

static WAITING: AtomicUsize = AtomicUsize::new(0);

#[greenbridge::export]
extern "C" fn wait_for_one(received: &Receiver<c_long>, _: c_long) -> c_long {
    WAITING.fetch_add(1, Ordering::AcqRel);
    received.recv().expect("one is sent for each")
}

#[test]
fn hand_offs_among_interleaved_calls_take_no_new_os_threads() {
    child("rounds_of_waiting_calls_and_hand_offs").succeeds();
}

const ROUNDS: usize = 50;
const CALLS: usize = 10;

#[test]
#[ignore = "child process"]
fn rounds_of_waiting_calls_and_hand_offs() {
    start_with(Builder::new().processors(1));
    let before = thread_count();
    let (values, received) = bounded::<c_long>(0);
    let sum = run(move || {
        let mut calls = Vec::new();
        for round in 1..=ROUNDS {
            // They become residents of the worker that has the processor now.
            calls.extend((0..CALLS).map(|_| {
                let received = received.clone();
                spawn(move || {
                    let (f, context) = for_c(wait_for_one, &received);
                    // SAFETY: C keeps nothing but its own frame, and returns while `received` is borrowed.
                    unsafe { call_interleaved(|| hosts_enter(f, context, 0)) }
                })
            }));
            yield_until(&WAITING, round * CALLS);
            // This one hands the processor on, and somebody waits for it: the loop.
            let hands_on = spawn(|| call_blocking(|| hosts_sleep(1_000)));
            while !hands_on.is_finished() {
                yield_now();
            }
        }
        for value in 0..calls.len() as c_long {
            values.send(value).expect("they wait");
        }
        calls.into_iter().map(|call| call.join().expect("no panic")).sum::<c_long>()
    });
    let all = (ROUNDS * CALLS) as c_long;
    assert_eq!(sum, all * (all - 1) / 2);
    let made = thread_count() - before;
    assert!(made < ROUNDS / 2, "{made} OS threads were made for {ROUNDS} hand-offs");
}
