//! A runtime in which everybody sleeps makes one system call for the first deadline, and none when no timer is armed.
//!
//! What could break it: a tick, a keeper of the time that wakes to look around, two workers that keep it, or a timer that is
//! left behind.

mod support;

use greenbridge::{Builder, park, spawn, time};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{
    child, child_on_processors, others_come_to_rest, pause, run, start_with, switches_of_other_threads, wait_until,
};

/// How often all of them together went to sleep.
fn sleeps(switches: &BTreeMap<i32, Vec<String>>) -> u64 {
    let count = |fields: &Vec<String>| fields[0].rsplit('\t').next().and_then(|count| count.trim().parse::<u64>().ok());
    switches.values().map(|fields| count(fields).expect("a count")).sum()
}

#[test]
fn a_runtime_that_has_slept_does_nothing_afterwards() {
    child_on_processors("nothing_after_sleeps", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn nothing_after_sleeps() {
    run(|| {
        let sleepers: Vec<_> =
            (0..1000).map(|n| spawn(move || time::sleep(Duration::from_micros(n * 37 % 20_000)))).collect();
        let given_up = spawn(|| time::timeout(Duration::from_secs(1000), || time::sleep(Duration::from_millis(5))));
        for sleeper in sleepers {
            sleeper.join().expect("no panic");
        }
        assert_eq!(given_up.join().expect("no panic"), Ok(()));
    });
    let before = others_come_to_rest();
    pause(Duration::from_secs(2));
    assert_eq!(switches_of_other_threads().as_ref(), Some(&before), "an OS thread was woken for nothing");
}

#[test]
fn one_timer_is_one_wake_up() {
    child_on_processors("one_sleeper", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn one_sleeper() {
    static AWAKE: AtomicUsize = AtomicUsize::new(0);
    // When nothing is armed any more the monitor looks for a deadlock, some times: those looks are not the timer's.
    start_with(Builder::new().deadlock_detection(false));
    // They have all been awake once.
    run_some();
    for round in 1..=2 {
        spawn(move || {
            time::sleep(Duration::from_secs(3));
            AWAKE.store(round, Ordering::Release);
            park();
        });
        let before = others_come_to_rest();
        assert!(AWAKE.load(Ordering::Acquire) < round, "the machine is too slow for this test");
        wait_until(|| AWAKE.load(Ordering::Acquire) == round);
        let after = others_come_to_rest();
        assert_eq!(sleeps(&after) - sleeps(&before), 1, "{before:?}\n{after:?}");
    }
}

fn run_some() {
    let threads: Vec<_> = (0..100).map(|_| spawn(|| time::sleep(Duration::from_millis(1)))).collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn a_timer_that_is_far_away_costs_nothing() {
    child("a_far_deadline").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_far_deadline() {
    start_with(Builder::new().processors(2));
    let sleeper = spawn(|| time::sleep(Duration::from_secs(3600)));
    let before = others_come_to_rest();
    pause(Duration::from_secs(2));
    assert_eq!(switches_of_other_threads().as_ref(), Some(&before), "an OS thread was woken for nothing");
    sleeper.cancel();
    sleeper.join().expect_err("it was cancelled");
}
