//! What signal handlers leave for the relay, `bridge/src/capi/owed.rs`: each notification is made, once, and the relay does not sleep on one.
//!
//! Two threads notify, the relay takes and settles until it has made all notifications. What a notifier did before is a cell of plain memory. The futex
//! is a lock and a condition variable: the kernel compares the word under the lock that a wake takes. A notification that is lost is a deadlock here.
//! Left out: a handler that interrupts another one on the same thread, which is one of the orders of two threads.

use greenbridge_models::witness::Plain;
use greenbridge_models::{explore, primitive};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::ptr;
use std::sync::Arc;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Link, List, Owed};
        use super::primitive::Ordering;

        struct Event {
            link: Link<Event>,
            /// How often it has been pushed and not settled: for the relay and the pusher alone.
            is_listed: loom::sync::atomic::AtomicUsize,
        }

        struct Program {
            list: List<Event>,
            events: [Event; 2],
            /// What each of the notifiers has done before.
            done: [Plain<u32>; 2],
            bucket: Mutex<()>,
            woken: Condvar,
        }

        impl Program {
            fn new() -> Arc<Self> {
                let event = || Event { link: Link::new(), is_listed: loom::sync::atomic::AtomicUsize::new(0) };
                Arc::new(Self {
                    list: List::new(),
                    events: [event(), event()],
                    done: [Plain::new(0), Plain::new(0)],
                    bucket: Mutex::new(()),
                    woken: Condvar::new(),
                })
            }

            /// A signal handler.
            fn notify(&self, event: usize) {
                let event = &self.events[event];
                let keep = || assert_eq!(event.is_listed.fetch_add(1, Ordering::Relaxed), 0, "listed twice");
                match self.list.owe(ptr::from_ref(event).cast_mut(), &event.link, keep) {
                    Owed::MustWake => {
                        let bucket = self.bucket.lock().unwrap();
                        self.woken.notify_one();
                        drop(bucket);
                    }
                    Owed::Counted => {}
                }
            }

            fn do_and_notify(&self, notifier: usize, event: usize) {
                self.done[notifier].set(1);
                self.notify(event);
            }

            /// The relay, until it has made so many notifications of each event.
            fn relay(&self, expected: [u64; 2]) {
                let mut made = [0, 0];
                loop {
                    let (bell, mut at) = self.list.take();
                    let mut walked = 0;
                    while let Some(event) = self.events.iter().position(|event| ptr::eq(event, at)) {
                        walked += 1;
                        assert!(walked <= self.events.len(), "listed twice");
                        // The reference is taken over before Settle lets the event be pushed again.
                        self.events[event].is_listed.fetch_sub(1, Ordering::Relaxed);
                        let (next, owed) = self.events[event].link.settle();
                        made[event] += owed;
                        at = next;
                    }
                    assert!(at.is_null(), "a wrong address");
                    assert!(made[0] <= expected[0] && made[1] <= expected[1], "more notifications than were left");
                    if made == expected {
                        return;
                    }
                    let mut bucket = self.bucket.lock().unwrap();
                    if self.list.bell().load(Ordering::Relaxed) == bell {
                        bucket = self.woken.wait(bucket).unwrap();
                    }
                    drop(bucket);
                }
            }
        }

        /// Two handlers notify one event while the relay looks, settles and sleeps: both are counted, and what both have done is seen.
        $(#[$test])?
        fn two_notifications_of_one_event_are_both_made() {
            explore(3, || {
                let program = Program::new();
                let notifiers = [0, 1].map(|notifier| {
                    let program = program.clone();
                    thread::spawn(move || program.do_and_notify(notifier, 0))
                });
                program.relay([2, 0]);
                assert_eq!(program.done[0].get() + program.done[1].get(), 2);
                for notifier in notifiers {
                    notifier.join().unwrap();
                }
            });
        }

        /// Two handlers notify two events: neither push loses the other.
        $(#[$test])?
        fn two_events_are_both_notified() {
            explore(3, || {
                let program = Program::new();
                let notifiers = [0, 1].map(|notifier| {
                    let program = program.clone();
                    thread::spawn(move || program.do_and_notify(notifier, notifier))
                });
                program.relay([1, 1]);
                assert_eq!(program.done[0].get() + program.done[1].get(), 2);
                for notifier in notifiers {
                    notifier.join().unwrap();
                }
            });
        }

        /// Two events are in the list. One of them is notified again while the relay settles it: it is made twice, and the other one is not
        /// lost.
        $(#[$test])?
        fn event_that_is_notified_while_it_is_settled_loses_nothing() {
            explore(3, || {
                let program = Program::new();
                program.notify(0);
                program.notify(1);
                let again = {
                    let program = program.clone();
                    thread::spawn(move || program.notify(1))
                };
                program.relay([1, 2]);
                again.join().unwrap();
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/owed.rs"));
