//! A send or a receive with a deadline ends: with the message, with the news that the channel is closed, or when the time has passed, and
//! then nothing has been taken and the message comes back.
//!
//! What could break it: a message that is handed over at the very moment at which the time has passed, or one that is lost with a
//! send that was too late.

mod support;

use greenbridge::channel::{RecvTimeoutError, SendTimeoutError, bounded};
use greenbridge::spawn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{child_on_processors, run, start, with_capacity};

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn os_threads_wait_until_a_deadline() {
    child_on_processors("deadlines_on_an_os_thread", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn deadlines_on_an_os_thread() {
    start();
    deadlines();
}

#[test]
fn green_threads_wait_until_a_deadline() {
    child_on_processors("deadlines_on_a_green_thread", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn deadlines_on_a_green_thread() {
    run(deadlines);
}

fn deadlines() {
    for capacity in [0, 1, 2] {
        let (values, received) = bounded(capacity);
        assert_eq!(received.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert_eq!(received.recv_deadline(Instant::now()), Err(RecvTimeoutError::Timeout));
        for value in 0..capacity {
            assert_eq!(values.send_timeout(value, Duration::ZERO), Ok(()), "there is room");
        }
        assert_eq!(values.send_timeout(7, SHORT), Err(SendTimeoutError::Timeout(7)));
        assert_eq!(values.send_deadline(8, Instant::now()), Err(SendTimeoutError::Timeout(8)));
        for value in 0..capacity {
            assert_eq!(received.recv_timeout(Duration::ZERO), Ok(value), "it is there");
        }
        assert_eq!(received.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout), "what was too late was not sent");

        // In time, before a deadline that is far away, or none.
        for timeout in [LONG, Duration::MAX] {
            let sender = values.clone();
            let sends = spawn(move || sender.send_timeout(9, timeout));
            assert_eq!(received.recv_timeout(timeout), Ok(9));
            assert_eq!(sends.join().expect("no panic"), Ok(()));
        }
        // Closed while it waits, or before.
        let (receiver, sender) = (received.clone(), values.clone());
        let receives = spawn(move || receiver.recv_timeout(LONG));
        let closes = spawn(move || sender.close());
        assert_eq!(receives.join().expect("no panic"), Err(RecvTimeoutError::Closed));
        assert!(closes.join().expect("no panic"));
        assert_eq!(values.send_timeout(10, LONG), Err(SendTimeoutError::Closed(10)));
        assert_eq!(received.recv_timeout(LONG), Err(RecvTimeoutError::Closed));
    }
}

#[test]
fn os_threads_that_are_too_late_lose_nothing() {
    child_on_processors("late_os_threads", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn late_os_threads() {
    start();
    for capacity in [Some(0), Some(1), Some(4), None] {
        let spawn = |side: Box<dyn FnOnce() -> Vec<usize> + Send>| {
            let side = thread::spawn(side);
            Box::new(move || side.join().expect("no panic")) as Box<dyn FnOnce() -> Vec<usize>>
        };
        nothing_is_lost(capacity, 300, spawn);
    }
}

#[test]
fn green_threads_that_are_too_late_lose_nothing() {
    child_on_processors("late_green_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn late_green_threads() {
    run(|| {
        for capacity in [Some(0), Some(1), Some(4), None] {
            let spawn = |side: Box<dyn FnOnce() -> Vec<usize> + Send>| {
                let side = spawn(side);
                Box::new(move || side.join().expect("no panic")) as Box<dyn FnOnce() -> Vec<usize>>
            };
            nothing_is_lost(capacity, 300, spawn);
        }
    });
}

type Side = Box<dyn FnOnce() -> Vec<usize> + Send>;
type Join = Box<dyn FnOnce() -> Vec<usize>>;

/// Three senders and three receivers with deadlines so short that they are often missed: what the senders believe to be sent is what the
/// receivers get.
fn nothing_is_lost(capacity: Option<usize>, count: usize, spawn: impl Fn(Side) -> Join) {
    let (values, received) = with_capacity(capacity);
    let is_over = Arc::new(AtomicBool::new(false));
    let late = Arc::new(AtomicUsize::new(0));
    let timeout = |n: usize| Duration::from_micros(n as u64 * 7 % 60);
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let (received, is_over) = (received.clone(), Arc::clone(&is_over));
            spawn(Box::new(move || {
                let mut got = Vec::new();
                for n in 0.. {
                    match received.recv_timeout(timeout(n)) {
                        Ok(value) => got.push(value),
                        Err(RecvTimeoutError::Closed) => break,
                        Err(RecvTimeoutError::Timeout) if is_over.load(Ordering::Acquire) => break,
                        Err(RecvTimeoutError::Timeout) => {}
                    }
                }
                got
            }))
        })
        .collect();
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            let (values, late) = (values.clone(), Arc::clone(&late));
            spawn(Box::new(move || {
                let numbered = (0..count).map(|n| sender * count + n);
                numbered
                    .filter(|&value| match values.send_timeout(value, timeout(value)) {
                        Ok(()) => true,
                        Err(SendTimeoutError::Timeout(back)) => {
                            assert_eq!(back, value, "another value came back");
                            late.fetch_add(1, Ordering::AcqRel);
                            false
                        }
                        Err(SendTimeoutError::Closed(_)) => panic!("nobody has closed"),
                    })
                    .collect()
            }))
        })
        .collect();
    let mut sent: Vec<_> = senders.into_iter().flat_map(|sender| sender()).collect();
    is_over.store(true, Ordering::Release);
    let mut got: Vec<_> = receivers.into_iter().flat_map(|receiver| receiver()).chain(received.try_iter()).collect();
    sent.sort_unstable();
    got.sort_unstable();
    assert!(sent == got, "capacity {capacity:?}: {} sent, {} received", sent.len(), got.len());
    assert_eq!(sent.len() + late.load(Ordering::Acquire), 3 * count);
}
