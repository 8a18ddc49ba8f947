//! A future of a channel that is given up loses nothing: what it was handed goes to somebody else, and so does its wake-up.
//!
//! What could break it: a future that takes its wake-up or its value with it when it is dropped, or one whose waker is not
//! the last that it was polled with.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{spawn, yield_now};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use support::{CAPACITIES, Random, block_on_all, child_on_processors, run, start, with_capacity};

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

#[test]
fn futures_that_are_dropped_at_random_lose_nothing() {
    child_on_processors("futures_are_dropped_at_random", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn futures_are_dropped_at_random() {
    run(|| {
        for (seed, capacity) in CAPACITIES.into_iter().enumerate() {
            let (values, received) = with_capacity(capacity);
            let is_over = Arc::new(AtomicUsize::new(0));
            let receivers: Vec<_> = (0..4)
                .map(|n| {
                    let (received, is_over) = (received.clone(), Arc::clone(&is_over));
                    spawn(move || {
                        let mut random = Random::new(seed as u64 * 10 + n);
                        let mut got = Vec::new();
                        while is_over.load(Ordering::Acquire) == 0 {
                            match poll_a_few_times(received.recv_async(), &mut random) {
                                Poll::Ready(Ok(value)) => got.push(value),
                                Poll::Ready(Err(_)) => break,
                                Poll::Pending => {}
                            }
                        }
                        got
                    })
                })
                .collect();
            let senders: Vec<_> = (0..4)
                .map(|n| {
                    let values = values.clone();
                    spawn(move || {
                        let mut random = Random::new(seed as u64 * 10 + n + 5);
                        let mut sent = Vec::new();
                        for number in 0..300_u64 {
                            // Whether one that was dropped has been sent is not known to it, only to the value.
                            let value = (n * 1000 + number, Arc::new(()));
                            let is_kept = Arc::downgrade(&value.1);
                            let polled = poll_a_few_times(values.send_async(value), &mut random);
                            sent.push((n * 1000 + number, polled.is_ready(), is_kept));
                        }
                        sent
                    })
                })
                .collect();
            let sent: Vec<_> = senders.into_iter().flat_map(|sender| sender.join().expect("no panic")).collect();
            is_over.store(1, Ordering::Release);
            let got: Vec<_> = receivers.into_iter().flat_map(|receiver| receiver.join().expect("no panic")).collect();
            let mut got: Vec<_> = got.into_iter().chain(received.try_iter()).collect();
            got.sort_unstable_by_key(|value| value.0);
            let numbers: Vec<_> = got.iter().map(|value| value.0).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "capacity {capacity:?}: one came twice");
            for (number, is_sent, is_kept) in sent {
                let came = numbers.binary_search(&number).is_ok();
                assert!(came || !is_sent, "capacity {capacity:?}: {number} was sent, and has not come");
                assert_eq!(came, is_kept.strong_count() > 0, "capacity {capacity:?}: {number} was lost, or doubled");
            }
        }
    });
}

/// Polls a future up to a few times, and drops it.
fn poll_a_few_times<F: Future>(future: F, random: &mut Random) -> Poll<F::Output> {
    let mut future = pin!(future);
    for _ in 0..=random.below(4) {
        if let Poll::Ready(value) = poll_once(future.as_mut()) {
            return Poll::Ready(value);
        }
        if random.below(2) == 0 {
            yield_now();
        }
    }
    Poll::Pending
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

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
fn of_two_wakers_the_last_one_is_woken() {
    child_on_processors("futures_change_their_wakers", &[1]);
}

#[test]
#[ignore = "child process"]
fn futures_change_their_wakers() {
    run(|| {
        let poll = |future: Pin<&mut dyn Future<Output = Result<i32, _>>>, count: &Arc<Count>| {
            future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(count))))
        };
        for capacity in CAPACITIES {
            let (first, last) = (Arc::<Count>::default(), Arc::<Count>::default());
            let (values, received) = with_capacity(capacity);
            let mut receiving = Box::pin(received.recv_async());
            assert_eq!(poll(receiving.as_mut(), &first), Poll::Pending);
            assert_eq!(poll(receiving.as_mut(), &last), Poll::Pending);
            assert_eq!(values.try_send(6), Ok(()), "somebody waits, whatever the capacity");
            assert_eq!((first.0.load(Ordering::Acquire), last.0.load(Ordering::Acquire)), (0, 1), "{capacity:?}");
            assert_eq!(poll(receiving.as_mut(), &last), Poll::Ready(Ok(6)));
        }
    });
}
