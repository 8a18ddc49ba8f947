//! What does it cost to switch, and to make green threads?
//!
//! | row | one operation |
//! |---|---|
//! | `yield1`, `yield1000` | a yield, with 1 and with 1000 green threads |
//! | `spawn_join` | one green thread spawned and joined, in batches of 1000 |
//! | `skynet` | a tree of green threads, ten children per node, a million leaves; the whole of it, in ms |
//!
//! The floor is a corosensei coroutine on a stack in the cache: 2.6 ns for a switch there and back, 17 ns with 1000 of
//! them, 19 ns for making one and running it to its end. The peers are Go, may and tokio.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- yield1000`

use crate::command::Settings;
use crate::measure::{per_operation, put};
use greenbridge::{JoinHandle, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) fn yield1(settings: Settings) {
    yields(settings, "yield1", 100_000_000, 1);
}

pub(crate) fn yield1000(settings: Settings) {
    yields(settings, "yield1000", 20_000_000, 1000);
}

/// `operations` yields, spread over `threads` green threads.
fn yields(settings: Settings, row: &str, operations: usize, threads: usize) {
    per_operation(settings, row, operations, |n| {
        let each = n / threads;
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                spawn(move || {
                    for _ in 0..each {
                        yield_now();
                    }
                    each
                })
            })
            .collect();
        let expected = each * threads.len();
        assert_eq!(sum(threads), expected);
    });
}

/// Joins all, and adds up what they return.
fn sum(threads: Vec<JoinHandle<usize>>) -> usize {
    threads.into_iter().map(|thread| thread.join().expect("no panic in a row")).sum()
}

pub(crate) fn spawn_join(settings: Settings) {
    per_operation(settings, "spawn_join", 4_000_000, |n| {
        let count = Arc::new(AtomicUsize::new(0));
        let batches = n.div_ceil(1000);
        for _ in 0..batches {
            let threads: Vec<_> = (0..1000)
                .map(|_| {
                    let count = Arc::clone(&count);
                    spawn(move || count.fetch_add(1, Relaxed))
                })
                .collect();
            for thread in threads {
                thread.join().expect("no panic in a row");
            }
        }
        assert_eq!(count.load(Relaxed), batches * 1000);
    });
}

pub(crate) fn skynet(settings: Settings) {
    grow(10_000);
    let leaves = if settings.scale < 1.0 { 10_000 } else { 1_000_000 };
    put("skynet", grow(leaves).as_secs_f64() * 1e3, "ms");
}

/// Times one tree.
fn grow(leaves: usize) -> Duration {
    let start = Instant::now();
    let total = node(0, leaves);
    let time = start.elapsed();
    assert_eq!(total, leaves * (leaves - 1) / 2);
    time
}

/// The sum of the numbers of the `leaves` leaves from `first` on.
fn node(first: usize, leaves: usize) -> usize {
    if leaves == 1 {
        return first;
    }
    let below = leaves / 10;
    sum((0..10).map(|child| spawn(move || node(first + child * below, below))).collect())
}
