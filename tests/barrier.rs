//! A barrier lets a round go when all of it have come, and not before; exactly one leads; who gives up has not come.
//!
//! What could break it: rounds that mix when a fast member comes again before the slow ones have gone, a member that is counted
//! after it was cut short, or one that is cut short just when the round is complete.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::sync::{Barrier, TimedOut};
use greenbridge::{spawn, yield_now};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};
use support::{Place, Running, child_on_processors, in_callback, poll_once, run, spawn_future, start};

#[test]
fn a_barrier_of_one_or_none_keeps_nobody() {
    for size in [0, 1] {
        let barrier = Barrier::new(size);
        for _ in 0..3 {
            assert!(barrier.wait().is_leader());
        }
    }
}

#[test]
fn the_last_of_a_round_leads_it() {
    let barrier = Barrier::new(3);
    for _ in 0..3 {
        let (mut first, mut second) = (pin!(barrier.wait_async()), pin!(barrier.wait_async()));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        assert!(barrier.wait().is_leader());
        // The next round begins before this one has gone.
        let mut next = pin!(barrier.wait_async());
        assert!(poll_once(next.as_mut()).is_pending());
        for member in [first.as_mut(), second.as_mut()] {
            assert!(matches!(poll_once(member), Poll::Ready(result) if !result.is_leader()));
        }
    }
}

#[test]
fn a_member_that_is_dropped_has_not_come() {
    let barrier = Barrier::new(2);
    let mut gone = Box::pin(barrier.wait_async());
    assert!(poll_once(gone.as_mut()).is_pending());
    drop(gone);
    let mut first = Box::pin(barrier.wait_async());
    assert!(poll_once(first.as_mut()).is_pending(), "it is the first");
    assert!(barrier.wait().is_leader());
    // Complete: whether it looks or not.
    drop(first);
    let mut next = pin!(barrier.wait_async());
    assert!(poll_once(next.as_mut()).is_pending());
}

#[test]
fn a_deadline_ends_the_wait_of_an_os_thread() {
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
        in_callback(wait_with_deadlines);
    });
}

fn wait_with_deadlines() {
    let barrier = Barrier::new(2);
    let soon = Duration::from_millis(2);
    assert_eq!(barrier.wait_timeout(soon), Err(TimedOut));
    assert_eq!(barrier.wait_deadline(Instant::now() + soon), Err(TimedOut));
    let mut first = pin!(barrier.wait_async());
    assert!(poll_once(first.as_mut()).is_pending(), "nobody has come");
    assert!(barrier.wait_timeout(Duration::ZERO).is_ok_and(|result| result.is_leader()));
}

#[test]
fn rounds_do_not_mix() {
    child_on_processors("all_kinds_meet", &[1, 2, 8]);
}

const MEMBERS: usize = 8;
const ROUNDS: usize = 200;

#[test]
#[ignore = "child process"]
fn all_kinds_meet() {
    /// Counts those who have come, and returns whether all had come when it was let go.
    struct Meeting {
        barrier: Barrier,
        came: [AtomicUsize; ROUNDS],
    }
    impl Meeting {
        fn come(&self, round: usize) {
            self.came[round].fetch_add(1, Ordering::AcqRel);
        }

        fn all_have_come(&self, round: usize) {
            assert_eq!(self.came[round].load(Ordering::Acquire), MEMBERS, "let go too early");
            let next = self.came.get(round + 1).map_or(0, |came| came.load(Ordering::Acquire));
            assert!(next <= MEMBERS);
            let later = self.came.get(round + 2).map_or(0, |came| came.load(Ordering::Acquire));
            assert_eq!(later, 0, "a round was left out");
        }
    }
    start();
    let meeting = Arc::new(Meeting { barrier: Barrier::new(MEMBERS), came: [const { AtomicUsize::new(0) }; ROUNDS] });
    let mut members: Vec<Running<usize>> = Vec::new();
    for n in 0..MEMBERS - 2 {
        let meeting = Arc::clone(&meeting);
        members.push(Place::ALL[n % 3].spawn(move || {
            let mut led = 0;
            for round in 0..ROUNDS {
                meeting.come(round);
                led += usize::from(meeting.barrier.wait().is_leader());
                meeting.all_have_come(round);
            }
            led
        }));
    }
    for _ in 0..2 {
        let meeting = Arc::clone(&meeting);
        members.push(spawn_future(async move {
            let mut led = 0;
            for round in 0..ROUNDS {
                meeting.come(round);
                led += usize::from(meeting.barrier.wait_async().await.is_leader());
                meeting.all_have_come(round);
            }
            led
        }));
    }
    let led: usize = members.into_iter().map(Running::join).sum();
    assert_eq!(led, ROUNDS);
}

/// As many lead as with std's barrier, of as many rounds.
#[test]
fn it_counts_leaders_as_std_does() {
    for size in [1, 2, 5] {
        let ours = {
            let barrier = Arc::new(Barrier::new(size));
            leaders(size, move || barrier.wait().is_leader())
        };
        let stds = {
            let barrier = Arc::new(std::sync::Barrier::new(size));
            leaders(size, move || barrier.wait().is_leader())
        };
        assert_eq!(ours, stds, "size {size}");
    }
}

fn leaders(size: usize, wait: impl Fn() -> bool + Clone + Send + 'static) -> usize {
    let members = (0..size).map(|_| {
        let wait = wait.clone();
        thread::spawn(move || (0..50).filter(|_| wait()).count())
    });
    let members: Vec<_> = members.collect();
    members.into_iter().map(|member| member.join().expect("no panic")).sum()
}

#[test]
fn who_is_cut_short_has_not_come() {
    child_on_processors("members_are_cut_short", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn members_are_cut_short() {
    run(|| {
        let barrier = Arc::new(Barrier::new(5));
        for _ in 0..100 {
            let token = CancelToken::new();
            let fickle: Vec<_> = (0..4)
                .map(|n| {
                    let (barrier, token) = (Arc::clone(&barrier), token.clone());
                    spawn(move || {
                        if n % 2 == 0 {
                            token.run(|| barrier.wait()).is_ok()
                        } else {
                            barrier.wait();
                            true
                        }
                    })
                })
                .collect();
            yield_now();
            token.cancel();
            fickle[1].cancel();
            fickle[3].cancel();
            let stayed = fickle.into_iter().filter_map(|thread| thread.join().ok()).filter(|stayed| *stayed).count();
            assert_eq!(stayed, 0, "four of five");
            assert_eq!(format!("{barrier:?}"), "Barrier { size: 5, arrived: 0 }");
        }
        // It still works.
        let members: Vec<_> =
            (0..5).map(|_| Arc::clone(&barrier)).map(|barrier| spawn(move || barrier.wait())).collect();
        let led = members.into_iter().map(|member| member.join().expect("no panic").is_leader());
        assert_eq!(led.filter(|led| *led).count(), 1);
    });
}
