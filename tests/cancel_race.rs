//! Cancellations at random moments, against wake-ups, finishes and each other: nothing is lost, nothing comes twice, and nobody waits for ever.
//!
//! What could break it: a wake-up that falls on a wait which is just being cut short, a green thread that parks between the two halves of a
//! cancellation, or a scope that is left while its node calls it.

mod support;

use greenbridge::cancel::{CancelToken, Cancelled};
use greenbridge::channel::bounded;
use greenbridge::{current, park, scope, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::{Random, child_on_processors, run, start};

/// Lets up to `limit` others run.
fn a_moment(random: &mut Random, limit: u64) {
    (0..random.below(limit)).for_each(|_| yield_now());
}

#[test]
fn messages_survive_receivers_that_are_cancelled() {
    child_on_processors("receivers_are_cancelled", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn receivers_are_cancelled() {
    const MESSAGES: usize = 2000;
    run(|| {
        for (seed, capacity) in (1..).zip(support::CAPACITIES) {
            let (values, received) = support::with_capacity(capacity);
            let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..MESSAGES).map(|_| AtomicUsize::new(0)).collect());
            let receivers: Vec<_> = (0..4)
                .map(|n| {
                    let (received, counts) = (received.clone(), Arc::clone(&counts));
                    spawn(move || {
                        let mut random = Random::new(seed * 100 + n);
                        let mut cut_short = 0_usize;
                        loop {
                            let token = CancelToken::new();
                            let cancels = token.clone();
                            let delay = random.below(8);
                            let canceller = spawn(move || {
                                (0..delay).for_each(|_| yield_now());
                                cancels.cancel();
                            });
                            let closed = token.run(|| {
                                while let Ok(message) = received.recv() {
                                    let count: &AtomicUsize = &counts[message];
                                    count.fetch_add(1, Ordering::AcqRel);
                                }
                            });
                            canceller.join().expect("no panic");
                            match closed {
                                Ok(()) => return cut_short,
                                Err(_) => cut_short += 1,
                            }
                        }
                    })
                })
                .collect();
            let mut random = Random::new(seed);
            for message in 0..MESSAGES {
                values.send(message).expect("somebody receives");
                a_moment(&mut random, 4);
            }
            drop(values);
            let cut_short: usize = receivers.into_iter().map(|receiver| receiver.join().expect("no panic")).sum();
            assert!(counts.iter().all(|count| count.load(Ordering::Acquire) == 1), "capacity {capacity:?}");
            assert!(cut_short > 0, "nothing was cancelled");
        }
    });
}

#[test]
fn cancelled_senders_drop_or_deliver_each_message_once() {
    child_on_processors("senders_are_cancelled", &[1, 2, 8]);
}

/// A message that counts itself out.
struct Message(Arc<AtomicUsize>);

impl Drop for Message {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
#[ignore = "child process"]
fn senders_are_cancelled() {
    run(|| {
        for (seed, capacity) in (1..).zip([0, 1, 2]) {
            let (values, received) = bounded(capacity);
            let receiver = spawn(move || received.iter().map(|_: Message| yield_now()).count());
            let drops = Arc::new(AtomicUsize::new(0));
            let mut random = Random::new(seed);
            let (mut sent, mut cut_short) = (0, 0);
            for _ in 0..500 {
                let senders: Vec<_> = (0..4)
                    .map(|_| {
                        let (values, message) = (values.clone(), Message(Arc::clone(&drops)));
                        spawn(move || values.send(message).is_ok())
                    })
                    .collect();
                a_moment(&mut random, 6);
                senders.iter().filter(|_| random.below(2) == 0).for_each(|sender| sender.cancel());
                for sender in senders {
                    match sender.join() {
                        Ok(is_sent) => sent += usize::from(is_sent),
                        Err(payload) => cut_short += usize::from(payload.is::<Cancelled>()),
                    }
                }
            }
            drop(values);
            let heard = receiver.join().expect("no panic");
            assert_eq!(sent + cut_short, 2000);
            // One that was taken while its sender was being cut short has been sent all the same.
            assert!((sent..=sent + cut_short).contains(&heard), "{sent} sent, {cut_short} cut short, {heard} heard");
            assert_eq!(drops.load(Ordering::Acquire), 2000, "capacity {capacity}");
        }
    });
}

#[test]
fn a_cancellation_and_a_wake_up_at_once_end_the_wait() {
    child_on_processors("cancellations_against_permits", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn cancellations_against_permits() {
    run(|| {
        let mut random = Random::new(5);
        for round in 0..3000_u64 {
            let token = CancelToken::new();
            let inside = token.child();
            let green = spawn(move || {
                let result = inside.run(park);
                // Whichever came, a permit that was not taken is there for the next.
                if result.is_err() {
                    park();
                }
                current().id()
            });
            let thread = green.thread().clone();
            let unparks = spawn(move || thread.unpark());
            let cancels = spawn(move || token.cancel());
            a_moment(&mut random, 3);
            if round % 3 == 0 {
                green.cancel();
                if let Err(payload) = green.join() {
                    assert!(payload.is::<Cancelled>());
                }
            } else {
                green.join().expect("the permit comes");
            }
            unparks.join().expect("no panic");
            cancels.join().expect("no panic");
        }
    });
}

#[test]
fn os_threads_are_cut_short_at_any_moment() {
    child_on_processors("os_threads_are_cancelled", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn os_threads_are_cancelled() {
    start();
    let threads: Vec<_> = (0..2)
        .map(|seed| {
            thread::spawn(move || {
                let mut random = Random::new(seed);
                for _ in 0..1000 {
                    let (outer, inner) = (CancelToken::new(), CancelToken::new());
                    let delay = random.below(4);
                    let (first, second) = if delay & 1 == 0 { (&outer, &inner) } else { (&inner, &outer) };
                    let (first, second) = (first.clone(), second.clone());
                    let cancels = spawn(move || {
                        (0..delay).for_each(|_| yield_now());
                        first.cancel();
                        second.cancel();
                    });
                    let (_sender, never) = bounded::<()>(0);
                    let result = outer.run(|| {
                        let result = inner.run(|| never.recv().is_ok());
                        assert!(result.is_err());
                        // Before the outer one is cancelled, or after.
                        never.recv().is_ok()
                    });
                    assert!(result.is_err());
                    cancels.join().expect("no panic");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn owners_of_scopes_are_cut_short_at_any_moment() {
    child_on_processors("owners_are_cancelled_at_random", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn owners_are_cancelled_at_random() {
    run(|| {
        let mut random = Random::new(9);
        for _ in 0..500 {
            let ended = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&ended);
            let turns = random.below(4);
            let owner = spawn(move || {
                let begun = AtomicUsize::new(0);
                struct Ends<'a>(&'a AtomicUsize, &'a AtomicUsize);
                impl Drop for Ends<'_> {
                    fn drop(&mut self) {
                        assert!(self.1.fetch_sub(1, Ordering::AcqRel) > 0);
                        self.0.fetch_add(1, Ordering::AcqRel);
                    }
                }
                scope(|s| {
                    for _ in 0..3 {
                        s.spawn(|| {
                            begun.fetch_add(1, Ordering::AcqRel);
                            let _ends = Ends(&counted, &begun);
                            (0..turns).for_each(|_| yield_now());
                        });
                    }
                });
                assert_eq!(begun.into_inner(), 0);
            });
            a_moment(&mut random, 6);
            owner.cancel();
            match owner.join() {
                Ok(()) => assert_eq!(ended.load(Ordering::Acquire), 3),
                Err(payload) => assert!(payload.is::<Cancelled>()),
            }
        }
    });
}
