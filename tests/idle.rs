//! An idle runtime makes no system call at all: no OS thread of it runs, whatever the runtime has done before and whoever
//! still waits.
//!
//! What could break it: a poll, a tick, a sleep that ends to look around, or a monitor that never comes to rest.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{Builder, Start, call, call_blocking, park, pin, run, spawn};
use std::ffi::{c_long, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Callback, child, for_c, nobody_runs_for, start, start_with, thread_count, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn idle_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    safe fn idle_sleep(milliseconds: c_long) -> c_long;
}

#[test]
fn a_runtime_that_was_started_does_nothing() {
    child("nothing_after_the_start").succeeds();
}

#[test]
#[ignore = "child process"]
fn nothing_after_the_start() {
    start();
    nobody_runs_for(Duration::from_secs(3));
}

#[test]
fn a_runtime_that_has_worked_does_nothing() {
    child("nothing_after_work").succeeds();
}

#[test]
#[ignore = "child process"]
fn nothing_after_work() {
    start_with(Builder::new().processors(4).spare_idle(Duration::from_millis(100)));
    let before = thread_count();
    run(|| {
        let threads: Vec<_> = (0..100).map(|n| spawn(move || call_blocking(|| idle_sleep(n % 10)))).collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
    nobody_runs_for(Duration::from_secs(3));
    // The spare workers have ended.
    assert!(thread_count() <= before + 4, "{} OS threads are left of {before} and four processors", thread_count());
    // It can still be woken.
    assert_eq!(spawn(|| 5).join().expect("no panic"), 5);
}

static WAITING: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_runtime_in_which_everybody_waits_does_nothing() {
    child("nothing_while_everybody_waits").succeeds();
}

#[test]
#[ignore = "child process"]
fn nothing_while_everybody_waits() {
    start_with(Builder::new().processors(2).spare_idle(Duration::from_millis(100)));
    let (values, received) = bounded::<c_long>(0);
    let parked: Vec<_> = (0..1000)
        .map(|_| {
            spawn(|| {
                WAITING.fetch_add(1, Ordering::AcqRel);
                park();
            })
        })
        .collect();
    let waiting: Vec<_> = (0..30)
        .map(|n| {
            let received = received.clone();
            spawn(move || match n % 3 {
                0 => receive(&received, 0),
                1 => {
                    let _pinned = pin();
                    receive(&received, 0)
                }
                _ => {
                    let (f, context) = for_c(receive_in_callback, &received);
                    // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                    call(|| unsafe { idle_enter(f, context, 0) })
                }
            })
        })
        .collect();
    run(|| yield_until(&WAITING, 1030));
    nobody_runs_for(Duration::from_secs(3));
    for value in 0..30 {
        values.send(value).expect("they wait");
    }
    for thread in parked {
        thread.thread().unpark();
        thread.join().expect("no panic");
    }
    assert_eq!(waiting.into_iter().map(|thread| thread.join().expect("no panic")).sum::<c_long>(), (0..30).sum());
}

fn receive(received: &greenbridge::channel::Receiver<c_long>, _: c_long) -> c_long {
    WAITING.fetch_add(1, Ordering::AcqRel);
    received.recv().expect("a value for each")
}

#[greenbridge::export]
extern "C" fn receive_in_callback(received: &greenbridge::channel::Receiver<c_long>, number: c_long) -> c_long {
    receive(received, number)
}

#[test]
fn a_runtime_whose_only_work_is_long_in_c_does_nothing() {
    child("nothing_beside_a_long_call").succeeds();
}

#[test]
#[ignore = "child process"]
fn nothing_beside_a_long_call() {
    start_with(Builder::new().processors(2).spare_idle(Duration::from_millis(100)));
    let sleepers: Vec<_> = (0..3).map(|_| spawn(|| call(|| idle_sleep(10_000)))).collect();
    nobody_runs_for(Duration::from_secs(3));
    drop(sleepers);
}
