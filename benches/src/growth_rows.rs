//! Does an operation cost more, the more green threads or OS threads there are?
//!
//! Each row measures one operation with 1, 10, 100 and so on, up to a million green threads or a thousand OS threads, times the
//! scale, and prints a line `ROW.NUMBER VALUE ns` for each.
//!
//! | row | one operation |
//! |---|---|
//! | `growth_yield` | a yield, with that many green threads that do nothing else |
//! | `growth_spawn` | one spawned and joined, that many of them spawned before the first is joined |
//! | `growth_wake` | one of that many parked green threads is unparked, counts, and parks again; each is woken before one is woken again |
//! | `growth_sleep` | a sleep of up to 100 ms (of up to a microsecond for each, if that is longer), that many at a time; CPU time of the process |
//! | `growth_foreign` | a callback from one of that many OS threads of C's; CPU time of the process |
//!
//! The switch is the same for all: what grows is what no longer lies in a cache, a stack and a control block for each, and the tree of
//! timers.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- growth_yield`

use crate::c_rows::{bench_add, counted};
use crate::callee::callee_loop;
use crate::command::Settings;
use crate::gauge::cpu_ns;
use crate::measure::put;
use greenbridge::{park, spawn, time, yield_now};
use std::ffi::{c_int, c_long};
use std::iter;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

const GREEN_THREADS: usize = 1_000_000;
const OS_THREADS: usize = 1_000;
/// How often the operation is done with few; with many, ten times each.
const OPERATIONS: usize = 1_000_000;

/// 1, 10, 100 and so on, up to `most` times the scale.
fn numbers(settings: Settings, most: usize) -> impl Iterator<Item = usize> {
    let most = settings.scaled(most);
    iter::successors(Some(1), |number| Some(number * 10)).take_while(move |&number| number <= most)
}

/// How often each of `number` does it.
fn each(settings: Settings, number: usize) -> usize {
    (settings.scaled(OPERATIONS) / number).max(10)
}

/// Prints what one of `operations` took.
fn put_at(row: &str, number: usize, nanoseconds: f64, operations: usize) {
    put(&format!("{row}.{number}"), nanoseconds / operations as f64, "ns");
}

pub(crate) fn growth_yield(settings: Settings) {
    for number in numbers(settings, GREEN_THREADS) {
        let each = each(settings, number);
        let state = Arc::new((AtomicUsize::new(0), OnceLock::new(), AtomicUsize::new(0), OnceLock::new()));
        let threads: Vec<_> = (0..number)
            .map(|_| {
                let state = Arc::clone(&state);
                spawn(move || {
                    let (arrived, start, done, end) = &*state;
                    // The last to come starts the clock: by then all have run, and stand in a queue.
                    if arrived.fetch_add(1, Relaxed) + 1 == number {
                        start.get_or_init(Instant::now);
                    }
                    while start.get().is_none() {
                        yield_now();
                    }
                    for _ in 0..each {
                        yield_now();
                    }
                    if done.fetch_add(1, Relaxed) + 1 == number {
                        end.get_or_init(Instant::now);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic in a row"));
        let (Some(start), Some(end)) = (state.1.get(), state.3.get()) else { panic!("nobody was the last") };
        put_at("growth_yield", number, (*end - *start).as_nanos() as f64, number * each);
    }
}

pub(crate) fn growth_spawn(settings: Settings) {
    for number in numbers(settings, GREEN_THREADS) {
        let batches = (settings.scaled(OPERATIONS) / number).max(1);
        let start = Instant::now();
        let mut sum = 0;
        for _ in 0..batches {
            let threads: Vec<_> = (0..number).map(|_| spawn(|| 1)).collect();
            sum += threads.into_iter().map(|thread| thread.join().expect("no panic in a row")).sum::<usize>();
        }
        assert_eq!(sum, batches * number);
        put_at("growth_spawn", number, start.elapsed().as_nanos() as f64, sum);
    }
}

pub(crate) fn growth_wake(settings: Settings) {
    for number in numbers(settings, GREEN_THREADS) {
        let rounds = each(settings, number);
        let state = Arc::new((AtomicUsize::new(0), AtomicBool::new(false)));
        let threads: Vec<_> = (0..number)
            .map(|_| {
                let state = Arc::clone(&state);
                spawn(move || {
                    let (woken, end) = &*state;
                    while !end.load(Relaxed) {
                        woken.fetch_add(1, Relaxed);
                        park();
                    }
                })
            })
            .collect();
        let (woken, end) = &*state;
        // Their first turn counts as well, so that all are about to park.
        let wait_for = |rounds: usize| {
            while woken.load(Relaxed) < rounds * number {
                yield_now();
            }
        };
        wait_for(1);
        let start = Instant::now();
        for round in 1..=rounds {
            threads.iter().for_each(|thread| thread.thread().unpark());
            wait_for(round + 1);
        }
        let time = start.elapsed();
        end.store(true, Relaxed);
        for thread in threads {
            thread.thread().unpark();
            thread.join().expect("no panic in a row");
        }
        put_at("growth_wake", number, time.as_nanos() as f64, rounds * number);
    }
}

pub(crate) fn growth_sleep(settings: Settings) {
    for number in numbers(settings, GREEN_THREADS) {
        let span = Duration::from_millis(100).max(Duration::from_micros(number as u64));
        let threads: Vec<_> = (0..number)
            .map(|at| {
                spawn(move || {
                    // The first is not measured: it has a stack made.
                    for _ in 0..2 {
                        time::sleep(span.mul_f64((at + 1) as f64 / number as f64));
                    }
                })
            })
            .collect();
        time::sleep(span);
        let cpu = cpu_ns();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic in a row"));
        put_at("growth_sleep", number, (cpu_ns() - cpu) as f64, number);
    }
}

pub(crate) fn growth_foreign(settings: Settings) {
    for number in numbers(settings, OS_THREADS) {
        let each = (settings.scaled(20_000_000) / number).max(1000);
        let (before, start) = (Arc::new(Barrier::new(number + 1)), Arc::new(Barrier::new(number + 1)));
        let threads: Vec<_> = (0..number)
            .map(|at| {
                let (before, start) = (Arc::clone(&before), Arc::clone(&start));
                thread::spawn(move || {
                    let counted_before = counted(at);
                    before.wait();
                    start.wait();
                    // SAFETY: the callback may be called any number of times; this thread alone uses counter `at`.
                    unsafe { callee_loop(bench_add, at as c_int, each as c_long) };
                    assert_eq!(counted(at), counted_before + each as i64);
                })
            })
            .collect();
        before.wait();
        let cpu = cpu_ns();
        start.wait();
        threads.into_iter().for_each(|thread| thread.join().expect("the sums are right"));
        put_at("growth_foreign", number, (cpu_ns() - cpu) as f64, number * each);
    }
}
