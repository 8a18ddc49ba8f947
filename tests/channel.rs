//! A channel gives each value to exactly one receiver, in the order of its sender, whoever the two are: green threads, OS
//! threads or futures.
//!
//! What could break it: a value that two receivers take, or one that a sender believes to be sent and nobody gets.
//! `channel_close.rs` and `channel_future.rs` have what holds when a channel closes, and when a future is given up.

mod support;

use greenbridge::channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, unbounded};
use greenbridge::{spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::{CAPACITIES, block_on_os_thread, child, child_on_processors, run, start, with_capacity};

/// Who sends or receives.
#[derive(Clone, Copy, Debug)]
enum Side {
    GreenThread,
    OsThread,
    Future,
}

enum Running<T> {
    Green(greenbridge::JoinHandle<T>),
    Os(thread::JoinHandle<T>),
}

impl<T> Running<T> {
    fn join(self) -> T {
        match self {
            Self::Green(thread) => thread.join().expect("no panic"),
            Self::Os(thread) => thread.join().expect("no panic"),
        }
    }
}

type Value = (usize, u64);

const SENDERS: usize = 4;
const RECEIVERS: usize = 4;

fn send_all(side: Side, values: Sender<Value>, sender: usize, count: u64) -> Running<()> {
    let plainly = move |values: Sender<Value>| {
        for number in 0..count {
            values.send((sender, number)).expect("there are receivers");
        }
    };
    match side {
        Side::GreenThread => Running::Green(spawn(move || plainly(values))),
        Side::OsThread => Running::Os(thread::spawn(move || plainly(values))),
        Side::Future => Running::Os(thread::spawn(move || {
            block_on_os_thread(async {
                for number in 0..count {
                    values.send_async((sender, number)).await.expect("there are receivers");
                }
            });
        })),
    }
}

fn receive_all(side: Side, received: Receiver<Value>) -> Running<Vec<Value>> {
    match side {
        Side::GreenThread => Running::Green(spawn(move || received.iter().collect())),
        Side::OsThread => Running::Os(thread::spawn(move || received.into_iter().collect())),
        Side::Future => Running::Os(thread::spawn(|| {
            block_on_os_thread(async move {
                let mut values = Vec::new();
                while let Ok(value) = received.recv_async().await {
                    values.push(value);
                }
                values
            })
        })),
    }
}

/// Sends numbered values from all senders to all receivers.
fn conserve(capacity: Option<usize>, from: &[Side], to: &[Side], count: u64) {
    let (values, received) = with_capacity(capacity);
    let sides = |of: &[Side], number: usize| (0..number).map(|n| of[n % of.len()]).collect::<Vec<_>>();
    let receivers: Vec<_> = sides(to, RECEIVERS).into_iter().map(|side| receive_all(side, received.clone())).collect();
    let senders = sides(from, SENDERS).into_iter().enumerate();
    let senders: Vec<_> = senders.map(|(sender, side)| send_all(side, values.clone(), sender, count)).collect();
    drop((values, received));
    senders.into_iter().for_each(Running::join);

    let mut all: Vec<Value> = Vec::new();
    for receiver in receivers {
        let got = receiver.join();
        for sender in 0..SENDERS {
            let in_order = got.iter().filter(|value| value.0 == sender).is_sorted();
            assert!(in_order, "capacity {capacity:?}, {from:?} to {to:?}: a receiver saw values out of order");
        }
        all.extend(got);
    }
    all.sort_unstable();
    let sent: Vec<Value> = (0..SENDERS).flat_map(|sender| (0..count).map(move |number| (sender, number))).collect();
    assert!(all == sent, "capacity {capacity:?}, {from:?} to {to:?}: {} of {} values", all.len(), sent.len());
}

#[test]
fn green_threads_lose_and_double_nothing() {
    child_on_processors("values_between_green_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn values_between_green_threads() {
    run(|| {
        for capacity in CAPACITIES {
            conserve(capacity, &[Side::GreenThread], &[Side::GreenThread], 5000);
        }
    });
}

#[test]
fn green_threads_os_threads_and_futures_lose_and_double_nothing() {
    child_on_processors("values_between_all_kinds", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn values_between_all_kinds() {
    start();
    let kinds = [Side::GreenThread, Side::OsThread, Side::Future];
    for capacity in CAPACITIES {
        for kind in kinds {
            conserve(capacity, &[kind], &[Side::GreenThread], 500);
            conserve(capacity, &[Side::GreenThread], &[kind], 500);
        }
        conserve(capacity, &kinds, &kinds, 500);
    }
}

#[test]
fn a_rendezvous_hands_over_only_to_somebody_who_waits() {
    child("a_channel_of_capacity_0").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_channel_of_capacity_0() {
    run(|| {
        let (values, received) = bounded(0);
        assert_eq!(values.capacity(), Some(0));
        assert_eq!(values.try_send(1), Err(TrySendError::Full(1)), "nobody waits");
        assert_eq!(received.try_recv(), Err(TryRecvError::Empty));
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let sender = spawn(move || {
            for value in 0..3 {
                values.send(value).expect("it is received");
                counter.fetch_add(1, Ordering::AcqRel);
            }
            values
        });
        for value in 0..3 {
            assert!(sent.load(Ordering::Acquire) <= value, "a send returned before its value was received");
            assert_eq!(received.recv(), Ok(value));
        }
        let values = sender.join().expect("no panic");

        let receiver = spawn(move || received.recv());
        // As soon as the receiver waits, a try succeeds.
        while let Err(error) = values.try_send(7) {
            assert_eq!(error, TrySendError::Full(7));
            yield_now();
        }
        assert_eq!(receiver.join().expect("no panic"), Ok(7));
        assert_eq!(values.try_send(8), Err(TrySendError::Closed(8)), "the receiver is gone");
    });
}

#[test]
fn the_try_forms_and_the_sizes_tell_what_is_there() {
    child("sizes_of_channels").succeeds();
}

#[test]
#[ignore = "child process"]
fn sizes_of_channels() {
    run(|| {
        let (values, received) = bounded(2);
        assert_eq!((values.capacity(), received.capacity()), (Some(2), Some(2)));
        assert!(values.is_empty() && received.is_empty());
        assert_eq!(received.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(values.try_send(1), Ok(()));
        assert_eq!(values.send(2), Ok(()));
        assert_eq!(values.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!((values.len(), received.len()), (2, 2));
        assert_eq!(received.try_iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(received.try_recv(), Err(TryRecvError::Empty));
        assert!(!values.is_closed() && !received.is_closed());

        let (values, received) = unbounded();
        assert_eq!((values.capacity(), received.capacity()), (None, None));
        for value in 0..10_000 {
            assert_eq!(values.try_send(value), Ok(()));
        }
        assert_eq!(received.len(), 10_000);
        assert_eq!(received.try_iter().sum::<i32>(), (0..10_000).sum());
    });
}

#[test]
fn values_that_nobody_receives_are_dropped_with_the_channel() {
    child("values_left_in_channels").succeeds();
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
#[ignore = "child process"]
fn values_left_in_channels() {
    run(|| {
        for capacity in [Some(8), None] {
            let dropped = Arc::new(AtomicUsize::new(0));
            let (values, received) = with_capacity(capacity);
            for _ in 0..8 {
                assert!(values.send(Counted(Arc::clone(&dropped))).is_ok());
            }
            drop(received.recv());
            assert_eq!(dropped.load(Ordering::Acquire), 1);
            values.close();
            drop(values.send(Counted(Arc::clone(&dropped))));
            assert_eq!(dropped.load(Ordering::Acquire), 2, "a value that is refused comes back");
            drop(values);
            drop(received);
            assert_eq!(dropped.load(Ordering::Acquire), 9);
        }
    });
}
