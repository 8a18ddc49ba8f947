//! In a small program the counters are exact: each event counts once, whoever causes it.
//!
//! What could break it: an event that is counted on two paths or on none, an OS thread that adds to what another adds to at the same time,
//! or a state that is read off where it does not show.

mod support;

use greenbridge::metrics::Metrics;
use greenbridge::sync::Notify;
use greenbridge::{Builder, Start, call, call_blocking, channel, export, metrics, pin, run, spawn, time, yield_now};
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;
use support::{child, keep_busy_until, start_with};

const GREENBRIDGE: Start = Start::by_rust();

/// The figures before and after `body`, which runs as a green thread on one processor.
fn around<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> (Metrics, Metrics, T) {
    run(|| {
        let before = metrics();
        let result = body();
        (before, metrics(), result)
    })
}

fn start_one() {
    start_with(Builder::new().processors(1));
}

#[test]
fn green_threads_are_counted_by_state() {
    child("counts_by_state").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_by_state() {
    start_one();
    run(|| {
        let before = metrics();
        assert_eq!((before.spawned, before.finished, before.running), (1, 0, 1));
        let go = Arc::new(Notify::new());
        let threads: Vec<_> = (0..7)
            .map(|_| {
                let go = Arc::clone(&go);
                spawn(move || go.wait())
            })
            .collect();
        let queued = metrics();
        assert_eq!((queued.spawned, queued.ready, queued.running, queued.parked), (8, 7, 1, 0));
        assert_eq!(queued.stacks_in_use, 1, "stacks are attached at the first turn");
        yield_now();
        let parked = metrics();
        assert_eq!((parked.ready, parked.running, parked.parked, parked.in_c), (0, 1, 7, 0));
        assert_eq!((parked.stacks_in_use, parked.residents), (8, 0));
        go.notify_waiters();
        let woken = metrics();
        assert_eq!((woken.ready, woken.parked, woken.wakes_local - parked.wakes_local), (7, 0, 7));
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let after = metrics();
        assert_eq!((after.spawned, after.finished, after.stacks_in_use), (8, 7, 1));
        assert_eq!(after.stacks_cached + after.stacks_in_use, parked.stacks_cached + parked.stacks_in_use);
        assert!(after.stack_address_space >= 8 * after.stack_size);
    });
    assert_eq!(metrics().finished, 8);
}

#[test]
fn turns_of_two_that_yield_to_each_other_are_counted() {
    child("counts_turns").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_turns() {
    start_one();
    let (before, after, ()) = around(|| {
        let yields = || (0..10).for_each(|_| yield_now());
        let (one, other) = (spawn(yields), spawn(yields));
        one.join().expect("no panic");
        other.join().expect("no panic");
    });
    // Eleven each, and two of the one that waits for them.
    assert_eq!(after.turns - before.turns, 24);
    // Alone, a yield does not switch.
    let (before, after, ()) = around(|| (0..10).for_each(|_| yield_now()));
    assert_eq!(after.turns, before.turns);
}

#[test]
fn a_thousand_samples_come_of_64_thousand_times_ready() {
    child("counts_samples").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_samples() {
    start_one();
    let (before, after, ()) = around(|| {
        let (to, from) = channel::bounded::<usize>(1);
        let receiver = spawn(move || from.iter().count());
        (0..64_000).for_each(|n| to.send(n).expect("there is a receiver"));
        drop(to);
        assert_eq!(receiver.join().expect("no panic"), 64_000);
    });
    let latency = after.scheduling_latency.since(&before.scheduling_latency);
    let ready = (after.wakes_local - before.wakes_local) + (after.spawned - before.spawned);
    // Each of the two green threads may be on its way to a sample.
    assert!(latency.count().abs_diff(ready / 64) <= 2, "{} samples of {ready}", latency.count());
    assert!(latency.sum() > Duration::ZERO && latency.quantile(0.5).is_some());
}

/// Waits for a green thread that it spawns.
#[export]
pub extern "C" fn metrics_wait(n: c_int) -> c_int {
    spawn(move || n + 1).join().expect("no panic")
}

/// Does not wait, and uses nothing of the runtime.
#[export]
pub extern "C" fn metrics_add(n: c_int) -> c_int {
    n + 1
}

/// Stands for C.
extern "C" fn three_times(callback: extern "C" fn(c_int) -> c_int) -> c_int {
    (0..3).fold(0, |n, _| callback(n))
}

#[test]
fn calls_and_callbacks_are_counted() {
    child("counts_calls").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_calls() {
    start_one();
    let (before, after, _) = around(|| (0..100).map(|_| call(|| three_times(metrics_add))).sum::<c_int>());
    assert_eq!(after.stays_in_c - before.stays_in_c, 100, "a callback that uses nothing does not leave C");
    assert_eq!(after.callbacks_waited, before.callbacks_waited);

    let (before, after, _) = around(|| (0..10).map(|_| call(|| three_times(metrics_wait))).sum::<c_int>());
    assert_eq!(after.callbacks_waited - before.callbacks_waited, 30);
    assert_eq!(after.wakes_resident - before.wakes_resident, 30);
    assert_eq!(after.spawned - before.spawned, 30);

    let (before, after, ()) = around(|| {
        for _ in 0..5 {
            // SAFETY: it takes a number.
            assert_eq!(call_blocking(|| unsafe { libc::usleep(1) }), 0);
        }
    });
    assert_eq!(after.hand_offs.blocking_calls - before.hand_offs.blocking_calls, 5);
    assert_eq!(after.gate_slow_paths, 0);
}

#[test]
fn a_processor_that_the_monitor_takes_is_counted() {
    child("counts_takes").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_takes() {
    static IS_IN_C: AtomicBool = AtomicBool::new(false);
    static GO_ON: AtomicI32 = AtomicI32::new(0);
    start_one();
    let (before, after, in_c) = around(|| {
        let caller = spawn(|| {
            call(|| {
                IS_IN_C.store(true, Ordering::Release);
                keep_busy_until(|| GO_ON.load(Ordering::Acquire) == 1);
            });
        });
        while !IS_IN_C.load(Ordering::Acquire) {
            yield_now();
        }
        let in_c = metrics();
        GO_ON.store(1, Ordering::Release);
        caller.join().expect("no panic");
        in_c
    });
    // This one could go on because the processor was taken.
    assert_eq!((in_c.in_c, in_c.running, in_c.parked), (1, 1, 0));
    assert_eq!(after.hand_offs.taken - before.hand_offs.taken, 1);
    assert_eq!(after.hand_offs.of_calls() - before.hand_offs.of_calls(), 1);
    assert!(after.threads_started >= 2 && after.threads >= 2);
}

#[test]
fn pins_that_force_a_move_are_counted() {
    child("counts_moves").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_moves() {
    start_one();
    let (before, after, residents) = around(|| {
        let go = Arc::new(Notify::new());
        let pinned = {
            let go = Arc::clone(&go);
            spawn(move || {
                let _pin = pin();
                go.wait();
            })
        };
        // It waits, with its pin, where this one is.
        yield_now();
        let residents = metrics().residents;
        drop(pin());
        go.notify_waiters();
        pinned.join().expect("no panic");
        residents
    });
    assert_eq!(residents, 1);
    assert_eq!(after.hand_offs.moves - before.hand_offs.moves, 1);
}

#[test]
fn timers_and_foreign_threads_are_counted() {
    child("counts_timers_and_foreign_threads").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_timers_and_foreign_threads() {
    start_one();
    let (before, after, ()) = around(|| (0..3).for_each(|_| time::sleep(Duration::from_millis(1))));
    assert_eq!(after.timers_fired - before.timers_fired, 3);

    // What is woken or spawned without a processor goes through the injector.
    let before = metrics();
    let threads: Vec<_> = (0..20).map(|_| spawn(|| ())).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let after = metrics();
    assert_eq!((after.spawned - before.spawned, after.wakes_injected - before.wakes_injected), (20, 20));
    assert_eq!(after.wakes_local, before.wakes_local);
}

/// Called before the runtime is up.
#[export(fallback = -1)]
pub extern "C" fn metrics_too_early(n: c_int) -> c_int {
    n
}

#[test]
fn entries_before_the_start_are_counted() {
    child("counts_entries_before_the_start").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_entries_before_the_start() {
    let early: extern "C" fn(c_int) -> c_int = metrics_too_early;
    assert_eq!((early(1), early(2)), (-1, -1));
    start_one();
    assert_eq!((early(3), metrics().gate_slow_paths), (3, 2));
}

#[test]
fn what_is_stolen_is_counted() {
    child("counts_steals").succeeds();
}

#[test]
#[ignore = "child process"]
fn counts_steals() {
    start_with(Builder::new().processors(2));
    let (before, after, ()) = around(|| {
        // It is queued here, and this turn does not end before it has begun: another processor must have taken it.
        let (to, from) = channel::unbounded();
        let thread = spawn(move || to.send(()).expect("there is a receiver"));
        keep_busy_until(|| !from.is_empty());
        thread.join().expect("no panic");
    });
    assert!(after.steals > before.steals && after.stolen > before.stolen && after.searches > before.searches);
}
