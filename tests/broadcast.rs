//! In a broadcast channel every receiver gets every message from its subscription on, in order, or is told how many it has lost.
//!
//! What could break it: a message that is let go while somebody has yet to get it, a count of lost messages that is wrong, or a
//! receiver that nobody wakes.

mod support;

use greenbridge::sync::broadcast::{self, Receiver, RecvError, RecvTimeoutError, TryRecvError};
use greenbridge::{block_on, spawn, yield_now};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{Random, block_on_all, child, child_on_processors, run, start};

#[test]
fn every_receiver_gets_every_message_or_is_told() {
    child_on_processors("messages_to_all_kinds", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn messages_to_all_kinds() {
    start();
    for capacity in [1, 4, 10_000] {
        messages_to_all(capacity, 2000);
    }
}

/// Two senders, and receivers of every kind: each accounts for every message.
fn messages_to_all(capacity: usize, count: u64) {
    let (sender, first) = broadcast::channel(capacity);
    let mut receivers: Vec<_> = (0..8).map(|_| sender.subscribe()).collect();
    receivers.push(first);
    let futures: Vec<_> =
        receivers.split_off(6).into_iter().map(|receiver| Box::pin(account_async(receiver))).collect();
    let on_os: Vec<_> = receivers.split_off(4).into_iter().map(|r| thread::spawn(move || account(r))).collect();
    let on_green: Vec<_> = receivers.into_iter().map(|receiver| spawn(move || account(receiver))).collect();
    let senders = [0, 1].map(|of| {
        let sender = sender.clone();
        spawn(move || {
            for number in 0..count {
                assert_eq!(sender.send((of, number)), Ok(9));
                if number % 16 == 0 {
                    yield_now();
                }
            }
        })
    });
    drop(sender);
    let mut accounts = block_on_all(futures);
    senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
    accounts.extend(on_green.into_iter().map(|account| account.join().expect("no panic")));
    accounts.extend(on_os.into_iter().map(|account| account.join().expect("no panic")));
    for (got, lost) in accounts {
        assert_eq!(got.len() as u64 + lost, 2 * count, "capacity {capacity}");
        assert!(lost == 0 || (capacity as u64) < 2 * count);
        for of in [0, 1] {
            assert!(got.iter().filter(|message| message.0 == of).is_sorted(), "out of order");
        }
    }
}

type Account = (Vec<(u64, u64)>, u64);

fn account(mut receiver: Receiver<(u64, u64)>) -> Account {
    let (mut got, mut lost) = (Vec::new(), 0);
    loop {
        match receiver.recv() {
            Ok(message) => got.push(message),
            Err(RecvError::Lagged(messages)) => lost += messages,
            Err(RecvError::Closed) => return (got, lost),
        }
    }
}

async fn account_async(mut receiver: Receiver<(u64, u64)>) -> Account {
    let (mut got, mut lost) = (Vec::new(), 0);
    loop {
        match receiver.recv_async().await {
            Ok(message) => got.push(message),
            Err(RecvError::Lagged(messages)) => lost += messages,
            Err(RecvError::Closed) => return (got, lost),
        }
    }
}

/// What a receiver should have: everything sent since it subscribed.
struct Model {
    receiver: Receiver<Arc<u64>>,
    waits: VecDeque<u64>,
    lost: u64,
}

/// The same program on the channel and on plain queues, and no message is kept that nobody needs.
#[test]
fn the_same_program_gives_the_answers_of_plain_queues() {
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let capacity = 1 + random.below(4) as usize;
        let (sender, receiver) = broadcast::channel(capacity);
        let mut receivers = vec![Model { receiver, waits: VecDeque::new(), lost: 0 }];
        let mut sent: Vec<Arc<u64>> = Vec::new();
        for step in 0..60 {
            let at = format!("seed {seed}, step {step}");
            let chosen = random.below(receivers.len().max(1) as u64) as usize;
            match random.below(10) {
                0..4 => {
                    let message = Arc::new(step);
                    let result = sender.send(Arc::clone(&message));
                    assert_eq!(result.ok(), Some(receivers.len()).filter(|&receivers| receivers > 0), "{at}");
                    sent.push(message);
                    for model in &mut receivers {
                        model.waits.push_back(step);
                        if model.waits.len() > capacity {
                            model.waits.pop_front();
                            model.lost += 1;
                        }
                    }
                }
                4..8 if !receivers.is_empty() => {
                    let model = &mut receivers[chosen];
                    assert_eq!(model.receiver.len(), model.waits.len(), "{at}");
                    let expected = match (std::mem::take(&mut model.lost), model.waits.front()) {
                        (0, None) => Err(TryRecvError::Empty),
                        (0, Some(_)) => Ok(model.waits.pop_front().expect("it is there")),
                        (lost, _) => Err(TryRecvError::Lagged(lost)),
                    };
                    assert_eq!(model.receiver.try_recv().map(|message| *message), expected, "{at}");
                }
                8 => {
                    let receiver = match receivers.get(chosen) {
                        Some(model) => model.receiver.resubscribe(),
                        None => sender.subscribe(),
                    };
                    receivers.push(Model { receiver, waits: VecDeque::new(), lost: 0 });
                }
                _ if !receivers.is_empty() => drop(receivers.swap_remove(chosen)),
                _ => {}
            }
            let kept = receivers.iter().map(|model| model.waits.len()).max().unwrap_or(0);
            assert_eq!((sender.len(), sender.receiver_count()), (kept, receivers.len()), "{at}");
            let alive = sent.iter().filter(|message| Arc::strong_count(message) > 1).count();
            assert_eq!(alive, kept, "{at}: kept for nobody");
        }
    }
}

#[test]
fn closing_gives_out_what_is_kept_and_wakes_everybody() {
    child_on_processors("broadcasts_are_closed", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn broadcasts_are_closed() {
    run(|| {
        for by_drop in [true, false] {
            let (sender, mut receiver) = broadcast::channel(4);
            let waits: Vec<_> = (0..5)
                .map(|_| {
                    let mut receiver = sender.subscribe();
                    spawn(move || [receiver.recv(), receiver.recv()])
                })
                .collect();
            yield_now();
            assert_eq!(sender.send(1), Ok(6));
            let kept = (!by_drop).then(|| {
                assert!(sender.close());
                assert!(!sender.close());
                assert_eq!(sender.send(2).expect_err("it is closed").0, 2);
                sender.clone()
            });
            drop(sender);
            assert!(receiver.is_closed());
            assert_eq!(receiver.recv(), Ok(1));
            assert_eq!(receiver.recv(), Err(RecvError::Closed));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
            assert_eq!(block_on(receiver.recv_async()), Err(RecvError::Closed));
            for waits in waits {
                assert_eq!(waits.join().expect("no panic"), [Ok(1), Err(RecvError::Closed)]);
            }
            drop(kept);
        }
    });
}

#[test]
fn a_receive_that_is_given_up_takes_nothing() {
    let (sender, mut receiver) = broadcast::channel(2);
    for value in 0..10 {
        {
            let future = pin!(receiver.recv_async());
            assert_eq!(future.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
            assert_eq!(sender.send(value), Ok(1));
        }
        {
            // Woken, and polled again, it takes it.
            let mut future = pin!(receiver.recv_async());
            assert_eq!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(value)));
        }
    }
}

#[test]
fn os_threads_wait_until_a_deadline() {
    child("deadlines_on_an_os_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn deadlines_on_an_os_thread() {
    start();
    deadlines();
}

#[test]
fn green_threads_wait_until_a_deadline() {
    child("deadlines_on_a_green_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn deadlines_on_a_green_thread() {
    run(deadlines);
}

fn deadlines() {
    let (sender, mut receiver) = broadcast::channel(1);
    assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    assert_eq!(receiver.recv_deadline(Instant::now()), Err(RecvTimeoutError::Timeout));
    let sends = spawn(move || [sender.send(1), sender.send(2)]);
    let first = receiver.recv_timeout(Duration::MAX);
    assert!([Ok(1), Err(RecvTimeoutError::Lagged(1))].contains(&first), "{first:?}");
    let _ = sends.join().expect("no panic");
    assert!([Ok(2), Err(RecvTimeoutError::Closed)].contains(&receiver.recv_timeout(Duration::MAX)));
}

/// Counts its clones, which panic on demand.
struct Counted(Arc<AtomicUsize>, bool);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::AcqRel);
        assert!(!self.1, "a clone that panics");
        Self(Arc::clone(&self.0), self.1)
    }
}

#[test]
fn the_last_receiver_gets_the_message_itself_and_a_clone_that_panics_leaves_the_channel_as_it_was() {
    let clones = Arc::<AtomicUsize>::default();
    let (sender, mut first) = broadcast::channel(2);
    let mut second = sender.subscribe();
    for panics in [false, true] {
        assert!(sender.send(Counted(Arc::clone(&clones), panics)).is_ok());
    }
    assert!(first.try_recv().is_ok());
    assert_eq!(clones.load(Ordering::Acquire), 1);
    assert!(second.try_recv().is_ok());
    assert_eq!(clones.load(Ordering::Acquire), 1, "nobody else needs it");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| first.try_recv().is_ok()));
    assert!(panicked.is_err());
    assert!(second.try_recv().is_ok(), "the last one needs no clone");
    assert!(sender.send(Counted(Arc::clone(&clones), false)).is_ok());
    assert!(first.try_recv().is_ok() && second.try_recv().is_ok());
}
