//! In a watch channel every receiver comes to see the latest value, and whoever waits for a change is told of it.
//!
//! What could break it: a change between a look and a wait that nobody notices, two changes of which one is lost, or a wait for a sender that
//! is gone.

mod support;

use greenbridge::channel::{RecvError, RecvTimeoutError};
use greenbridge::sync::watch;
use greenbridge::{block_on, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{block_on_os_thread, child, child_on_processors, run, start};

#[test]
fn every_receiver_sees_the_last_value() {
    child_on_processors("levels_that_rise", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn levels_that_rise() {
    start();
    let (sender, receiver) = watch::channel(0_u64);
    let follow = |mut receiver: watch::Receiver<u64>| {
        let mut last = *receiver.borrow();
        while receiver.changed().is_ok() {
            let now = *receiver.borrow_and_update();
            assert!(now >= last, "back in time");
            last = now;
        }
        last
    };
    let on_green: Vec<_> = (0..8).map(|_| receiver.clone()).map(|r| spawn(move || follow(r))).collect();
    let on_os: Vec<_> = (0..2).map(|_| receiver.clone()).map(|r| thread::spawn(move || follow(r))).collect();
    let mut of_future = receiver.clone();
    let future = thread::spawn(move || {
        block_on_os_thread(async {
            while of_future.changed_async().await.is_ok() {}
            *of_future.borrow()
        })
    });
    drop(receiver);
    // Several senders: no change is lost.
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let sender = sender.clone();
            spawn(move || {
                for n in 0..500 {
                    sender.send_modify(|level| *level += 1);
                    if n % 16 == 0 {
                        yield_now();
                    }
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
    assert_eq!(*sender.borrow(), 2000);
    drop(sender);
    assert!(on_green.into_iter().all(|follow| follow.join().expect("no panic") == 2000));
    assert!(on_os.into_iter().all(|follow| follow.join().expect("no panic") == 2000));
    assert_eq!(future.join().expect("no panic"), 2000);
}

#[test]
fn what_has_been_seen_is_kept_for_each_receiver() {
    let (sender, mut first) = watch::channel(1);
    let mut second = first.clone();
    assert_eq!(first.has_changed(), Ok(false));
    assert_eq!(sender.send(2), Ok(()));
    assert_eq!((first.has_changed(), second.has_changed()), (Ok(true), Ok(true)));
    assert_eq!(*first.borrow(), 2);
    assert_eq!(first.has_changed(), Ok(true), "a look that does not count");
    assert_eq!(*first.borrow_and_update(), 2);
    assert_eq!((first.has_changed(), second.has_changed()), (Ok(false), Ok(true)));
    assert_eq!(second.clone().has_changed(), Ok(true), "a clone has seen what the receiver has seen");
    assert_eq!(sender.subscribe().has_changed(), Ok(false));
    assert_eq!(second.changed(), Ok(()));
    assert_eq!(second.has_changed(), Ok(false));
    second.mark_changed();
    assert_eq!((second.changed(), second.has_changed()), (Ok(()), Ok(false)));

    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(first.has_changed(), Ok(false));
    assert!(sender.send_if_modified(|value| {
        *value = 3;
        true
    }));
    drop(sender);
    assert_eq!((first.has_changed(), first.changed()), (Ok(true), Ok(())), "the last value counts after its sender");
    assert_eq!((first.has_changed(), first.changed()), (Err(RecvError), Err(RecvError)));
    assert_eq!(*first.borrow(), 3);
}

#[test]
fn a_value_is_kept_over_changes_and_dropped_with_its_last_holder() {
    let alive = Arc::new(());
    let (sender, receiver) = watch::channel(Arc::clone(&alive));
    let kept = receiver.borrow();
    let replaced = sender.send_replace(Arc::clone(&alive));
    assert!(Arc::ptr_eq(&kept, &replaced));
    assert_eq!(Arc::strong_count(&alive), 3);
    drop((kept, replaced));
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(receiver);
    assert!(Arc::ptr_eq(&sender.send(Arc::clone(&alive)).expect_err("nobody is there").0, &alive));
    drop(sender);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_change_or_a_predicate_that_panics_changes_nothing() {
    let (sender, mut receiver) = watch::channel(1);
    let change = || sender.send_modify(|_| panic!("a change that panics"));
    assert!(catch_unwind(AssertUnwindSafe(change)).is_err());
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (Ok(false), 1));
    let mut waits = || receiver.wait_for(|_| panic!("a predicate that panics"));
    assert!(catch_unwind(AssertUnwindSafe(&mut waits)).is_err());
    assert_eq!(sender.send(2), Ok(()));
    assert_eq!(receiver.changed(), Ok(()));
}

#[test]
fn waits_end_with_the_value_or_with_the_other_side() {
    child_on_processors("waits_for_levels", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn waits_for_levels() {
    run(|| {
        let (sender, receiver) = watch::channel(0);
        let waits: Vec<_> = (0..100)
            .map(|level| {
                let mut receiver = receiver.clone();
                spawn(move || receiver.wait_for(|now| *now >= level).map(|now| *now >= level))
            })
            .collect();
        let mut never = receiver.clone();
        let waits_in_vain = spawn(move || never.wait_for(|now| *now > 1000).is_err());
        for level in 0..100 {
            sender.send_replace(level);
            if level % 7 == 0 {
                yield_now();
            }
        }
        assert!(waits.into_iter().all(|waits| waits.join().expect("no panic") == Ok(true)));
        let other = sender.clone();
        drop(sender);
        assert!(!other.is_closed());
        drop(other);
        assert!(waits_in_vain.join().expect("no panic"));

        // The other way round: the last receiver goes.
        let (sender, receiver) = watch::channel(());
        let waits: Vec<_> = (0..3)
            .map(|n| {
                let sender = sender.clone();
                spawn(move || if n == 0 { block_on(sender.closed_async()) } else { sender.closed() })
            })
            .collect();
        yield_now();
        drop((receiver.clone(), receiver));
        waits.into_iter().for_each(|waits| waits.join().expect("no panic"));
        assert!(sender.is_closed());
        assert_eq!(sender.subscribe().has_changed(), Ok(false), "and there may be a new one");
    });
}

#[test]
fn a_wait_that_is_given_up_has_seen_nothing() {
    let (sender, mut receiver) = watch::channel(0);
    for value in 1..10 {
        {
            let future = pin!(receiver.changed_async());
            assert_eq!(future.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
            assert_eq!(sender.send(value), Ok(()));
        }
        assert_eq!(receiver.has_changed(), Ok(true));
        assert_eq!(receiver.changed(), Ok(()));
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
    let (sender, mut receiver) = watch::channel(0);
    assert_eq!(receiver.changed_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    assert_eq!(receiver.changed_deadline(Instant::now()), Err(RecvTimeoutError::Timeout));
    let late = receiver.wait_for_timeout(Duration::from_millis(1), |value| *value == 1);
    assert_eq!(late.map(|value| *value), Err(RecvTimeoutError::Timeout));
    let sends = spawn(move || sender.send(1));
    let in_time = receiver.wait_for_timeout(Duration::MAX, |value| *value == 1);
    assert_eq!(in_time.map(|value| *value), Ok(1));
    assert_eq!(sends.join().expect("no panic"), Ok(()));
    assert_eq!(receiver.changed_timeout(Duration::MAX), Err(RecvTimeoutError::Closed));
}
