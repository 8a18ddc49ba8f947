//! A wait group lets those who wait go when all of its members have counted out, however they ended, and not before.
//!
//! What could break it: a member that is lost in a panic or a cancellation, a wake-up between the look and the wait, or a count that
//! goes below 0 unnoticed.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::sync::{TimedOut, WaitGroup};
use greenbridge::{park, spawn, yield_now};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Place, Running, child_on_processors, in_callback, poll_once, run, spawn_future, start};

#[test]
fn nobody_waits_for_a_group_without_members() {
    let group = WaitGroup::new();
    group.wait();
    drop(group.enter());
    group.add(0);
    group.wait();
}

#[test]
fn all_must_have_counted_out() {
    let group = WaitGroup::new();
    group.add(2);
    let member = group.enter();
    let twin = member.clone();
    assert_eq!(group.count(), 4);
    let mut waiting = pin!(group.wait_async());
    for count_out in [&mut || group.done(), &mut || group.clone().done()] as [&mut dyn FnMut(); 2] {
        assert!(poll_once(waiting.as_mut()).is_pending());
        count_out();
    }
    drop(member);
    assert!(poll_once(waiting.as_mut()).is_pending());
    drop(twin);
    // It was let go, whatever comes then.
    let _next = group.enter();
    assert!(poll_once(waiting.as_mut()).is_ready());
    assert!(poll_once(pin!(group.wait_async())).is_pending());
}

#[test]
#[should_panic(expected = "told `done` more often than it was told to `add`")]
fn counting_out_once_too_often_is_a_panic() {
    let group = WaitGroup::new();
    group.add(1);
    group.done();
    group.done();
}

#[test]
#[should_panic(expected = "too many members")]
fn counting_in_too_many_is_a_panic() {
    let group = WaitGroup::new();
    group.add(usize::MAX);
    group.add(1);
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
    let group = WaitGroup::new();
    let member = group.enter();
    let soon = Duration::from_millis(2);
    assert_eq!(group.wait_timeout(soon), Err(TimedOut));
    assert_eq!(group.wait_deadline(Instant::now() + soon), Err(TimedOut));
    drop(member);
    assert_eq!((group.wait_timeout(Duration::MAX), group.wait_deadline(Instant::now())), (Ok(()), Ok(())));
}

#[test]
fn all_kinds_wait_for_all_kinds() {
    child_on_processors("groups_of_all_kinds", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn groups_of_all_kinds() {
    start();
    for _ in 0..100 {
        let (group, count) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
        let working: Vec<_> = Place::ALL
            .into_iter()
            .chain(Place::ALL)
            .map(|place| {
                let (member, count) = (group.enter(), Arc::clone(&count));
                place.spawn(move || {
                    count.fetch_add(1, Ordering::Relaxed);
                    drop(member);
                })
            })
            .collect();
        let mut waiting: Vec<Running<usize>> = Place::ALL
            .into_iter()
            .map(|place| {
                let (group, count) = (group.clone(), Arc::clone(&count));
                place.spawn(move || {
                    group.wait();
                    count.load(Ordering::Relaxed)
                })
            })
            .collect();
        let (ours, counted) = (group.clone(), Arc::clone(&count));
        waiting.push(spawn_future(async move {
            ours.wait_async().await;
            counted.load(Ordering::Relaxed)
        }));
        assert!(waiting.into_iter().all(|waiting| waiting.join() == 6), "let go too early");
        working.into_iter().for_each(Running::join);
        assert_eq!(group.count(), 0);
    }
}

#[test]
fn who_panics_or_is_cancelled_has_counted_out() {
    child_on_processors("members_end_badly", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn members_end_badly() {
    run(|| {
        for _ in 0..50 {
            let group = WaitGroup::new();
            let members: Vec<_> = (0..9)
                .map(|n| {
                    let member = group.enter();
                    spawn(move || {
                        let _member = member;
                        match n % 3 {
                            0 => yield_now(),
                            1 => panic!("of the test"),
                            _ => park(),
                        }
                    })
                })
                .collect();
            // Some have not begun to run, and some wait.
            members.iter().skip(2).step_by(3).for_each(greenbridge::JoinHandle::cancel);
            group.wait();
            assert_eq!(members.into_iter().filter_map(|member| member.join().err()).count(), 6);
        }
    });
}

#[test]
fn a_wait_that_is_cut_short_leaves_the_group_as_it_was() {
    child_on_processors("waiting_is_cut_short", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn waiting_is_cut_short() {
    run(|| {
        for _ in 0..100 {
            let (group, token) = (WaitGroup::new(), CancelToken::new());
            let member = group.enter();
            let waiting: Vec<_> = (0..4)
                .map(|n| {
                    let (group, token) = (group.clone(), token.clone());
                    spawn(move || {
                        if n % 2 == 0 {
                            token.run(|| group.wait()).is_ok()
                        } else {
                            group.wait();
                            true
                        }
                    })
                })
                .collect();
            yield_now();
            token.cancel();
            yield_now();
            drop(member);
            let let_go: Vec<_> = waiting.into_iter().map(|thread| thread.join().expect("no panic")).collect();
            assert!(let_go[1] && let_go[3], "{let_go:?}");
            assert_eq!(group.count(), 0);
        }
    });
}
