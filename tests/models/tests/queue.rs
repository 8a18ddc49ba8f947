//! The wait queue, `runtime/src/wait/queue.rs`: who waits is served once, or gives up, and its memory is its own again
//! afterwards.
//!
//! The queue lies in a channel without a bound: senders and receivers, and receivers whose deadline comes at any
//! moment, for there is no clock: they give up as soon as they have enqueued, and the explorer decides what came
//! before. A slot is plain memory to loom, so a touch after the waiter was told that it is served ends the model. Left
//! out: the slot that a *sender* waits with, which is the same transition, and futures.

use greenbridge_models::witness::Parker;
use greenbridge_models::{explore, primitive};
use loom::thread;
use primitive::{Mutex, lock};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{GaveUp, WaitQueue, Waiter};

        /// A waiter that is never dropped: one that fails in a queue would abort, and a mutant may touch it when it
        /// should be gone.
        type Place = ManuallyDrop<Pin<Box<Waiter<Option<u32>>>>>;

        struct Open {
            values: Vec<u32>,
            receivers: WaitQueue<Option<u32>>,
        }

        struct Channel(Mutex<Open>);

        impl Channel {
            fn new() -> Arc<Self> {
                Arc::new(Self(Mutex::new(Open { values: Vec::new(), receivers: WaitQueue::new() })))
            }

            /// Hands the value to the first receiver that waits, or leaves it.
            fn send(&self, value: u32) {
                let mut open = lock(&self.0);
                match open.receivers.serve(|slot| *slot = Some(value)) {
                    Some(((), waker)) => {
                        drop(open);
                        waker.wake();
                    }
                    None => open.values.push(value),
                }
            }

            /// Takes a value that is there, or enqueues.
            fn receive_or_enqueue(&self, place: &Place, waker: Waker) -> Option<u32> {
                let mut open = lock(&self.0);
                if !open.values.is_empty() {
                    return Some(open.values.remove(0));
                }
                // SAFETY: 1. The place is new, or its waiter has been served. 2. It is on the heap, and never dropped.
                // 3. The lock is held.
                let old = unsafe { open.receivers.enqueue(place.as_ref(), waker) };
                assert!(old.is_none(), "no receiver here waits twice");
                None
            }

            /// A receiver without a deadline.
            fn receive(&self) -> u32 {
                let mut place = ManuallyDrop::new(Box::pin(Waiter::new(None)));
                let parker = Arc::new(Parker::new());
                self.receive_or_enqueue(&place, Waker::from(parker.clone())).unwrap_or_else(|| {
                    while !place.is_served() {
                        parker.park();
                    }
                    place.as_mut().slot().take().expect("served with a value")
                })
            }

            /// A receiver whose deadline is now.
            fn give_up(&self, place: &mut Place) -> Option<u32> {
                let gave_up = lock(&self.0).receivers.give_up(place.as_ref());
                let found = place.as_mut().slot().take();
                match gave_up {
                    GaveUp::InTime => assert_eq!(found, None, "gave up, and was served"),
                    GaveUp::Served => assert!(found.is_some(), "served without a value"),
                }
                found
            }

            fn receive_with_deadline(&self) -> Option<u32> {
                let mut place = ManuallyDrop::new(Box::pin(Waiter::new(None)));
                self.receive_or_enqueue(&place, Waker::noop().clone()).or_else(|| self.give_up(&mut place))
            }

            fn left(&self) -> Vec<u32> {
                lock(&self.0).values.clone()
            }
        }

        /// No lost wake-up (property 1), and the memory (property 3): a receiver that looks, enqueues and parks,
        /// against a send. It returns, with the value, which it takes from its slot without the lock.
        $(#[$test])?
        fn value_is_handed_over() {
            explore(5, || {
                let channel = Channel::new();
                let receiver = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.receive())
                };
                channel.send(7);
                assert_eq!(receiver.join().unwrap(), 7);
            });
        }

        /// Two receivers and two values: each gets one, whatever they find in the queue: nobody, the other, or that the
        /// other has just left.
        $(#[$test])?
        fn every_receiver_is_served() {
            explore(4, || {
                let channel = Channel::new();
                let receivers = [channel.clone(), channel.clone()].map(|channel| thread::spawn(move || channel.receive()));
                channel.send(1);
                channel.send(2);
                let mut received = receivers.map(|receiver| receiver.join().unwrap());
                received.sort_unstable();
                assert_eq!(received, [1, 2]);
            });
        }

        /// Served or given up, never both and never neither (property 2): a deadline against a send. The value is
        /// received or left, once.
        $(#[$test])?
        fn value_is_received_or_left() {
            explore(5, || {
                let channel = Channel::new();
                let receiver = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.receive_with_deadline())
                };
                channel.send(7);
                let received = receiver.join().unwrap();
                assert_eq!(channel.left(), if received.is_some() { vec![] } else { vec![7] });
            });
        }

        /// One that gives up between two others, which wait on: the first value goes to the first, the second to
        /// whoever is next then, and the third receiver is not forgotten.
        $(#[$test])?
        fn neighbours_of_one_that_gives_up_are_served_in_order() {
            explore(4, || {
                let channel = Channel::new();
                let [mut first, mut second, mut third] = std::array::from_fn(|_| {
                    let place = ManuallyDrop::new(Box::pin(Waiter::new(None)));
                    assert_eq!(channel.receive_or_enqueue(&place, Waker::noop().clone()), None);
                    place
                });
                let gives_up = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.give_up(&mut second))
                };
                channel.send(1);
                channel.send(2);
                let of_second = gives_up.join().unwrap();
                assert_eq!(channel.give_up(&mut first), Some(1), "not the first");
                let of_third = channel.give_up(&mut third);
                assert_eq!((of_second, of_third), if of_second.is_some() { (Some(2), None) } else { (None, Some(2)) }, "not the next");
                assert_eq!(channel.left(), []);
            });
        }

        /// A future that is polled again with another waker: if it is still queued, the new waker is the one that is
        /// called.
        $(#[$test])?
        fn new_waker_is_called() {
            explore(5, || {
                let channel = Channel::new();
                let sender = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.send(7))
                };
                let mut place = ManuallyDrop::new(Box::pin(Waiter::new(None)));
                let parker = Arc::new(Parker::new());
                let received = channel.receive_or_enqueue(&place, Waker::noop().clone()).unwrap_or_else(|| {
                    let old = {
                        let mut open = lock(&channel.0);
                        if place.is_queued() { open.receivers.rewake(place.as_ref(), Waker::from(parker.clone())) } else { None }
                    };
                    drop(old);
                    while !place.is_served() {
                        parker.park();
                    }
                    place.as_mut().slot().take().expect("served with a value")
                });
                assert_eq!(received, 7);
                sender.join().unwrap();
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/queue.rs"));
