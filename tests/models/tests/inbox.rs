//! The inbox of a worker, `runtime/src/scheduler/inbox.rs`: what is delivered is taken, once, and a worker that sleeps
//! is called.
//!
//! A worker takes, and sleeps when there is nothing; one thread wakes its resident, another pushes to the queue of the
//! pinned and rings. The resident's stack, and the queue, are cells of plain memory. The parker keeps a token until it
//! is used, as the runtime's does. A wake-up that is lost is a deadlock here.

use greenbridge_models::witness::{Parker, Plain};
use greenbridge_models::{explore, primitive};
use loom::thread;
use std::ptr::NonNull;
use std::sync::Arc;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Delivery, Inbox, Sleep};

        /// A pinned green thread.
        struct Resident {
            stack: Plain<u32>,
        }

        struct Program {
            inbox: Inbox<Resident>,
            resident: Resident,
            /// The queue of the pinned: how much is in it.
            pinned: Plain<u32>,
            worker: Parker,
        }

        impl Program {
            fn new() -> Arc<Self> {
                Arc::new(Self {
                    inbox: Inbox::new(),
                    resident: Resident { stack: Plain::new(0) },
                    pinned: Plain::new(0),
                    worker: Parker::new(),
                })
            }

            fn call_the_worker(&self, delivery: Delivery) {
                match delivery {
                    Delivery::MustUnpark => self.worker.unpark(),
                    Delivery::WillLook => {}
                }
            }

            /// Somebody wakes the resident, having done something to its stack: the value that it waited for.
            fn wake_resident(&self) {
                self.resident.stack.set(self.resident.stack.get() + 1);
                self.call_the_worker(self.inbox.put(NonNull::from(&self.resident)));
            }

            /// Somebody wakes a green thread of an interleaved call.
            fn push_pinned(&self) {
                self.pinned.set(self.pinned.get() + 1);
                self.call_the_worker(self.inbox.ring());
            }

            /// The worker, until its resident has been resumed and the bell has rung so many times. Says how often it
            /// woke up for nothing.
            fn work(&self, resident: u32, bells: u32) -> u32 {
                let (mut resumed, mut rung, mut for_nothing) = (0, 0, 0);
                loop {
                    let mail = self.inbox.take();
                    if let Some(found) = mail.resident {
                        assert_eq!(found, NonNull::from(&self.resident), "a wrong address");
                        resumed += 1;
                        assert_eq!(self.resident.stack.get(), resumed, "resumed twice for one wake");
                    }
                    if mail.bell {
                        rung += 1;
                        assert!(self.pinned.get() >= rung, "the bell rang before the push");
                    }
                    if (resumed, rung) == (resident, bells) {
                        assert!(!self.inbox.has_mail(), "mail that nobody has sent");
                        return for_nothing;
                    }
                    match self.inbox.sleep() {
                        Sleep::MayPark => {
                            self.worker.park();
                            self.inbox.wake_up();
                            for_nothing += u32::from(!self.inbox.has_mail());
                        }
                        Sleep::MustLook => {}
                    }
                }
            }
        }

        /// The wake by name: one delivery against a worker that looks, announces sleep and parks. Whatever the order,
        /// the worker gets it, with what was written to the resident's stack, and it does not wake up for nothing.
        $(#[$test])?
        fn woken_resident_is_resumed() {
            explore(5, || {
                let program = Program::new();
                let waker = {
                    let program = program.clone();
                    thread::spawn(move || program.wake_resident())
                };
                assert_eq!(program.work(1, 0), 0, "woken for nothing");
                waker.join().unwrap();
            });
        }

        /// A delivery to the resident and the bell, by two threads that race: neither swallows the other, and whoever
        /// finds the worker awake does not call it.
        $(#[$test])?
        fn resident_and_bell_do_not_swallow_each_other() {
            explore(4, || {
                let program = Program::new();
                let others = [Program::wake_resident, Program::push_pinned].map(|deliver| {
                    let program = program.clone();
                    thread::spawn(move || deliver(&program))
                });
                assert_eq!(program.work(1, 1), 0, "woken for nothing");
                for other in others {
                    other.join().unwrap();
                }
            });
        }

        /// A worker that is woken for another reason, a socket say, and whose resident is put just then: waking up
        /// leaves the mail where it is.
        $(#[$test])?
        fn waking_up_for_another_reason_loses_nothing() {
            explore(4, || {
                let program = Program::new();
                let others = [Program::wake_resident, |program: &Program| program.worker.unpark()].map(|deliver| {
                    let program = program.clone();
                    thread::spawn(move || deliver(&program))
                });
                assert!(program.work(1, 0) <= 1, "woken for nothing");
                for other in others {
                    other.join().unwrap();
                }
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/inbox.rs"));
