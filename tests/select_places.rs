//! A select waits wherever its caller is, for whatever can be waited for, and can be cut short.
//!
//! What could break it: a waker that is not the caller's own, a branch left in a queue by a wait that unwinds, the output of a
//! future that is polled and not chosen, or a join that is over when another branch was chosen.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{Start, block_on, call, run as run_green, select, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use support::{Callback, child, child_on_processors, for_c, run, start};

const GREENBRIDGE: Start = Start::by_rust();
const NEVER: Duration = Duration::from_secs(100_000);

unsafe extern "C" {
    fn select_places_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

#[test]
fn a_callback_from_c_selects() {
    child_on_processors("callbacks_select", &[1, 2, 8]);
}

type Ends = (Receiver<c_long>, Receiver<c_long>);

#[greenbridge::export]
extern "C" fn select_in_callback(ends: &Ends, count: c_long) -> c_long {
    let mut sum = 0;
    for _ in 0..count {
        sum += select! {
            recv(ends.0) -> number => number.unwrap_or(-1_000_000),
            recv(ends.1) -> number => number.unwrap_or(-1_000_000),
        };
    }
    sum
}

#[test]
#[ignore = "child process"]
fn callbacks_select() {
    run(|| {
        for capacity in [0, 1] {
            let ((to_a, a), (to_b, b)) = (bounded(capacity), bounded(capacity));
            let senders = [to_a, to_b].map(|sender| {
                spawn(move || {
                    (1..=500).for_each(|number| sender.send(number).expect("C receives"));
                    sender
                })
            });
            let ends = (a, b);
            let (f, context) = for_c(select_in_callback, &ends);
            // SAFETY: C hands the pointer on to the callback and returns after it, while `ends` is borrowed.
            let sum = call(|| unsafe { select_places_enter(f, context, 1000) });
            assert_eq!(sum, 1000 * 501 / 2);
            senders.into_iter().for_each(|sender| drop(sender.join().expect("no panic")));
        }
    });
}

#[test]
fn os_threads_select_with_green_threads() {
    child_on_processors("os_threads_select", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn os_threads_select() {
    start();
    for capacity in [0, 1] {
        let ((to_a, a), (to_b, b)) = (bounded(capacity), bounded(capacity));
        let green = spawn(move || {
            let (mut x, mut y) = (0, 0);
            while x + y < 1000_u64 {
                select! {
                    send(to_a, x) -> result => { result.expect("somebody receives"); x += 1; }
                    send(to_b, y) -> result => { result.expect("somebody receives"); y += 1; }
                }
            }
            // The channels stay open until all has been received.
            ((x, y), to_a, to_b)
        });
        let (mut x, mut y) = (0, 0);
        while x + y < 1000_u64 {
            select! {
                recv(a) -> number => { assert_eq!(number, Ok(x)); x += 1; }
                recv(b) -> number => { assert_eq!(number, Ok(y)); y += 1; }
            }
        }
        assert_eq!(green.join().expect("no panic").0, (x, y));
    }
    // A timer, without any other wake-up.
    let (_open, never) = bounded::<()>(0);
    select! {
        recv(never) -> _ => panic!("nothing was sent"),
        after(Duration::from_millis(5)) => {}
        after(NEVER) => panic!("the first one comes first"),
    }
    select! {
        recv(never) -> _ => panic!("nothing was sent"),
        after(Duration::MAX) => panic!("never"),
        at(std::time::Instant::now()) => {}
    }
}

#[test]
fn a_green_thread_selects_between_a_timer_and_a_channel() {
    child_on_processors("timers_end_selects", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn timers_end_selects() {
    run(|| {
        let (sender, receiver) = bounded(0);
        for _ in 0..3 {
            select! {
                recv(receiver) -> _ => panic!("nothing was sent"),
                after(Duration::from_millis(2)) => {}
            }
        }
        // At every point of the race between a deadline and a message.
        let sends = spawn(move || {
            (0..300).for_each(|number| sender.send(number).expect("somebody receives"));
        });
        let mut expected = 0;
        loop {
            select! {
                recv(receiver) -> message => match message {
                    Ok(number) => { assert_eq!(number, expected); expected += 1; }
                    Err(_) => break,
                },
                // One that has come is no wait, so others get their turns only by this.
                after(Duration::from_micros(u64::from(expected % 3))) => yield_now(),
            }
        }
        assert_eq!(expected, 300_u32);
        sends.join().expect("no panic");
    });
}

#[test]
fn a_join_that_is_not_chosen_can_be_made_again() {
    child_on_processors("selects_join", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn selects_join() {
    run(|| {
        for round in 0..500_usize {
            let (progress, seen) = bounded(0);
            let mut handle = spawn(move || {
                (0..round % 5).for_each(|step| progress.send(step).expect("somebody receives"));
                progress.close();
                Box::new(round)
            });
            let (mut steps, mut is_open) = (0, true);
            let value = loop {
                select! {
                    recv(seen) -> step, if is_open => match step {
                        Ok(step) => { assert_eq!(step, steps); steps += 1; }
                        Err(_) => is_open = false,
                    },
                    join(&mut handle) -> value => break value.expect("no panic"),
                }
            };
            assert_eq!((*value, steps), (round, round % 5));
        }
        // Given up, and joined as ever; and a panic is an error.
        let (stop, stopped) = bounded::<()>(0);
        let mut handle = spawn(move || stopped.recv().is_err());
        select! {
            join(&mut handle) -> _ => panic!("it waits"),
            default => {}
        }
        drop(stop);
        assert!(handle.join().expect("no panic"));
        let mut panics = spawn(|| panic!("on purpose"));
        select! { join(&mut panics) -> result => assert!(result.is_err()) }
    });
}

#[test]
fn futures_of_others_end_a_select_and_lose_no_output() {
    child_on_processors("selects_with_futures", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn selects_with_futures() {
    run(|| {
        // Two channels of two worlds, until both are closed.
        let (ours, from_ours) = bounded(1);
        let (theirs, from_theirs) = async_channel::bounded(1);
        let sends = [
            spawn(move || (0..1000).for_each(|number| ours.send(number).expect("somebody receives"))),
            spawn(move || (0..1000).for_each(|number| block_on(theirs.send(number)).expect("somebody receives"))),
        ];
        let (mut a, mut b, mut a_is_open, mut b_is_open) = (0, 0, true, true);
        while a_is_open || b_is_open {
            select! {
                recv(from_ours) -> number, if a_is_open => match number {
                    Ok(number) => { assert_eq!(number, a); a += 1; }
                    Err(_) => a_is_open = false,
                },
                future(from_theirs.recv()) -> number, if b_is_open => match number {
                    Ok(number) => { assert_eq!(number, b); b += 1; }
                    Err(_) => b_is_open = false,
                },
            }
        }
        assert_eq!((a, b), (1000, 1000));
        sends.into_iter().for_each(|sender| sender.join().expect("no panic"));
        // Another executor's timer; and one that is kept over several selects.
        let (ticks, ticked) = bounded(0);
        let ticker = spawn(move || while ticks.send(()).is_ok() {});
        let mut timer = pin!(async {
            smol::Timer::after(Duration::from_millis(5)).await;
            7
        });
        let number = loop {
            select! {
                future(timer.as_mut()) -> number => break number,
                recv(ticked) -> tick => tick.expect("the ticker is there"),
            }
        };
        assert_eq!(number, 7);
        drop(ticked);
        ticker.join().expect("no panic");
        let by_value = select! {
            future(async { yield_in_future().await; 8 }) -> number => number,
            future(std::future::pending::<i32>()) -> number => number,
        };
        assert_eq!(by_value, 8);
    });
}

async fn yield_in_future() {
    let mut polled = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_select_that_is_cut_short_leaves_nothing_behind() {
    child_on_processors("selects_are_cancelled", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn selects_are_cancelled() {
    run(|| {
        // A whole green thread, and a scope: on a green thread and on an OS thread.
        let ((to_a, a), (to_b, b)) = (bounded::<i32>(0), bounded::<i32>(0));
        let wait = {
            let (a, to_b) = (a.clone(), to_b.clone());
            move || {
                select! {
                    recv(a) -> _ => panic!("nothing was sent"),
                    send(to_b, 1) -> _ => panic!("nobody receives"),
                    after(NEVER) => panic!("too early"),
                }
            }
        };
        let whole = spawn(wait.clone());
        yield_now();
        whole.cancel();
        assert!(whole.join().is_err());
        let token = CancelToken::new();
        let (scoped, on_thread) = (token.clone(), token.clone());
        let green = spawn({
            let wait = wait.clone();
            move || scoped.run(wait).is_err()
        });
        let os = thread::spawn(move || on_thread.run(wait).is_err());
        yield_now();
        token.cancel();
        assert!(green.join().expect("caught by the scope") && os.join().expect("caught by the scope"));
        assert!(to_a.try_send(2).is_err() && b.try_recv().is_err(), "somebody is still queued");
    });
    // At every point of the race between a message and a cancellation.
    let received = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&received);
    run_green(move || {
        for _ in 0..1000 {
            let ((to_a, a), (_to_b, b)) = (bounded(1), bounded::<()>(1));
            let token = CancelToken::new();
            let (scope, kept) = (token.clone(), a.clone());
            let waits = spawn(move || scope.run(|| select! { recv(a) -> m => m.is_ok(), recv(b) -> _ => false }));
            let cancels = spawn(move || token.cancel());
            send_one(&to_a);
            cancels.join().expect("no panic");
            let was_received = matches!(waits.join(), Ok(Ok(true)));
            assert_eq!(kept.try_recv().is_ok(), !was_received);
            counted.fetch_add(usize::from(was_received), Ordering::Relaxed);
        }
    });
    assert!(received.load(Ordering::Relaxed) <= 1000);
}

fn send_one(sender: &Sender<()>) {
    sender.send(()).expect("there is room");
}

#[test]
fn a_select_needs_no_runtime_when_it_need_not_wait() {
    child("without_a_runtime").succeeds();
}

#[test]
#[ignore = "child process"]
fn without_a_runtime() {
    let (sender, receiver) = bounded(1);
    let sends = thread::spawn(move || sender.send(1));
    let (_open, never) = bounded::<()>(0);
    let number = select! {
        recv(receiver) -> number => number.ok(),
        recv(never) -> _ => None,
    };
    assert_eq!(number, Some(1));
    assert!(sends.join().expect("no panic").is_ok());
}
