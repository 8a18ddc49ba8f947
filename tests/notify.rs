//! A notification reaches one who waits, or the next that comes; one to all reaches everybody whose wait has begun. None is lost with
//! a waiter that is cut short.
//!
//! What could break it: a waiter that takes the notification along when it goes, or one that is made before `notify_waiters` and polled
//! after it.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::sync::{Notified, Notify, TimedOut};
use greenbridge::{spawn, yield_now};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};
use support::{Place, Running, child_on_processors, in_callback, poll_once, run, spawn_future, start, yield_until};

fn is_notified(notified: Pin<&mut Notified<'_>>) -> bool {
    poll_once(notified).is_ready()
}

#[test]
fn one_is_kept_for_the_next_that_waits() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    notify.wait();
    assert!(!is_notified(pin!(notify.notified())), "one is kept, not two");
}

#[test]
fn the_one_that_has_waited_longest_is_notified() {
    let notify = Notify::new();
    let (mut first, mut second) = (pin!(notify.notified()), pin!(notify.notified()));
    // It is the poll that lines up.
    assert!(!is_notified(second.as_mut()));
    assert!(!is_notified(first.as_mut()));
    notify.notify_one();
    assert!(!is_notified(first.as_mut()));
    assert!(is_notified(second.as_mut()));
    notify.notify_one();
    assert!(is_notified(first.as_mut()));
    assert!(is_notified(first.as_mut()), "once ready, it stays ready");
    assert!(!is_notified(pin!(notify.notified())));
}

#[test]
fn all_whose_wait_has_begun_are_notified() {
    let notify = Notify::new();
    let mut polled = pin!(notify.notified());
    let mut made = pin!(notify.notified());
    assert!(!is_notified(polled.as_mut()));
    notify.notify_waiters();
    let mut late = pin!(notify.notified());
    assert!(is_notified(polled.as_mut()));
    assert!(is_notified(made.as_mut()), "made before, polled after");
    assert!(!is_notified(late.as_mut()), "it is not kept");
}

#[test]
fn what_is_kept_is_left_by_one_that_was_told_with_all() {
    let notify = Notify::new();
    let mut made = pin!(notify.notified());
    notify.notify_one();
    notify.notify_waiters();
    assert!(is_notified(made.as_mut()));
    assert!(is_notified(pin!(notify.notified())), "the one that is kept is still there");
}

#[test]
fn enabling_lines_up() {
    let notify = Notify::new();
    let mut enabled = pin!(notify.notified());
    let mut other = pin!(notify.notified());
    assert!(!enabled.as_mut().enable());
    assert!(!is_notified(other.as_mut()));
    notify.notify_one();
    assert!(!is_notified(other.as_mut()));
    assert!(enabled.as_mut().enable());
    assert!(is_notified(enabled.as_mut()));
}

#[test]
fn enabling_one_that_was_polled_leaves_its_waker() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }
    let notify = Notify::new();
    let mut notified = pin!(notify.notified());
    let count = Arc::new(Count(AtomicUsize::new(0)));
    assert!(notified.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&count)))).is_pending());
    assert!(!notified.as_mut().enable());
    notify.notify_one();
    assert_eq!(count.0.load(Ordering::Acquire), 1);
    assert!(is_notified(notified));
}

#[test]
fn one_that_is_dropped_passes_its_notification_on() {
    let notify = Notify::new();
    let mut dropped = Box::pin(notify.notified());
    let mut next = pin!(notify.notified());
    assert!(!is_notified(dropped.as_mut()));
    assert!(!is_notified(next.as_mut()));
    notify.notify_one();
    drop(dropped);
    assert!(is_notified(next.as_mut()));

    // Nobody is there: it is kept.
    let mut dropped = Box::pin(notify.notified());
    assert!(!is_notified(dropped.as_mut()));
    notify.notify_one();
    drop(dropped);
    notify.wait();

    // One to all is not passed on.
    let mut dropped = Box::pin(notify.notified());
    assert!(!is_notified(dropped.as_mut()));
    notify.notify_waiters();
    drop(dropped);
    assert!(!is_notified(pin!(notify.notified())));
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
    let notify = Notify::new();
    let soon = Duration::from_millis(2);
    assert_eq!(notify.wait_timeout(soon), Err(TimedOut));
    assert_eq!(notify.wait_deadline(Instant::now() + soon), Err(TimedOut));
    notify.notify_one();
    assert_eq!(notify.wait_timeout(Duration::ZERO), Ok(()));
    let (first, second) = (notify.notified(), notify.notified());
    notify.notify_waiters();
    assert_eq!((first.wait_timeout(Duration::MAX), second.wait_deadline(Instant::now())), (Ok(()), Ok(())));
}

#[test]
fn each_notification_reaches_one() {
    child_on_processors("all_kinds_are_notified", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn all_kinds_are_notified() {
    const WAITING: usize = 8;
    const EACH: usize = 200;
    start();
    // Tickets: each is announced by one notification, and taken once.
    struct Tickets {
        notify: Notify,
        left: AtomicUsize,
        taken: AtomicUsize,
    }
    impl Tickets {
        fn take(&self) -> bool {
            let taken = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok();
            self.taken.fetch_add(usize::from(taken), Ordering::AcqRel);
            taken
        }
    }
    let tickets = Arc::new(Tickets { notify: Notify::new(), left: AtomicUsize::new(0), taken: AtomicUsize::new(0) });
    let mut waiting: Vec<Running<()>> = Vec::new();
    for kind in Place::ALL.into_iter().cycle().take(WAITING - 2) {
        let tickets = Arc::clone(&tickets);
        waiting.push(kind.spawn(move || {
            for _ in 0..EACH {
                while !tickets.take() {
                    tickets.notify.wait();
                }
            }
        }));
    }
    for _ in 0..2 {
        let tickets = Arc::clone(&tickets);
        waiting.push(spawn_future(async move {
            for _ in 0..EACH {
                while !tickets.take() {
                    tickets.notify.notified().await;
                }
            }
        }));
    }
    let issuing = Arc::clone(&tickets);
    let issuer = spawn(move || {
        for issued in 0..WAITING * EACH {
            issuing.left.fetch_add(1, Ordering::AcqRel);
            issuing.notify.notify_one();
            // One at a time, so that each needs its own.
            yield_until(&issuing.taken, issued + 1);
        }
    });
    waiting.into_iter().for_each(Running::join);
    issuer.join().expect("no panic");
}

#[test]
fn a_flag_that_is_looked_at_after_the_wait_began_is_never_missed() {
    child_on_processors("all_kinds_wait_for_a_flag", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn all_kinds_wait_for_a_flag() {
    start();
    for _ in 0..100 {
        let door = Arc::new((AtomicBool::new(false), Notify::new()));
        let mut guests: Vec<Running<()>> = Vec::new();
        for kind in Place::ALL {
            let door = Arc::clone(&door);
            guests.push(kind.spawn(move || {
                loop {
                    let opened = door.1.notified();
                    if door.0.load(Ordering::Acquire) {
                        return;
                    }
                    opened.wait();
                }
            }));
        }
        let future = Arc::clone(&door);
        guests.push(spawn_future(async move {
            let opened = future.1.notified();
            if !future.0.load(Ordering::Acquire) {
                opened.await;
            }
        }));
        door.0.store(true, Ordering::Release);
        door.1.notify_waiters();
        guests.into_iter().for_each(Running::join);
    }
}

#[test]
fn one_that_is_cut_short_passes_its_notification_on() {
    child_on_processors("waiting_is_cut_short", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn waiting_is_cut_short() {
    run(|| {
        for _ in 0..200 {
            let notify = Arc::new(Notify::new());
            let token = CancelToken::new();
            let fickle: Vec<_> = (0..3)
                .map(|_| {
                    let (notify, token) = (Arc::clone(&notify), token.clone());
                    spawn(move || token.run(|| notify.wait()).is_ok())
                })
                .collect();
            let cancels = spawn(move || token.cancel());
            yield_now();
            notify.notify_one();
            cancels.join().expect("no panic");
            let got = fickle.into_iter().map(|thread| thread.join().expect("no panic")).filter(|got| *got).count();
            let is_kept = is_notified(pin!(notify.notified()));
            assert_eq!(got + usize::from(is_kept), 1, "one notification");
        }
    });
}
