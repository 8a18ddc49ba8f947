//! Whatever selects send and receive arrives exactly once, also when selects face each other.
//!
//! What could break it: two selects that each wait for the other, or each abort for the other for ever; a message handed to a
//! branch that was not chosen; a waiter of a select that is over and swallows a message.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{select, spawn};
use std::thread;
use support::{Random, child_on_processors, run, start};

#[test]
fn selects_that_face_each_other_meet() {
    child_on_processors("pairs_of_selects", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pairs_of_selects() {
    run(|| {
        let pairs: Vec<_> = (0..50)
            .flat_map(|_| {
                let ((to_there, there), (to_back, back)) = (bounded(0), bounded(0));
                [spawn(move || face(to_there, back)), spawn(move || face(to_back, there))]
            })
            .collect();
        let counts: Vec<_> = pairs.into_iter().map(|side| side.join().expect("no panic")).collect();
        for pair in counts.chunks(2) {
            assert_eq!((pair[0].0, pair[0].1), (pair[1].1, pair[1].0), "sent and received differ");
        }
    });
}

#[test]
fn selects_of_os_threads_that_face_each_other_meet() {
    child_on_processors("a_pair_of_os_threads", &[1]);
}

#[test]
#[ignore = "child process"]
fn a_pair_of_os_threads() {
    start();
    let ((to_there, there), (to_back, back)) = (bounded(0), bounded(0));
    let other = thread::spawn(move || face(to_back, there));
    let one = face(to_there, back);
    let other = other.join().expect("no panic");
    assert_eq!(one, (other.1, other.0));
}

/// A thousand meetings with one that does the same from the other side: how often it sent, and received.
fn face(sender: Sender<u64>, receiver: Receiver<u64>) -> (u64, u64) {
    let (mut sent, mut received) = (0, 0);
    while sent + received < 1000 {
        select! {
            send(sender, sent) -> result => { result.expect("the other one is there"); sent += 1; }
            recv(receiver) -> number => { assert_eq!(number, Ok(received)); received += 1; }
        }
    }
    (sent, received)
}

#[test]
fn selects_in_a_ring_all_meet() {
    child_on_processors("a_ring_of_selects", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_ring_of_selects() {
    const MEMBERS: usize = 7;
    const SENT: u64 = 500;
    run(|| {
        // Each sends to the next and receives from the one before, in whatever order they meet.
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..MEMBERS).map(|_| bounded(0)).unzip();
        let mut receivers = std::collections::VecDeque::from(receivers);
        receivers.rotate_left(MEMBERS - 1);
        let members: Vec<_> = senders
            .into_iter()
            .zip(receivers)
            .map(|(to_next, from_last)| {
                spawn(move || {
                    let (mut sent, mut received) = (0, 0);
                    while sent < SENT || received < SENT {
                        select! {
                            send(to_next, sent) -> result, if sent < SENT => {
                                result.expect("the next one is there");
                                sent += 1;
                            }
                            recv(from_last) -> number, if received < SENT => {
                                assert_eq!(number, Ok(received));
                                received += 1;
                            }
                        }
                    }
                })
            })
            .collect();
        for member in members {
            member.join().expect("no panic");
        }
    });
}

#[test]
fn random_programs_of_selects_lose_nothing() {
    child_on_processors("random_programs", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn random_programs() {
    run(|| {
        for seed in 0..40 {
            random_program(seed);
        }
    });
}

/// Some selecting and some plain senders and receivers on three channels: the sum that arrives is the sum that was sent.
fn random_program(seed: u64) {
    const EACH: u64 = 100;
    let mut random = Random::new(seed);
    let channels: [_; 3] = std::array::from_fn(|_| bounded::<u64>(random.below(3) as usize));
    let senders = channels.each_ref().map(|(sender, _)| sender.clone());
    let receivers = channels.map(|(_, receiver)| receiver);
    let count = 2 + random.below(4);
    let sends: Vec<_> = (0..count)
        .map(|number| {
            let [a, b, c] = senders.clone();
            let selects = random.below(3) > 0;
            spawn(move || {
                for value in 0..EACH {
                    let value = number * EACH + value;
                    if !selects {
                        a.send(value).expect("it is open");
                        continue;
                    }
                    select! {
                        send(a, value) -> result => result.expect("it is open"),
                        send(b, value) -> result => result.expect("it is open"),
                        send(c, value) -> result => result.expect("it is open"),
                    }
                }
            })
        })
        .collect();
    drop(senders);
    let receives: Vec<_> = (0..1 + random.below(3))
        .map(|_| {
            let [a, b, c] = receivers.clone();
            spawn(move || {
                let (mut sum, mut open) = (0, [true; 3]);
                while open != [false; 3] {
                    let (at, message) = select! {
                        recv(a) -> message, if open[0] => (0, message),
                        recv(b) -> message, if open[1] => (1, message),
                        recv(c) -> message, if open[2] => (2, message),
                    };
                    message.map_or_else(|_| open[at] = false, |value| sum += value);
                }
                sum
            })
        })
        .collect();
    sends.into_iter().for_each(|sender| sender.join().expect("no panic"));
    let sum: u64 = receives.into_iter().map(|receiver| receiver.join().expect("no panic")).sum();
    assert_eq!(sum, (0..count * EACH).sum(), "seed {seed}");
}
