//! A wait on a condition variable that is cut short, or dropped, leaves the lock to the others, and a notification that was meant for
//! it alone as well.
//!
//! What could break it: a notification that goes with the one that was cancelled, or a lock that is taken again by nobody.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::sync::{Condvar, Mutex, MutexGuard};
use greenbridge::{JoinHandle, spawn, yield_now};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use support::{Random, child, child_on_processors, run, yield_until};

type Pair = Arc<(Mutex<usize>, Condvar)>;

#[test]
fn a_wait_that_is_cut_short_does_not_hold_the_lock() {
    child_on_processors("waits_are_cut_short", &[1, 2]);
}

/// Takes the lock in its destructor, as a cleaning-up one may.
struct LocksAtItsEnd<'a>(&'a Mutex<usize>);

impl Drop for LocksAtItsEnd<'_> {
    fn drop(&mut self) {
        *self.0.lock() += 100;
    }
}

#[test]
#[ignore = "child process"]
fn waits_are_cut_short() {
    run(|| {
        for round in 0..50 {
            let (pair, token): (Pair, _) = (Arc::default(), CancelToken::new());
            let (shared, cut_short) = (Arc::clone(&pair), token.clone());
            let waiter = spawn(move || {
                cut_short.run(|| {
                    let _adds = LocksAtItsEnd(&shared.0);
                    let mut guard = shared.0.lock();
                    *guard += 1;
                    drop(shared.1.wait(guard));
                })
            });
            if round % 2 == 0 {
                while *pair.0.lock() == 0 {
                    yield_now();
                }
            }
            token.cancel();
            waiter.join().expect("caught by its scope").expect_err("cut short");
            assert_eq!(*pair.0.try_lock().expect("nobody holds it"), 101);
        }
    });
}

#[test]
fn a_notification_is_passed_on_by_one_that_is_cut_short() {
    child_on_processors("notified_ones_are_cut_short", &[1, 2, 8]);
}

/// Each round, one is notified and cut short at the same time. Either it returns, or the notification wakes the other.
#[test]
#[ignore = "child process"]
fn notified_ones_are_cut_short() {
    run(|| {
        for round in 0..300 {
            let (pair, woken, token): (Pair, Arc<AtomicUsize>, _) =
                (Arc::default(), Arc::default(), CancelToken::new());
            let waiters: [JoinHandle<_>; 2] = [Some(token.clone()), None].map(|token| {
                let (pair, woken) = (Arc::clone(&pair), Arc::clone(&woken));
                let waits = move || {
                    let mut guard = pair.0.lock();
                    *guard += 1;
                    drop(pair.1.wait(guard));
                    woken.fetch_add(1, Ordering::AcqRel);
                };
                let waiter = spawn(move || match token {
                    Some(token) => token.run(waits).is_ok(),
                    None => {
                        waits();
                        true
                    }
                });
                yield_now();
                waiter
            });
            while *pair.0.lock() < 2 {
                yield_now();
            }
            // Sometimes the lock is held, so that the one that was notified is cut short on its way to that.
            let guard = (round % 3 == 0).then(|| pair.0.lock());
            let cancels = spawn(move || token.cancel());
            for _ in 0..Random::new(round).below(3) {
                yield_now();
            }
            pair.1.notify_one();
            assert!(cancels.join().expect("no panic"));
            drop(guard);
            yield_until(&woken, 1);
            pair.1.notify_all();
            let [first, second] = waiters.map(|waiter| waiter.join().expect("no panic"));
            assert!(second);
            assert_eq!(woken.load(Ordering::Acquire), usize::from(first) + 1);
        }
    });
}

#[test]
fn a_future_of_a_wait_may_be_dropped_at_any_point() {
    child("futures_of_waits_are_dropped").succeeds();
}

#[test]
#[ignore = "child process"]
fn futures_of_waits_are_dropped() {
    run(|| {
        let (lock, condvar) = (Mutex::new(0), Condvar::new());
        let is_free = || lock.try_lock().is_some();

        // Never polled: it still holds the lock, and releases it.
        let future = condvar.wait_async(lock.lock());
        assert!(!is_free());
        drop(future);
        assert!(is_free());

        // Polled once: the lock is released.
        let mut first = Box::pin(condvar.wait_async(lock.lock()));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(is_free());
        let mut second = Box::pin(condvar.wait_async(lock.lock()));
        assert!(poll_once(second.as_mut()).is_pending());
        let mut third = Box::pin(condvar.wait_async(lock.lock()));
        assert!(poll_once(third.as_mut()).is_pending());

        // Notified, and dropped: the next one is notified.
        condvar.notify_one();
        drop(first);
        let guard = lock.lock();
        assert!(poll_once(second.as_mut()).is_pending(), "notified, but the lock is held");
        // Notified, waiting for the lock, and dropped: the next one is notified.
        drop(second);
        drop(guard);
        assert!(matches!(poll_once(third.as_mut()), Poll::Ready(guard) if *guard == 0));
        assert!(is_free());

        // Notified with all others, and dropped: a later one is not woken for it.
        let mut first = Box::pin(condvar.wait_async(lock.lock()));
        assert!(poll_once(first.as_mut()).is_pending());
        condvar.notify_all();
        let mut later = Box::pin(condvar.wait_async(lock.lock()));
        assert!(poll_once(later.as_mut()).is_pending());
        drop(first);
        assert!(poll_once(later.as_mut()).is_pending());
        drop(later);
        let _: MutexGuard<'_, i32> = lock.try_lock().expect("nobody holds it");
    });
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
