//! The first entry from C starts the runtime, however slowly; whoever enters meanwhile waits until it is up, and then sees
//! all that the start has written.
//!
//! What could break it: a second start, a waiter that is let in too early or is not woken, or a start that waits for itself
//! when it calls in.

mod support;

use greenbridge::{Start, current, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use support::{Callback, Process, before_each_thread, child, delay_threads, thread_names, wait_until};

// SAFETY: docs/safety.md. No test here touches a thread-local around a wait.
const GREENBRIDGE: Start = unsafe { Start::on_first_entry() }.thread_name("lazy").processors(2);

unsafe extern "C" {
    safe fn gate_enter_together(f: Callback<c_long>, threads: c_long, times: c_long) -> c_long;
}

/// Uses what the start has made: the queues, the workers, the stacks, the settings.
#[greenbridge::export(fallback = -1_000_000)]
extern "C" fn use_the_runtime(_: *mut c_void, number: c_long) -> c_long {
    let me = current().id();
    let green = spawn(move || {
        yield_now();
        assert_ne!(current().id(), me);
        2 * number
    });
    green.join().expect("no panic") - number
}

#[test]
fn eight_c_threads_that_enter_first_all_find_the_runtime_up() {
    for _ in 0..20 {
        child("eight_threads_enter_first").succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn eight_threads_enter_first() {
    assert_eq!(gate_enter_together(use_the_runtime, 8, 1), (0..8).sum());
    let monitors = || thread_names().iter().filter(|name| *name == "lazy-mon").count();
    // An OS thread names itself, when it has begun to run.
    wait_until(|| monitors() > 0);
    assert_eq!(monitors(), 1, "each start makes a monitor");
}

#[test]
fn eight_c_threads_wait_for_a_slow_start() {
    Process::child("eight_threads_enter_a_slow_start").with_interposed_threads().run().succeeds();
}

#[test]
#[ignore = "child process"]
fn eight_threads_enter_a_slow_start() {
    // Each of the OS threads that are made from now on takes that long, those of C too.
    delay_threads(50);
    assert_eq!(gate_enter_together(use_the_runtime, 8, 3), 3 * (0..8).sum::<c_long>());
    delay_threads(0);
    assert_eq!(gate_enter_together(use_the_runtime, 8, 3), 3 * (0..8).sum::<c_long>());
}

/// What an entry made from within the start has brought.
static ANSWER: AtomicI64 = AtomicI64::new(0);

#[test]
fn an_entry_on_the_very_thread_that_starts_is_an_error_and_the_start_goes_on() {
    let child = Process::child("the_starter_enters").with_interposed_threads().run();
    child.succeeds().says("use_the_runtime").says("the very thread that is starting it");
}

#[test]
#[ignore = "child process"]
fn the_starter_enters() {
    before_each_thread(Some(enter_from_the_start));
    assert_eq!(use_the_runtime(std::ptr::null_mut(), 5), 5);
    assert_eq!(ANSWER.load(Ordering::Acquire), -1_000_000, "the entry did get through");
    assert_eq!(gate_enter_together(use_the_runtime, 4, 1), (0..4).sum());
}

extern "C" fn enter_from_the_start() {
    before_each_thread(None);
    ANSWER.store(use_the_runtime(std::ptr::null_mut(), 1), Ordering::Release);
}

#[test]
fn a_thread_made_by_the_start_that_enters_waits_for_the_start() {
    Process::child("a_thread_of_the_starter_enters").with_interposed_threads().run().succeeds();
}

/// Told when the thread of the starter is about to enter, and when it has its answer.
static STEP: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());

fn step(to: u32) {
    *STEP.0.lock().expect("no panic") = to;
    STEP.1.notify_all();
}

fn wait_for_step(at_least: u32) {
    let mut step = STEP.0.lock().expect("no panic");
    while *step < at_least {
        step = STEP.1.wait(step).expect("no panic");
    }
}

#[test]
#[ignore = "child process"]
fn a_thread_of_the_starter_enters() {
    before_each_thread(Some(start_a_thread_that_enters));
    assert_eq!(use_the_runtime(std::ptr::null_mut(), 5), 5);
    wait_for_step(2);
    assert_eq!(ANSWER.load(Ordering::Acquire), 7);
}

extern "C" fn start_a_thread_that_enters() {
    before_each_thread(None);
    thread::spawn(|| {
        step(1);
        ANSWER.store(use_the_runtime(std::ptr::null_mut(), 7), Ordering::Release);
        step(2);
    });
    // The start goes on when that thread is on its way in; to wait for its answer here would be to wait for oneself.
    wait_for_step(1);
}

#[test]
fn eight_hundred_thousand_entries_all_get_through() {
    child("many_entries").succeeds();
}

#[test]
#[ignore = "child process"]
fn many_entries() {
    assert_eq!(gate_enter_together(count, 8, 100_000), 100_000 * (0..8).sum::<c_long>());
}

#[greenbridge::export]
extern "C" fn count(_: *mut c_void, number: c_long) -> c_long {
    number
}
