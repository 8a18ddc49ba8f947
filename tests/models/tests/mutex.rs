//! The mutex without its value, `runtime/src/sync/mutex/raw.rs`, with the wait queue as it ships: one holder at a time, no wake-up is
//! lost, who gives up takes nothing along, and who lost a race is handed the lock.
//!
//! The value is plain memory, so a holder that is not alone, or does not see what the one before it did, ends the model. Each
//! waiter parks until its waker is called: a wake-up that is lost is a deadlock. Where a model needs one that has been woken, or has
//! lost a race, that is set up by one thread before the others start. Left out: the spinning before a lock queues, and futures that
//! change their waker, which is the queue's own model.

use greenbridge_models::witness::{Parker, Plain};
use greenbridge_models::{explore, primitive};
use loom::thread;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wait::queue::Waiter;

/// What the lock is built on, as it ships.
mod wait {
    include!(concat!(env!("OUT_DIR"), "/queue/module.rs"));
}

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Attempt, Claim, RawMutex};

        /// One that waits. Never dropped: a mutant may leave it in the queue, which would abort.
        struct Place {
            waiter: ManuallyDrop<Pin<Box<Waiter<Claim>>>>,
            parker: Arc<Parker>,
        }

        impl Place {
            fn new() -> Self {
                Self { waiter: ManuallyDrop::new(Box::pin(Waiter::new(Claim::new()))), parker: Arc::new(Parker::new()) }
            }

            fn poll(&mut self, raw: &RawMutex) -> Poll<()> {
                let waker = Waker::from(self.parker.clone());
                raw.poll_lock(self.waiter.as_mut(), &Context::from_waker(&waker))
            }

            fn give_up(&mut self, raw: &RawMutex) {
                raw.give_up(self.waiter.as_mut());
            }
        }

        struct Locked {
            raw: RawMutex,
            value: Plain<u32>,
        }

        impl Locked {
            fn new() -> Arc<Self> {
                Arc::new(Self { raw: RawMutex::new(), value: Plain::new(0) })
            }

            fn lock(&self) {
                if self.raw.try_lock() == Attempt::Held {
                    self.wait_in(&mut Place::new());
                }
            }

            fn wait_in(&self, place: &mut Place) {
                while place.poll(&self.raw).is_pending() {
                    place.parker.park();
                }
            }

            /// Adds one, under the lock, and unlocks.
            fn add_and_unlock(&self) {
                self.value.set(self.value.get() + 1);
                self.raw.unlock();
            }

            fn add(&self) {
                self.lock();
                self.add_and_unlock();
            }

            fn adds(self: &Arc<Self>) -> thread::JoinHandle<()> {
                let locked = self.clone();
                thread::spawn(move || locked.add())
            }

            /// Locks, for one that comes past: nobody holds the lock.
            fn barge(&self) {
                assert_eq!(self.raw.try_lock(), Attempt::Locked, "it is free");
            }

            /// One that was woken, with the lock free.
            fn woken(&self) -> Place {
                let mut place = Place::new();
                self.barge();
                assert!(place.poll(&self.raw).is_pending());
                self.raw.unlock();
                place
            }

            /// One that was woken and found the lock held, by the caller.
            fn loser(&self) -> Place {
                let mut place = self.woken();
                self.barge();
                assert!(place.poll(&self.raw).is_pending());
                place
            }

            /// At the end: everybody has been there, and nothing is left.
            fn assert_value(&self, value: u32) {
                self.barge();
                assert_eq!(self.value.get(), value);
                assert!(!self.raw.has_waiters(), "somebody seems to wait");
                self.raw.unlock();
                assert!(!self.raw.is_locked());
            }
        }

        /// Mutual exclusion (property 1) and no lost wake-up (property 2): three want the lock.
        $(#[$test])?
        fn each_holds_it_alone() {
            explore(3, || {
                let locked = Locked::new();
                let others = [locked.adds(), locked.adds()];
                locked.add();
                for other in others {
                    other.join().unwrap();
                }
                locked.assert_value(3);
            });
        }

        /// The same for one on its way, with another one behind it in the queue: a third comes past it, or does not.
        $(#[$test])?
        fn woken_one_meets_one_that_comes_past() {
            explore(3, || {
                let locked = Locked::new();
                let (mut first, mut second) = (Place::new(), Place::new());
                locked.barge();
                assert!(first.poll(&locked.raw).is_pending());
                assert!(second.poll(&locked.raw).is_pending());
                locked.raw.unlock();
                let passes = locked.adds();
                let waits = {
                    let locked = locked.clone();
                    thread::spawn(move || {
                        second.parker.park();
                        locked.wait_in(&mut second);
                        locked.add_and_unlock();
                    })
                };
                locked.wait_in(&mut first);
                locked.add_and_unlock();
                passes.join().unwrap();
                waits.join().unwrap();
                locked.assert_value(3);
            });
        }

        /// Giving up (property 3): one that is queued, or woken, gives up at whatever moment; another waits behind it.
        $(#[$test])?
        fn one_that_gives_up_takes_no_wake_up_along() {
            explore(3, || {
                let locked = Locked::new();
                locked.barge();
                let mut leaves = Place::new();
                assert!(leaves.poll(&locked.raw).is_pending());
                let waits = locked.adds();
                let gives_up = {
                    let locked = locked.clone();
                    thread::spawn(move || leaves.give_up(&locked.raw))
                };
                locked.add_and_unlock();
                waits.join().unwrap();
                gives_up.join().unwrap();
                locked.assert_value(2);
            });
        }

        /// The same for one that the lock is being handed to.
        $(#[$test])?
        fn one_that_gives_up_takes_no_lock_along() {
            explore(3, || {
                let locked = Locked::new();
                let mut leaves = locked.loser();
                let waits = locked.adds();
                let gives_up = {
                    let locked = locked.clone();
                    thread::spawn(move || leaves.give_up(&locked.raw))
                };
                locked.add_and_unlock();
                waits.join().unwrap();
                gives_up.join().unwrap();
                locked.assert_value(2);
            });
        }

        /// The rule against starvation (property 4): whoever else comes or waits, one that has lost a race has the lock after the
        /// next unlock.
        $(#[$test])?
        fn one_that_lost_a_race_is_handed_the_lock() {
            explore(3, || {
                let locked = Locked::new();
                let mut loser = Place::new();
                let mut behind = Place::new();
                locked.barge();
                assert!(loser.poll(&locked.raw).is_pending());
                assert!(behind.poll(&locked.raw).is_pending());
                locked.raw.unlock();
                locked.barge();
                assert!(loser.poll(&locked.raw).is_pending());
                let passes = locked.adds();
                locked.add_and_unlock();
                assert!(loser.poll(&locked.raw).is_ready(), "lost again");
                locked.add_and_unlock();
                locked.wait_in(&mut behind);
                locked.add_and_unlock();
                passes.join().unwrap();
                locked.assert_value(4);
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/mutex.rs"));
