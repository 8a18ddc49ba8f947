//! A channel gives each value to exactly one receiver, in the order of its sender, whoever the two are: green threads, OS
//! threads or futures.
//!
//! What could break it: a value that two receivers take, one that a sender believes to be sent and nobody gets, a waiter
//! that nobody wakes when the channel closes, or a future that takes its wake-up with it when it is dropped.

mod support;

use greenbridge::channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, unbounded};
use greenbridge::{block_on, spawn, yield_now};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use support::{block_on_all, block_on_os_thread, child, child_on_processors, run, start};

/// One of each kind; `None` is unbounded.
const CAPACITIES: [Option<usize>; 5] = [Some(0), Some(1), Some(2), Some(8), None];

fn with_capacity<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    capacity.map_or_else(unbounded, bounded)
}

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
fn a_closed_channel_gives_out_what_it_holds_and_takes_nothing() {
    child("channels_are_closed").succeeds();
}

#[test]
#[ignore = "child process"]
fn channels_are_closed() {
    run(|| {
        for capacity in [Some(8), None] {
            for close in [drop_sender, close_by_sender, close_by_receiver] {
                let (values, received) = with_capacity(capacity);
                for value in 0..5 {
                    // One sender of many may go.
                    values.clone().send(value).expect("it is open");
                }
                let values = close(values, &received);
                assert!(received.is_closed());
                if let Some(values) = values {
                    assert!(values.is_closed());
                    assert_eq!(values.send(5).expect_err("it is closed").0, 5);
                    assert_eq!(values.try_send(6), Err(TrySendError::Closed(6)));
                    assert_eq!(block_on(values.send_async(7)).expect_err("it is closed").0, 7);
                }
                assert_eq!(received.recv(), Ok(0));
                assert_eq!(received.try_recv(), Ok(1));
                assert_eq!(block_on(received.recv_async()), Ok(2));
                assert_eq!(received.iter().collect::<Vec<_>>(), [3, 4]);
                assert!(received.recv().is_err());
                assert_eq!(received.try_recv(), Err(TryRecvError::Closed));
                assert!(block_on(received.recv_async()).is_err());
            }
        }
        let (values, received) = bounded(1);
        let clone = received.clone();
        drop(received);
        assert_eq!(values.send(1), Ok(()), "one receiver is left");
        drop(clone);
        assert_eq!(values.send(2).expect_err("nobody is left to receive").0, 2);
    });
}

fn drop_sender(values: Sender<i32>, _: &Receiver<i32>) -> Option<Sender<i32>> {
    drop(values);
    None
}

fn close_by_sender(values: Sender<i32>, _: &Receiver<i32>) -> Option<Sender<i32>> {
    values.close();
    Some(values)
}

fn close_by_receiver(values: Sender<i32>, received: &Receiver<i32>) -> Option<Sender<i32>> {
    received.close();
    Some(values)
}

#[test]
fn closing_wakes_everybody_who_waits() {
    child_on_processors("waiters_of_a_channel_that_closes", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn waiters_of_a_channel_that_closes() {
    start();
    let begun = Arc::new(AtomicUsize::new(0));
    // Waiting senders get their values back.
    for capacity in [0, 1] {
        let (values, received) = bounded(capacity);
        let each = |n: usize| {
            let (values, begun) = (values.clone(), Arc::clone(&begun));
            move || {
                begun.fetch_add(1, Ordering::AcqRel);
                values.send(n).map_err(|error| error.0)
            }
        };
        let green: Vec<_> = (0..10).map(|n| spawn(each(n))).collect();
        let os: Vec<_> = (10..14).map(|n| thread::spawn(each(n))).collect();
        while begun.load(Ordering::Acquire) < 14 {
            yield_now();
        }
        begun.store(0, Ordering::Release);
        received.close();
        let results = green.into_iter().map(|thread| thread.join().expect("no panic"));
        let results: Vec<_> = results.chain(os.into_iter().map(|thread| thread.join().expect("no panic"))).collect();
        let buffered: Vec<_> = received.try_iter().collect();
        for (n, result) in results.into_iter().enumerate() {
            // Whoever came late enough finds it closed at once; whoever found room has sent.
            assert_eq!(result, if buffered.contains(&n) { Ok(()) } else { Err(n) });
        }
        assert!(buffered.len() <= capacity);
    }
    // Waiting receivers get an error.
    let (values, received) = bounded::<()>(1);
    let each = || {
        let (received, begun) = (received.clone(), Arc::clone(&begun));
        move || {
            begun.fetch_add(1, Ordering::AcqRel);
            received.recv().is_err()
        }
    };
    let green: Vec<_> = (0..10).map(|_| spawn(each())).collect();
    let os: Vec<_> = (0..4).map(|_| thread::spawn(each())).collect();
    while begun.load(Ordering::Acquire) < 14 {
        yield_now();
    }
    drop(values);
    assert!(green.into_iter().all(|thread| thread.join().expect("no panic")));
    assert!(os.into_iter().all(|thread| thread.join().expect("no panic")));
}

#[test]
fn a_receiving_future_that_is_dropped_loses_nothing() {
    child_on_processors("receiving_futures_are_dropped", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn receiving_futures_are_dropped() {
    run(|| {
        for capacity in CAPACITIES {
            // Woken for the value, then dropped before it took it: the next one must be woken in its place.
            let (values, received) = with_capacity(capacity);
            let mut woken = Box::pin(received.recv_async());
            assert_eq!(poll_once(woken.as_mut()), Poll::Pending);
            let other = received.clone();
            let waiting = spawn(move || other.recv());
            let sender = spawn(move || values.send(1).map(|()| values));
            for _ in 0..10 {
                yield_now();
            }
            drop(woken);
            assert_eq!(waiting.join().expect("no panic"), Ok(1), "capacity {capacity:?}");
            let values = sender.join().expect("no panic").expect("it was received");

            // Closed before it is dropped: the value can still be received.
            let mut woken = Box::pin(received.recv_async());
            assert_eq!(poll_once(woken.as_mut()), Poll::Pending);
            assert_eq!(values.try_send(2), Ok(()));
            values.close();
            drop(woken);
            assert_eq!(received.recv(), Ok(2), "capacity {capacity:?}");
            assert!(received.recv().is_err());
        }
        for capacity in CAPACITIES {
            // At every point of the race between the value and the end of the future.
            let (values, received) = with_capacity(capacity);
            let sender = spawn(move || {
                for value in 0..1000 {
                    values.send(value).expect("somebody receives");
                }
            });
            let mut got = Vec::new();
            loop {
                match poll_once(pin!(received.recv_async())) {
                    Poll::Ready(Ok(value)) => got.push(value),
                    Poll::Ready(Err(_)) => break,
                    Poll::Pending => yield_now(),
                }
            }
            assert_eq!(got, (0..1000).collect::<Vec<_>>(), "capacity {capacity:?}");
            sender.join().expect("no panic");
        }
    });
}

#[test]
fn a_sending_future_that_is_dropped_has_sent_or_has_not() {
    child_on_processors("sending_futures_are_dropped", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn sending_futures_are_dropped() {
    run(|| {
        // No room: dropped before it could send, it has not.
        let (values, received) = bounded(1);
        values.send(0).expect("there is room");
        let mut waiting = Box::pin(values.send_async(1));
        assert_eq!(poll_once(waiting.as_mut()), Poll::Pending);
        drop(waiting);
        values.try_send(2).expect_err("the first value is still there");
        assert_eq!(received.try_iter().collect::<Vec<_>>(), [0]);

        // Woken for the room, then dropped: the next sender must be woken in its place.
        values.send(3).expect("there is room");
        let mut woken = Box::pin(values.send_async(4));
        assert_eq!(poll_once(woken.as_mut()), Poll::Pending);
        let other = values.clone();
        let sender = spawn(move || other.send(5));
        for _ in 0..10 {
            yield_now();
        }
        assert_eq!(received.recv(), Ok(3));
        drop(woken);
        drop(values);
        // Dropped after it was woken, the future has sent its value or has not; the other sender must have.
        let rest: Vec<_> = received.iter().collect();
        assert!(rest == [5] || rest == [4, 5], "{rest:?}");
        assert_eq!(sender.join().expect("no panic"), Ok(()));
    });
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn one_os_thread_drives_many_futures_on_channels() {
    child_on_processors("a_hundred_futures_on_one_os_thread", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_hundred_futures_on_one_os_thread() {
    start();
    for capacity in CAPACITIES {
        let (values, received) = with_capacity(capacity);
        let (doubled, results) = with_capacity(capacity);
        let source = spawn(move || (0..1000_u64).try_for_each(|value| values.send(value)));
        let sum = spawn(move || results.iter().sum::<u64>());
        let counts = block_on_all((0..100).map(|_| {
            let (received, doubled) = (received.clone(), doubled.clone());
            Box::pin(async move {
                let mut count = 0;
                while let Ok(value) = received.recv_async().await {
                    doubled.send_async(2 * value).await.expect("it is received");
                    count += 1;
                }
                count
            })
        }));
        drop(doubled);
        assert_eq!(counts.into_iter().sum::<u64>(), 1000);
        assert_eq!(sum.join().expect("no panic"), (0..1000).map(|value| 2 * value).sum());
        source.join().expect("no panic").expect("it is received");
    }
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
