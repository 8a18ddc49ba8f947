//! A green thread that is woken by one which then computes for long does not wait for the end of that turn: an idle processor
//! takes it over.
//!
//! What could break it: `next`, which nobody is woken for, on a processor whose owner does not come back to it; and
//! a monitor that sleeps, because `next` was filled at the moment in which the other processor became idle.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{park, run, spawn};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Random, child_on_processors, start, switches_of_other_threads, wait_until};

/// Computes until `flag` is set: a turn without an end, unless somebody else sets it.
fn compute_until(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        spin_loop();
    }
}

/// Computes for a while that ends before, while or after the other worker gives up its search.
fn compute(random: &mut Random) {
    for _ in 0..random.below(1000) {
        spin_loop();
    }
}

/// Until every other OS thread sleeps for good, the monitor too.
fn rest() {
    let mut before = None;
    wait_until(|| {
        let now = switches_of_other_threads();
        let is_at_rest = now.is_some() && now == before;
        before = now;
        is_at_rest
    });
}

#[test]
fn one_that_was_unparked_runs_while_its_waker_computes() {
    child_on_processors("unparks_by_ones_that_compute", &[2]);
}

#[test]
#[ignore = "child process"]
fn unparks_by_ones_that_compute() {
    start();
    run(|| {
        let mut random = Random::new(1);
        for round in 0..1000 {
            if round % 4 == 0 {
                rest();
            }
            let (parks, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let (about_to, done) = (Arc::clone(&parks), Arc::clone(&runs));
            let parked = spawn(move || {
                about_to.store(true, Ordering::Release);
                park();
                done.store(true, Ordering::Release);
            });
            compute_until(&parks);
            compute(&mut random);
            parked.thread().unpark();
            compute_until(&runs);
            parked.join().expect("no panic");
        }
    });
}

#[test]
fn one_that_was_sent_a_message_runs_while_the_sender_computes() {
    child_on_processors("messages_by_ones_that_compute", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn messages_by_ones_that_compute() {
    start();
    run(|| {
        let mut random = Random::new(2);
        let (messages, received) = bounded::<Arc<AtomicBool>>(0);
        let receiver = spawn(move || {
            for flag in received {
                flag.store(true, Ordering::Release);
            }
        });
        for round in 0..300 {
            if round % 4 == 0 {
                rest();
            }
            let flag = Arc::new(AtomicBool::new(false));
            messages.send(Arc::clone(&flag)).expect("the receiver lives");
            compute_until(&flag);
            compute(&mut random);
        }
        drop(messages);
        receiver.join().expect("no panic");
    });
}
