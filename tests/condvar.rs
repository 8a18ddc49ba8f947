//! A notification wakes one that waits, or all, and nobody wakes without one.
//!
//! What could break it: a notification between the unlock and the sleep that is lost, one that wakes nobody or two, a wait that
//! returns without the lock.

mod support;

use greenbridge::sync::{Condvar, Mutex, MutexGuard};
use greenbridge::{spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{block_on_all, child, child_on_processors, run, start, yield_until};

#[test]
fn a_notification_to_nobody_is_gone() {
    let condvar = Condvar::default();
    condvar.notify_one();
    condvar.notify_all();
    assert_eq!(format!("{condvar:?}"), "Condvar { has_waiters: false, .. }");
}

#[test]
fn one_is_woken_by_one_notification() {
    child_on_processors("one_notification_for_each", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn one_notification_for_each() {
    static WAITING: Mutex<usize> = Mutex::new(0);
    static WOKEN: AtomicUsize = AtomicUsize::new(0);
    static CONDVAR: Condvar = Condvar::new();
    run(|| {
        // No condition is looked at: a wake-up too many would be counted.
        let waiters: Vec<_> = (0..50)
            .map(|_| {
                spawn(|| {
                    let mut waiting = WAITING.lock();
                    *waiting += 1;
                    drop(CONDVAR.wait(waiting));
                    WOKEN.fetch_add(1, Ordering::AcqRel);
                })
            })
            .collect();
        while *WAITING.lock() < waiters.len() {
            yield_now();
        }
        for notified in 1..=waiters.len() {
            CONDVAR.notify_one();
            yield_until(&WOKEN, notified);
            for _ in 0..20 {
                yield_now();
            }
            assert_eq!(WOKEN.load(Ordering::Acquire), notified);
        }
        for waiter in waiters {
            waiter.join().expect("no panic");
        }
    });
}

#[test]
fn all_are_woken_by_a_notification_to_all() {
    child_on_processors("one_notification_for_all", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn one_notification_for_all() {
    run(|| {
        for holds_the_lock in [false, true] {
            let pair = Arc::new((Mutex::new((0, false)), Condvar::new()));
            let waiters: Vec<_> = (0..100)
                .map(|_| {
                    let pair = Arc::clone(&pair);
                    spawn(move || {
                        let mut guard = pair.0.lock();
                        guard.0 += 1;
                        let guard = pair.1.wait(guard);
                        assert!(guard.1, "woken without a notification");
                    })
                })
                .collect();
            let (mutex, condvar) = &*pair;
            while mutex.lock().0 < waiters.len() {
                yield_now();
            }
            let mut guard = mutex.lock();
            guard.1 = true;
            if !holds_the_lock {
                drop(guard);
                condvar.notify_all();
            } else {
                condvar.notify_all();
                drop(guard);
            }
            for waiter in waiters {
                waiter.join().expect("no panic");
            }
        }
    });
}

#[test]
fn no_notification_is_lost() {
    child_on_processors("a_queue_of_a_lock_and_two_conditions", &[1, 2, 8]);
}

/// A queue with room for two: each message wakes one, and a wake-up that is lost is a hang.
struct Queue {
    messages: Mutex<Vec<u64>>,
    has_room: Condvar,
    has_message: Condvar,
}

impl Queue {
    fn send(&self, message: u64) {
        let mut messages = self.has_room.wait_while(self.messages.lock(), |messages| messages.len() == 2);
        messages.push(message);
        self.has_message.notify_one();
    }

    fn receive(&self) -> u64 {
        let mut messages = self.has_message.wait_while(self.messages.lock(), |messages| messages.is_empty());
        let message = messages.remove(0);
        drop(messages);
        self.has_room.notify_one();
        message
    }

    async fn receive_async(&self) -> u64 {
        let mut messages = self.messages.lock_async().await;
        while messages.is_empty() {
            messages = self.has_message.wait_async(messages).await;
        }
        let message = messages.remove(0);
        drop(messages);
        self.has_room.notify_one();
        message
    }
}

/// Green threads, OS threads and futures on one queue.
#[test]
#[ignore = "child process"]
fn a_queue_of_a_lock_and_two_conditions() {
    const EACH: u64 = 500;
    start();
    let queue =
        Arc::new(Queue { messages: Mutex::new(Vec::new()), has_room: Condvar::new(), has_message: Condvar::new() });
    let clones = || (0..4).map(|_| Arc::clone(&queue)).collect::<Vec<_>>();
    let sends = |queue: Arc<Queue>| move || (1..=EACH).for_each(|message| queue.send(message));
    let receives = |queue: Arc<Queue>| move || (0..EACH).map(|_| queue.receive()).sum::<u64>();
    let green_senders: Vec<_> = clones().into_iter().map(|queue| spawn(sends(queue))).collect();
    let senders: Vec<_> = clones().into_iter().map(|queue| thread::spawn(sends(queue))).collect();
    let green: Vec<_> = clones().into_iter().map(|queue| spawn(receives(queue))).collect();
    let threads: Vec<_> = clones().into_iter().take(2).map(|queue| thread::spawn(receives(queue))).collect();
    let receives_async = |queue: Arc<Queue>| async move {
        let mut sum = 0;
        for _ in 0..EACH {
            sum += queue.receive_async().await;
        }
        sum
    };
    let mut sum: u64 = block_on_all([0, 1].map(|_| Box::pin(receives_async(Arc::clone(&queue))))).into_iter().sum();
    sum += green.into_iter().map(|thread| thread.join().expect("no panic")).sum::<u64>();
    sum += threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<u64>();
    green_senders.into_iter().for_each(|thread| thread.join().expect("no panic"));
    senders.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(sum, 8 * (1..=EACH).sum::<u64>());
    assert!(queue.messages.lock().is_empty());
}

#[test]
fn one_condition_variable_may_go_with_two_locks() {
    child_on_processors("two_locks_one_after_the_other", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn two_locks_one_after_the_other() {
    run(|| {
        let shared = Arc::new(([Mutex::new(false), Mutex::new(false)], Condvar::new()));
        let waiters = [0, 1].map(|which| {
            let shared = Arc::clone(&shared);
            spawn(move || drop(shared.1.wait_while(shared.0[which].lock(), |is_set| !*is_set)))
        });
        yield_now();
        for lock in &shared.0 {
            *lock.lock() = true;
            shared.1.notify_all();
        }
        for waiter in waiters {
            waiter.join().expect("no panic");
        }
    });
}

#[test]
fn a_wait_for_a_part_returns_it_with_the_lock() {
    child_on_processors("a_part_appears", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_part_appears() {
    run(|| {
        let pair = Arc::new((Mutex::new(Vec::<String>::new()), Condvar::new()));
        let shared = Arc::clone(&pair);
        let waiter = spawn(move || {
            let (list, grows) = &*shared;
            let mut third = grows.wait_for_part(list.lock(), |list| list.get_mut(2));
            third.push_str(" and last");
            assert!(list.try_lock().is_none(), "a part holds the whole lock");
        });
        let (list, grows) = &*pair;
        for name in ["first", "second", "third"] {
            // What the list holds moves as it grows: a part that was looked for before would point nowhere.
            list.lock().push(name.to_owned());
            grows.notify_one();
            yield_now();
        }
        waiter.join().expect("no panic");
        assert_eq!(*list.lock(), ["first", "second", "third and last"]);
    });
}

#[test]
fn a_condition_that_panics_releases_the_lock() {
    let (lock, condvar) = (Mutex::new(0), Condvar::new());
    catch_unwind(AssertUnwindSafe(|| drop(condvar.wait_while(lock.lock(), |_| -> bool { panic!("on purpose") }))))
        .expect_err("it panicked");
    assert!(lock.try_lock().is_some());
    let no_wait = condvar.wait_while(lock.lock(), |value| *value == 1);
    assert_eq!(*no_wait, 0);
}

#[test]
fn a_condition_variable_may_be_used_with_an_unsized_value() {
    child("an_unsized_value_changes").succeeds();
}

#[test]
#[ignore = "child process"]
fn an_unsized_value_changes() {
    run(|| {
        let (values, changes): (Arc<Mutex<[i32]>>, _) = (Arc::new(Mutex::new([0, 0])), Arc::new(Condvar::new()));
        let (other, changed) = (Arc::clone(&values), Arc::clone(&changes));
        let waiter = spawn(move || changed.wait_while(other.lock(), |values| values[1] == 0).len());
        yield_now();
        values.lock()[1] = 1;
        changes.notify_one();
        assert_eq!(waiter.join().ok(), Some(2));
    });
}

#[test]
fn timed_waits_of_os_threads_end() {
    child("os_threads_wait_for_a_time").succeeds();
}

#[test]
#[ignore = "child process"]
fn os_threads_wait_for_a_time() {
    start();
    waits_end();
}

#[test]
fn timed_waits_of_green_threads_end() {
    child("green_threads_wait_for_a_time").succeeds();
}

#[test]
#[ignore = "child process"]
fn green_threads_wait_for_a_time() {
    run(waits_end);
}

fn waits_end() {
    const SHORT: Duration = Duration::from_millis(5);
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let (lock, condvar) = &*pair;
    let is_held = |guard: &MutexGuard<'_, i32>| **guard == 0 && lock.try_lock().is_none();

    let (guard, result) = condvar.wait_timeout(lock.lock(), SHORT);
    assert!(result.timed_out() && is_held(&guard));
    let (guard, result) = condvar.wait_deadline(guard, Instant::now());
    assert!(result.timed_out() && is_held(&guard));
    let (guard, result) = condvar.wait_timeout_while(guard, SHORT, |_| true);
    assert!(result.timed_out() && is_held(&guard));
    let (guard, result) = condvar.wait_timeout_while(guard, Duration::ZERO, |_| false);
    assert!(!result.timed_out() && is_held(&guard));
    drop(guard);

    // Woken before the time is up, also if it never is.
    for timeout in [Duration::from_secs(3600), Duration::MAX] {
        let guard = lock.lock();
        let shared = Arc::clone(&pair);
        let notifies = spawn(move || {
            *shared.0.lock() += 1;
            shared.1.notify_one();
        });
        let (guard, result) = condvar.wait_timeout_while(guard, timeout, |value| *value == 0);
        assert!(!result.timed_out());
        assert_eq!(*guard, 1);
        drop(guard);
        notifies.join().expect("no panic");
        *lock.lock() = 0;
    }
    assert_eq!(format!("{condvar:?}"), "Condvar { has_waiters: false, .. }");
}
