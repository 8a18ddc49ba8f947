//! A wait for a lock that ends early, cut short, late, or with its future, takes no lock and no wake-up along.
//!
//! What could break it: the one that was woken, or handed the lock, goes away at that very moment, and the lock stays locked, or
//! free with others asleep beside it.

mod support;

use greenbridge::cancel::{CancelToken, Cancelled};
use greenbridge::sync::Mutex;
use greenbridge::{spawn, yield_now};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{Random, child, child_on_processors, run, start};

#[test]
fn a_wait_that_is_cut_short_has_not_locked() {
    child_on_processors("a_wait_for_a_lock_is_cut_short", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_wait_for_a_lock_is_cut_short() {
    run(|| {
        let (lock, token) = (Arc::new(Mutex::new(0)), CancelToken::new());
        let guard = lock.lock();
        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let (lock, token) = (Arc::clone(&lock), token.clone());
                spawn(move || token.run(|| *lock.lock() += 1))
            })
            .collect();
        yield_now();
        token.cancel();
        for waiter in waiters {
            waiter.join().expect("caught by its scope").expect_err("cut short");
        }
        drop(guard);
        assert_eq!(*lock.try_lock().expect("nobody holds it"), 0);
        // One that need not wait is not cut short.
        assert_eq!(token.run(|| *lock.lock()), Ok(0));
    });
}

#[test]
fn waits_that_are_cut_short_at_random_lose_no_lock() {
    child_on_processors("waits_for_a_lock_are_cut_short_at_random", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn waits_for_a_lock_are_cut_short_at_random() {
    run(|| {
        let lock = Arc::new(Mutex::new(0_u64));
        for round in 0..60 {
            let tokens: Vec<_> = (0..20).map(|_| CancelToken::new()).collect();
            let before = *lock.lock();
            let waiters: Vec<_> = (0_u64..)
                .zip(&tokens)
                .map(|(seed, token)| {
                    let (lock, token) = (Arc::clone(&lock), token.clone());
                    spawn(move || adds_until_cut_short(&lock, &token, Random::new(100 * round + seed)))
                })
                .collect();
            let mut random = Random::new(round);
            for token in &tokens {
                for _ in 0..random.below(4) {
                    yield_now();
                }
                token.cancel();
            }
            let added: u64 = waiters.into_iter().map(|waiter| waiter.join().expect("no panic")).sum();
            assert_eq!(*lock.lock(), before + added);
        }
    });
}

/// Adds until it is cut short, or has had enough, and returns how often.
fn adds_until_cut_short(lock: &Mutex<u64>, token: &CancelToken, mut random: Random) -> u64 {
    let mut added = 0;
    let _: Result<(), Cancelled> = token.run(|| {
        for _ in 0..50 {
            let mut sum = lock.lock();
            *sum += 1;
            added += 1;
            if random.below(2) == 0 {
                yield_now();
            }
        }
    });
    added
}

#[test]
fn futures_that_are_dropped_at_random_lose_no_lock() {
    child_on_processors("futures_of_a_lock_are_dropped_at_random", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn futures_of_a_lock_are_dropped_at_random() {
    run(|| {
        let lock = Arc::new(Mutex::new(0_u64));
        let threads: Vec<_> = (0..20)
            .map(|seed| {
                let lock = Arc::clone(&lock);
                spawn(move || {
                    let mut random = Random::new(seed);
                    let mut added = 0;
                    for _ in 0..300 {
                        if random.below(3) == 0 {
                            *lock.lock() += 1;
                            added += 1;
                            continue;
                        }
                        let mut future = Box::pin(lock.lock_async());
                        for _ in 0..random.below(4) {
                            if let Poll::Ready(mut sum) = poll_once(future.as_mut()) {
                                *sum += 1;
                                added += 1;
                                yield_now();
                                break;
                            }
                            yield_now();
                        }
                    }
                    added
                })
            })
            .collect();
        let added: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(*lock.lock(), added);
    });
}

#[test]
fn a_future_passes_on_what_it_was_given() {
    child("a_future_is_dropped_with_the_lock_in_its_hands").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_future_is_dropped_with_the_lock_in_its_hands() {
    run(|| {
        let lock = Mutex::new(());
        // Woken, and dropped.
        let guard = lock.lock();
        let (mut first, mut second) = (Box::pin(lock.lock_async()), Box::pin(lock.lock_async()));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        drop(guard);
        drop(first);
        assert!(poll_once(second.as_mut()).is_ready());
        // Handed the lock after a lost race, and dropped.
        let guard = lock.lock();
        let (mut first, mut second) = (Box::pin(lock.lock_async()), Box::pin(lock.lock_async()));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        drop(guard);
        let guard = lock.try_lock().expect("a lock barges");
        assert!(poll_once(first.as_mut()).is_pending());
        drop(guard);
        assert!(lock.try_lock().is_none(), "it has been handed over");
        drop(first);
        assert!(poll_once(second.as_mut()).is_ready());
        drop(second);
        assert!(lock.try_lock().is_some());
    });
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_timed_wait_ends_without_the_lock() {
    child("timed_waits_of_os_threads_end").succeeds();
}

#[test]
#[ignore = "child process"]
fn timed_waits_of_os_threads_end() {
    start();
    timed_waits_end();
}

#[test]
fn a_timed_wait_of_a_green_thread_ends_without_the_lock() {
    child("timed_waits_of_green_threads_end").succeeds();
}

#[test]
#[ignore = "child process"]
fn timed_waits_of_green_threads_end() {
    run(timed_waits_end);
}

fn timed_waits_end() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    assert!(lock.try_lock_for(Duration::ZERO).is_none());
    assert!(lock.try_lock_until(Instant::now()).is_none());
    assert!(lock.try_lock_for(Duration::from_millis(10)).is_none());
    drop(guard);
    assert!(lock.try_lock_for(Duration::ZERO).is_some());
    assert!(lock.try_lock_until(Instant::now()).is_some(), "a deadline that has passed is tried once");
    assert!(lock.try_lock_for(Duration::MAX).is_some());
}

#[test]
fn timed_waits_lose_no_lock() {
    child_on_processors("os_threads_wait_with_deadlines", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn os_threads_wait_with_deadlines() {
    start();
    let lock = Arc::new(Mutex::new(0_u64));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let mut random = Random::new(seed);
                let mut added = 0;
                for _ in 0..200 {
                    if let Some(mut sum) = lock.try_lock_for(Duration::from_micros(random.below(100))) {
                        *sum += 1;
                        added += 1;
                    }
                }
                added
            })
        })
        .collect();
    let green = {
        let lock = Arc::clone(&lock);
        spawn(move || {
            for _ in 0..200 {
                let mut sum = lock.lock();
                yield_now();
                *sum += 1;
            }
            200
        })
    };
    let added: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(added + green.join().expect("no panic"), *lock.lock());
}
