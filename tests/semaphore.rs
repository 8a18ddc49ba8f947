//! A semaphore never has more permits out than it was given, loses none, and serves in order of arrival, whoever waits and however the
//! wait ends.
//!
//! What could break it: a waiter that takes permits along when it is cut short, one that needs little and overtakes one that
//! needs much, or a wake-up that stays with one who no longer waits.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::sync::{AcquireTimeoutError, Semaphore, SemaphorePermit, TryAcquireError};
use greenbridge::{spawn, yield_now};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};
use support::{Place, Random, child, child_on_processors, poll_once, run, spawn_future, start};

#[test]
fn permits_are_taken_and_given_back() {
    let semaphore = Semaphore::new(3);
    let one = semaphore.try_acquire().expect("three are free");
    let two = semaphore.try_acquire_many(2).expect("two are free");
    assert_eq!((one.num_permits(), two.num_permits(), semaphore.available_permits()), (1, 2, 0));
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
    drop(one);
    assert_eq!(semaphore.try_acquire_many(2).err(), Some(TryAcquireError::NoPermits));
    assert!(semaphore.try_acquire().is_ok());
    drop(two);
    assert_eq!(semaphore.available_permits(), 3);
    assert_eq!(semaphore.try_acquire_many(0).expect("none are free").num_permits(), 0);
}

#[test]
fn permits_are_added_and_forgotten() {
    let semaphore = Arc::new(Semaphore::new(1));
    semaphore.try_acquire().expect("one is free").forget();
    assert_eq!(semaphore.available_permits(), 0);
    Arc::clone(&semaphore).try_acquire_owned().expect_err("it is gone");
    semaphore.add_permits(5);
    Arc::clone(&semaphore).try_acquire_many_owned(2).expect("five are free").forget();
    assert_eq!(semaphore.available_permits(), 3);
    assert_eq!((semaphore.forget_permits(2), semaphore.forget_permits(2), semaphore.forget_permits(2)), (2, 1, 0));
}

#[test]
fn permits_are_split_and_merged() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut all = semaphore.try_acquire_many(5).expect("five are free");
    let two = all.split(2).expect("there are five");
    assert_eq!((all.num_permits(), two.num_permits()), (3, 2));
    assert!(all.split(4).is_none());
    all.merge(two);
    drop(all.split(1));
    assert_eq!(semaphore.available_permits(), 1);
    drop(all);
    let mut owned = Arc::clone(&semaphore).try_acquire_many_owned(5).expect("five are free");
    drop(owned.split(2));
    assert_eq!((owned.num_permits(), semaphore.available_permits()), (3, 2));
    drop(owned);
    assert_eq!(semaphore.available_permits(), 5);
}

#[test]
#[should_panic(expected = "permits of two semaphores")]
fn permits_of_two_semaphores_are_not_merged() {
    let (one, other) = (Semaphore::new(1), Semaphore::new(1));
    one.try_acquire().expect("one is free").merge(other.try_acquire().expect("one is free"));
}

#[test]
#[should_panic(expected = "more permits than `MAX_PERMITS`")]
fn more_than_the_most_is_refused() {
    let semaphore = Semaphore::new(Semaphore::MAX_PERMITS);
    assert_eq!(semaphore.available_permits(), Semaphore::MAX_PERMITS);
    semaphore.add_permits(1);
}

#[test]
fn who_needs_much_is_not_overtaken_by_who_needs_little() {
    let semaphore = Semaphore::new(1);
    let mut large = pin!(semaphore.acquire_many_async(3));
    let mut small = pin!(semaphore.acquire_async());
    assert!(poll_once(large.as_mut()).is_pending());
    assert!(poll_once(small.as_mut()).is_pending(), "there is a permit, and somebody who came first");
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
    semaphore.add_permits(1);
    assert!(poll_once(small.as_mut()).is_pending());
    semaphore.add_permits(2);
    let Poll::Ready(Ok(permits)) = poll_once(large.as_mut()) else { panic!("there are enough now") };
    assert!(poll_once(small.as_mut()).is_ready(), "there is one left");
    drop(permits);
    assert_eq!(semaphore.available_permits(), 4);
}

#[test]
fn one_release_serves_as_many_as_it_reaches() {
    let semaphore = Semaphore::new(0);
    let mut waiting: Vec<_> = (1..=4).map(|count| Box::pin(semaphore.acquire_many_async(count))).collect();
    assert!(waiting.iter_mut().all(|waiting| poll_once(waiting.as_mut()).is_pending()));
    semaphore.add_permits(7);
    let mut served = waiting.iter_mut().map(|waiting| match poll_once(waiting.as_mut()) {
        Poll::Ready(permits) => permits.map(SemaphorePermit::forget).is_ok(),
        Poll::Pending => false,
    });
    assert_eq!(std::array::from_fn(|_| served.next()), [Some(true), Some(true), Some(true), Some(false)]);
    assert_eq!(semaphore.available_permits(), 1, "1 + 2 + 3 of 7");
}

#[test]
fn a_future_that_is_dropped_loses_no_permit_and_keeps_nobody_waiting() {
    let semaphore = Semaphore::new(1);
    let mut large = Box::pin(semaphore.acquire_many_async(2));
    let mut next = pin!(semaphore.acquire_async());
    assert!(poll_once(large.as_mut()).is_pending());
    assert!(poll_once(next.as_mut()).is_pending());
    drop(large);
    let Poll::Ready(Ok(permit)) = poll_once(next.as_mut()) else { panic!("nobody is before it any more") };

    // Served, and dropped before it knows.
    let mut served = Box::pin(semaphore.acquire_async());
    let mut next = pin!(semaphore.acquire_async());
    assert!(poll_once(served.as_mut()).is_pending());
    assert!(poll_once(next.as_mut()).is_pending());
    drop(permit);
    assert_eq!(semaphore.available_permits(), 0, "it is handed over");
    drop(served);
    assert!(poll_once(next.as_mut()).is_ready());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_closed_semaphore_gives_none_out_and_takes_them_back() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().expect("one is free");
    let mut waiting = pin!(semaphore.acquire_async());
    assert!(poll_once(waiting.as_mut()).is_pending());
    assert!(semaphore.close() && semaphore.is_closed() && !semaphore.close());
    assert!(matches!(poll_once(waiting.as_mut()), Poll::Ready(Err(_))));
    drop(permit);
    assert_eq!(semaphore.available_permits(), 1);
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::Closed));
    assert!(semaphore.acquire().is_err());
    assert_eq!(semaphore.acquire_timeout(Duration::MAX).err(), Some(AcquireTimeoutError::Closed));
}

#[test]
fn who_waits_is_told_when_it_is_closed() {
    child("closed_under_those_that_wait").succeeds();
}

#[test]
#[ignore = "child process"]
fn closed_under_those_that_wait() {
    start();
    let semaphore = Arc::new(Semaphore::new(0));
    let waiting = Place::ALL.map(|place| {
        let semaphore = Arc::clone(&semaphore);
        place.spawn(move || semaphore.acquire().is_err())
    });
    let future = {
        let semaphore = Arc::clone(&semaphore);
        spawn_future(async move { semaphore.acquire_owned_async().await.is_err() })
    };
    semaphore.close();
    assert!(waiting.into_iter().chain([future]).all(|waiting| waiting.join()));
}

#[test]
fn a_deadline_ends_the_wait_of_an_os_thread() {
    child("os_threads_wait_with_deadlines").succeeds();
}

#[test]
#[ignore = "child process"]
fn os_threads_wait_with_deadlines() {
    start();
    wait_with_deadlines();
}

#[test]
fn a_deadline_ends_the_wait_of_a_green_thread() {
    child_on_processors("green_threads_wait_with_deadlines", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn green_threads_wait_with_deadlines() {
    run(|| {
        wait_with_deadlines();
        support::in_callback(wait_with_deadlines);
    });
}

fn wait_with_deadlines() {
    let semaphore = Semaphore::new(1);
    assert!(semaphore.acquire_timeout(Duration::ZERO).is_ok(), "no wait is needed");
    assert!(semaphore.acquire_deadline(Instant::now()).is_ok());
    let timeout = Some(AcquireTimeoutError::Timeout);
    assert_eq!(semaphore.acquire_many_timeout(2, Duration::from_millis(2)).err(), timeout);
    assert_eq!(semaphore.acquire_many_deadline(2, Instant::now() + Duration::from_millis(2)).err(), timeout);
    assert_eq!(semaphore.available_permits(), 1);
    assert!(semaphore.try_acquire().is_ok(), "who has given up is in nobody's way");
}

#[test]
fn never_more_than_there_are_and_none_lost() {
    child_on_processors("all_kinds_share_permits", &[1, 2, 8]);
}

const PERMITS: u32 = 3;

/// A semaphore and how many of its permits are held.
struct Shared {
    semaphore: Semaphore,
    held: AtomicUsize,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self { semaphore: Semaphore::new(PERMITS as usize), held: AtomicUsize::new(0) })
    }

    /// Holds permits for a while.
    fn hold(&self, permits: SemaphorePermit<'_>, pause: impl FnOnce()) {
        let count = permits.num_permits();
        let held = self.held.fetch_add(count, Ordering::AcqRel) + count;
        assert!(held <= PERMITS as usize, "{held} permits are held");
        pause();
        self.held.fetch_sub(count, Ordering::AcqRel);
    }

    /// All permits are free, and nobody waits.
    fn is_whole(&self) {
        assert_eq!(self.semaphore.available_permits(), PERMITS as usize);
        assert_eq!(self.held.load(Ordering::Acquire), 0);
        assert!(self.semaphore.try_acquire_many(PERMITS).is_ok(), "somebody seems to wait");
    }
}

#[test]
#[ignore = "child process"]
fn all_kinds_share_permits() {
    start();
    let shared = Shared::new();
    let count = |random: &mut Random| 1 + random.below(PERMITS.into()) as u32;
    let mut running = Vec::new();
    for seed in 0..12 {
        let place = Place::ALL[seed as usize % 3];
        let ours = Arc::clone(&shared);
        running.push(place.spawn(move || {
            let mut random = Random::new(seed);
            for _ in 0..300 {
                let permits = ours.semaphore.acquire_many(count(&mut random)).expect("it is open");
                ours.hold(permits, yield_now);
            }
        }));
    }
    for seed in 100..104 {
        let ours = Arc::clone(&shared);
        running.push(spawn_future(async move {
            let mut random = Random::new(seed);
            for _ in 0..300 {
                let permits = ours.semaphore.acquire_many_async(count(&mut random)).await.expect("it is open");
                ours.hold(permits, || ());
            }
        }));
    }
    running.into_iter().for_each(support::Running::join);
    shared.is_whole();
}

#[test]
fn waits_that_are_cut_short_lose_no_permit() {
    child_on_processors("acquiring_is_cut_short", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn acquiring_is_cut_short() {
    run(|| {
        let shared = Shared::new();
        for round in 0..40 {
            let token = CancelToken::new();
            let threads: Vec<_> = (0..12_u64)
                .map(|n| {
                    let (shared, token) = (Arc::clone(&shared), token.clone());
                    spawn(move || {
                        let mut random = Random::new(12 * round + n);
                        let mut acquire_some = || {
                            for _ in 0..10 {
                                let count = 1 + random.below(PERMITS.into()) as u32;
                                if n % 4 == 3 {
                                    // A future that is polled a few times, and dropped.
                                    let mut future = pin!(shared.semaphore.acquire_many_async(count));
                                    for _ in 0..random.below(3) {
                                        if let Poll::Ready(permits) = poll_once(future.as_mut()) {
                                            shared.hold(permits.expect("it is open"), || ());
                                            break;
                                        }
                                        yield_now();
                                    }
                                } else {
                                    let permits = shared.semaphore.acquire_many(count).expect("it is open");
                                    // No wait while it is counted, so that the count is taken back.
                                    shared.hold(permits, || ());
                                    yield_now();
                                }
                            }
                        };
                        if n % 2 == 0 {
                            let _ = token.run(acquire_some);
                        } else {
                            acquire_some();
                        }
                    })
                })
                .collect();
            yield_now();
            token.cancel();
            threads[1].cancel();
            threads[5].cancel();
            threads.into_iter().for_each(|thread| drop(thread.join()));
            shared.is_whole();
        }
    });
}
