//! The combinators of `futures-util`, and the channel of `async-channel`, work in `block_on` as in any executor.
//!
//! They poll with wakers of their own, keep those, and wake them from wherever something gets ready. What could break it: a green thread
//! that is resumed for a waker it has dropped, or that misses the one of a branch.

mod support;

use futures_util::future::{Either, join_all, select, select_all, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use greenbridge::channel::bounded;
use greenbridge::{block_on, spawn, yield_now};
use std::pin::pin;
use std::thread;
use support::{Random, child_on_processors, run, start};

/// A green thread that takes that many turns.
fn green(turns: u64, value: u64) -> greenbridge::JoinHandle<u64> {
    spawn(move || {
        for _ in 0..turns {
            yield_now();
        }
        value
    })
}

#[test]
fn joins_and_selects_bring_every_value_once() {
    child_on_processors("combinators_of_green_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn combinators_of_green_threads() {
    run(|| {
        let waiters: Vec<_> = (0..10)
            .map(|seed| {
                spawn(move || {
                    let mut random = Random::new(seed);
                    let mut greens = || (0..50).map(|n| green(random.below(5), n)).collect::<Vec<_>>();
                    let joined = block_on(join_all(greens()));
                    let joined: Vec<_> = joined.into_iter().map(|value| value.expect("no panic")).collect();
                    assert_eq!(joined, (0..50).collect::<Vec<_>>());
                    assert_eq!(block_on(try_join_all(greens())).expect("no panic").len(), 50);

                    let mut sum = 0;
                    let mut unordered: FuturesUnordered<_> = greens().into_iter().collect();
                    while let Some(value) = block_on(unordered.next()) {
                        sum += value.expect("no panic");
                    }
                    assert_eq!(sum, (0..50).sum());

                    let mut sum = 0;
                    let mut left = greens();
                    while !left.is_empty() {
                        let (value, _, rest) = block_on(select_all(left));
                        sum += value.expect("no panic");
                        left = rest;
                    }
                    assert_eq!(sum, (0..50).sum());
                })
            })
            .collect();
        for waiter in waiters {
            waiter.join().expect("no panic");
        }
    });
}

#[test]
fn the_branch_that_is_not_chosen_takes_nothing() {
    child_on_processors("selects_of_two_receives", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn selects_of_two_receives() {
    run(|| {
        let ((odd, odds), (even, evens)) = (bounded(0), bounded(0));
        let sources = [
            spawn(move || (0..500_u64).try_for_each(|n| odd.send(2 * n + 1))),
            spawn(move || (0..500_u64).try_for_each(|n| even.send(2 * n))),
        ];
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let (odds, evens) = (odds.clone(), evens.clone());
                spawn(move || {
                    let mut got = Vec::new();
                    loop {
                        let value = {
                            let (odd, even) = (pin!(odds.recv_async()), pin!(evens.recv_async()));
                            let (Either::Left((value, _)) | Either::Right((value, _))) = block_on(select(odd, even));
                            // What the other one has been given goes back here.
                            value
                        };
                        match value {
                            Ok(value) => got.push(value),
                            // One is closed: the rest of both, one after the other.
                            Err(_) => {
                                got.extend(odds.iter().chain(evens.iter()));
                                return got;
                            }
                        }
                    }
                })
            })
            .collect();
        drop((odds, evens));
        let mut all: Vec<_> = receivers.into_iter().flat_map(|receiver| receiver.join().expect("no panic")).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        for source in sources {
            source.join().expect("no panic").expect("it was received");
        }
    });
}

#[test]
fn messages_of_async_channel_all_arrive() {
    child_on_processors("green_threads_use_async_channel", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn green_threads_use_async_channel() {
    start();
    let (values, received) = async_channel::bounded(3);
    let sources: Vec<_> = (0..4_u64)
        .map(|n| {
            let values = values.clone();
            spawn(move || (0..250).try_for_each(|value| block_on(values.send(250 * n + value))))
        })
        .collect();
    // One on an OS thread as well.
    let values_of_os = values;
    let os = thread::spawn(move || (1000..1250).try_for_each(|value| block_on(values_of_os.send(value))));
    let sinks: Vec<_> = (0..4)
        .map(|_| {
            let received = received.clone();
            spawn(move || {
                let mut got = Vec::new();
                while let Ok(value) = block_on(received.recv()) {
                    got.push(value);
                }
                got
            })
        })
        .collect();
    let mut all: Vec<u64> = sinks.into_iter().flat_map(|sink| sink.join().expect("no panic")).collect();
    all.sort_unstable();
    assert_eq!(all, (0..1250).collect::<Vec<_>>());
    for source in sources {
        source.join().expect("no panic").expect("it was received");
    }
    os.join().expect("no panic").expect("it was received");
}
