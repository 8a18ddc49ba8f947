//! A channel does what `std::sync::mpsc` does, as far as that goes: the same program gives the same answers; and what std's own tests
//! ask of it holds.
//!
//! What could break it: a corner that is one's own invention, such as what is left when one side has gone.

mod support;

use greenbridge::channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, unbounded};
use greenbridge::spawn;
use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::thread;
use support::{Random, child, child_on_processors, run, start};

/// std's two senders in one.
#[derive(Clone)]
enum StdSender {
    Bounded(mpsc::SyncSender<u64>),
    Unbounded(mpsc::Sender<u64>),
}

impl StdSender {
    fn try_send(&self, value: u64) -> Result<(), TrySendError<u64>> {
        match self {
            Self::Bounded(sender) => sender.try_send(value).map_err(|error| match error {
                mpsc::TrySendError::Full(value) => TrySendError::Full(value),
                mpsc::TrySendError::Disconnected(value) => TrySendError::Closed(value),
            }),
            Self::Unbounded(sender) => sender.send(value).map_err(|error| TrySendError::Closed(error.0)),
        }
    }
}

#[test]
fn the_same_program_gives_the_same_answers() {
    for seed in 0..2000 {
        one_program(seed);
    }
}

fn one_program(seed: u64) {
    let mut random = Random::new(seed);
    let capacity = random.below(5) as usize;
    let (ours, theirs) = if capacity == 0 {
        let (sender, receiver) = mpsc::channel();
        (unbounded(), (StdSender::Unbounded(sender), receiver))
    } else {
        let (sender, receiver) = mpsc::sync_channel(capacity);
        (bounded(capacity), (StdSender::Bounded(sender), receiver))
    };
    let mut senders = vec![(ours.0, theirs.0)];
    let mut receiver = Some((ours.1, theirs.1));
    for step in 0..60 {
        let at = format!("seed {seed}, step {step}, capacity {capacity}");
        let chosen = random.below(senders.len().max(1) as u64) as usize;
        match (random.below(20), &receiver) {
            (0..8, _) if !senders.is_empty() => {
                let (ours, theirs) = &senders[chosen];
                assert_eq!(ours.try_send(step), theirs.try_send(step), "{at}");
            }
            (8..15, Some((ours, theirs))) => {
                let theirs = theirs.try_recv().map_err(|error| match error {
                    mpsc::TryRecvError::Empty => TryRecvError::Empty,
                    mpsc::TryRecvError::Disconnected => TryRecvError::Closed,
                });
                assert_eq!(ours.try_recv(), theirs, "{at}");
            }
            (15, Some((ours, theirs))) if !ours.is_empty() || senders.is_empty() => {
                assert_eq!(ours.recv().ok(), theirs.recv().ok(), "{at}");
            }
            (16, Some((ours, theirs))) => {
                assert_eq!(ours.try_iter().collect::<Vec<_>>(), theirs.try_iter().collect::<Vec<_>>(), "{at}");
            }
            (17, _) if !senders.is_empty() => {
                let clone = senders[chosen].clone();
                senders.push(clone);
            }
            (18, _) if !senders.is_empty() => drop(senders.swap_remove(chosen)),
            (19, _) if random.below(4) == 0 => receiver = None,
            _ => {}
        }
    }
}

#[test]
fn what_nobody_can_receive_is_dropped_with_the_last_receiver() {
    for capacity in [Some(1), None] {
        let (values, received) = support::with_capacity(capacity);
        let value = Arc::new(());
        assert!(values.send(Arc::clone(&value)).is_ok());
        let other = received.clone();
        drop(received);
        assert_eq!(Arc::strong_count(&value), 2, "a receiver is left");
        drop(other);
        assert_eq!(Arc::strong_count(&value), 1, "the sender keeps nothing");
        drop(values);
    }
}

/// A message that holds a sender of its own channel.
struct Holds(#[allow(dead_code, reason = "it is there to be dropped")] Sender<Holds>, Weak<()>);

#[test]
fn a_sender_that_lies_in_its_own_channel_is_no_leak() {
    let (values, received) = unbounded();
    let alive = Arc::new(());
    for _ in 0..3 {
        assert!(values.send(Holds(values.clone(), Arc::downgrade(&alive))).is_ok());
    }
    drop(values);
    assert!(received.recv().is_ok_and(|holds| holds.1.strong_count() == 1));
    drop(received);
    assert_eq!(Arc::weak_count(&alive), 0, "dropped with the receiver");
}

#[test]
fn os_threads_need_no_runtime() {
    let (values, received) = bounded(1);
    let sender = thread::spawn(move || (0..1000).try_for_each(|value| values.send(value)));
    assert_eq!(received.iter().sum::<i32>(), (0..1000).sum());
    assert_eq!(sender.join().expect("no panic"), Ok(()));
}

#[test]
fn ends_that_go_at_the_same_time_are_noticed() {
    child_on_processors("both_ends_go", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn both_ends_go() {
    run(|| {
        for round in 0..300 {
            let (values, received) = bounded::<Box<i32>>(round % 3);
            let receives = spawn(move || received.recv().map(|value| *value));
            if round % 2 == 0 {
                let closes = spawn(move || drop(values));
                assert!(receives.join().expect("no panic").is_err());
                closes.join().expect("no panic");
            } else {
                let sends = spawn(move || values.send(Box::new(10)));
                assert_eq!(receives.join().expect("no panic"), Ok(10));
                assert!(sends.join().expect("no panic").is_ok());
            }

            let (values, received) = bounded::<Box<usize>>(0);
            let goes = spawn(move || drop(received));
            assert!(values.send(Box::new(round)).is_err_and(|error| *error.0 == round));
            goes.join().expect("no panic");
        }
    });
}

#[test]
fn loops_over_a_receiver_end_when_they_should() {
    child("loops_over_receivers").succeeds();
}

#[test]
#[ignore = "child process"]
fn loops_over_receivers() {
    start();
    let (values, received) = unbounded();
    let (total, result) = unbounded();
    spawn(move || {
        let mut sum = 0;
        for value in &received {
            sum += value;
        }
        total.send(sum)
    });
    [3, 1, 2].into_iter().for_each(|value| values.send(value).expect("somebody receives"));
    drop(values);
    assert_eq!(result.recv(), Ok(6));

    // One that is left early takes no more than it has given.
    let (values, received) = unbounded();
    (0..5).for_each(|value| values.send(value).expect("somebody receives"));
    for value in &received {
        if value == 2 {
            break;
        }
    }
    drop(values);
    assert_eq!(received.into_iter().collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_receiver_travels_through_a_channel() {
    child("receivers_in_channels").succeeds();
}

#[test]
#[ignore = "child process"]
fn receivers_in_channels() {
    run(|| {
        let (ends, received): (Sender<Receiver<i32>>, _) = bounded(0);
        let sums = spawn(move || received.iter().map(|values| values.iter().sum::<i32>()).sum::<i32>());
        for _ in 0..10 {
            let (values, end) = bounded(0);
            ends.send(end).expect("somebody receives");
            (0..10).for_each(|value| values.send(value).expect("somebody receives"));
        }
        drop(ends);
        assert_eq!(sums.join().expect("no panic"), 450);
    });
}

#[test]
fn handles_know_their_channel() {
    let (values, received) = bounded::<i32>(1);
    let (other, _) = bounded::<i32>(1);
    assert!(values.same_channel(&values.clone()) && !values.same_channel(&other));
    assert!(received.same_channel(&received.clone()));
    assert!(!values.is_full());
    values.send(1).expect("there is a receiver");
    assert!(values.is_full() && received.is_full());
    assert!(bounded::<i32>(0).0.is_full());
    assert!(!unbounded::<i32>().0.is_full());
}
