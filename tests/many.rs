//! Green threads are cheap to have: a hundred thousand block at once, a million are parked.
//!
//! What could break it: an OS limit that each of them uses up (mappings, threads, descriptors), or memory that each of
//! them touches beyond the pages it needs.

mod support;

use greenbridge::channel::{bounded, unbounded};
use greenbridge::{JoinHandle, park, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Process, child_on_processors, resident_bytes, run, yield_until};

#[test]
fn a_hundred_thousand_block_on_a_channel_at_once() {
    child_on_processors("a_hundred_thousand_receivers", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_hundred_thousand_receivers() {
    const THREADS: usize = 100_000;
    run(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let (values, received) = unbounded();
        let (results, summed) = bounded(64);
        for _ in 0..THREADS {
            let (begun, received, results) = (Arc::clone(&begun), received.clone(), results.clone());
            spawn(move || {
                begun.fetch_add(1, Ordering::AcqRel);
                let value: usize = received.recv().expect("one value for each");
                results.send(value).expect("they are summed up");
            });
        }
        drop((received, results));
        yield_until(&begun, THREADS);
        let sum = spawn(move || summed.iter().sum::<usize>());
        for value in 0..THREADS {
            values.send(value).expect("they wait");
        }
        assert_eq!(sum.join().expect("no panic"), (0..THREADS).sum());
    });
}

#[test]
fn each_of_a_hundred_thousand_waits_for_the_next() {
    child_on_processors("a_hundred_thousand_in_a_chain", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_hundred_thousand_in_a_chain() {
    run(|| {
        let mut last: JoinHandle<usize> = spawn(|| {
            park();
            0
        });
        let first = last.thread().clone();
        for _ in 0..100_000 {
            let previous = last;
            last = spawn(move || previous.join().expect("no panic") + 1);
        }
        first.unpark();
        assert_eq!(last.join().expect("no panic"), 100_000);
    });
}

/// Set where the time and the memory (about 5 GB) are there for it.
const MILLION: &str = "GREENBRIDGE_TEST_MILLION";

#[test]
fn a_million_are_parked() {
    if std::env::var_os(MILLION).is_some() {
        let child = Process::child("a_million_park").deadline(Duration::from_secs(300)).run();
        child.succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn a_million_park() {
    const THREADS: usize = 1_000_000;
    run(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                let begun = Arc::clone(&begun);
                spawn(move || {
                    begun.fetch_add(1, Ordering::AcqRel);
                    park();
                    n
                })
            })
            .collect();
        yield_until(&begun, THREADS);
        let each = resident_bytes() / THREADS;
        assert!(each < 8192, "{each} bytes for each parked green thread");
        for thread in &threads {
            thread.thread().unpark();
        }
        let sum: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..THREADS).sum());
    });
}
