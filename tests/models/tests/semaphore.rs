//! The permits of a semaphore, `runtime/src/sync/permits.rs`: none is made or lost, they come in order of arrival, with what was done
//! before, and nobody waits for what is free.
//!
//! Those who wait do so in the wait queue that ships. Those who give up do it as soon as they have been queued: the explorer decides
//! what came before. What the permits guard is plain memory. A wake-up that is lost is a deadlock here.

use greenbridge_models::witness::{Parker, Plain};
use greenbridge_models::{explore, primitive};
use loom::thread;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Where the shipped file looks for the queue.
#[allow(unused, reason = "the models of the queue are elsewhere")]
mod wait {
    include!(concat!(env!("OUT_DIR"), "/queue/module.rs"));
}

use wait::queue::Waiter;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Attempt, Closed, Permits, Request};

        /// A waiter that is never dropped: one that fails in a queue would abort.
        type Place = ManuallyDrop<Pin<Box<Waiter<Request>>>>;

        fn place(needs: usize) -> Place {
            ManuallyDrop::new(Box::pin(Waiter::new(Request::new(needs))))
        }

        struct Program {
            permits: Permits,
            guarded: Plain<u32>,
        }

        impl Program {
            fn new(permits: usize) -> Arc<Self> {
                Arc::new(Self { permits: Permits::new(permits), guarded: Plain::new(0) })
            }

            /// Queues, or takes.
            fn poll(&self, place: &mut Place, waker: &Waker) -> Poll<Result<(), Closed>> {
                self.permits.poll(place.as_mut(), &Context::from_waker(waker))
            }

            /// Waits until the answer has come.
            fn acquire(&self, needs: usize) -> Result<(), Closed> {
                match self.permits.try_acquire(needs) {
                    Attempt::Taken => return Ok(()),
                    Attempt::Closed => return Err(Closed),
                    Attempt::MustWait => {}
                }
                self.wait(&mut place(needs))
            }

            fn wait(&self, place: &mut Place) -> Result<(), Closed> {
                let parker = Arc::new(Parker::new());
                let waker = Waker::from(parker.clone());
                loop {
                    if let Poll::Ready(answer) = self.poll(place, &waker) {
                        return answer;
                    }
                    parker.park();
                }
            }

            /// Waits for no time at all. False: in vain, and it has given up.
            fn acquire_or_give_up(&self, needs: usize) -> bool {
                let mut place = place(needs);
                let is_ready = self.poll(&mut place, Waker::noop()) == Poll::Ready(Ok(()));
                self.permits.give_up(place.as_mut());
                is_ready
            }

            /// Counts, where only one may be.
            fn count_alone(&self) {
                self.guarded.set(self.guarded.get() + 1);
            }

            fn spawn<T: 'static>(self: &Arc<Self>, f: impl FnOnce(&Self) -> T + 'static) -> thread::JoinHandle<T> {
                let program = self.clone();
                thread::spawn(move || f(&program))
            }
        }

        /// One permit, three who want it (4): each finds what the one before wrote, whether the permit came by the word or from the queue.
        /// In the end it is free again (1), and none has been left waiting (3).
        $(#[$test])?
        fn one_permit_lets_one_in_at_a_time() {
            explore(3, || {
                let program = Program::new(1);
                let one = |program: &Program| {
                    assert_eq!(program.acquire(1), Ok(()));
                    program.count_alone();
                    program.permits.release(1);
                };
                let others = [program.spawn(one), program.spawn(one)];
                one(&program);
                for other in others {
                    other.join().unwrap();
                }
                assert_eq!(program.guarded.get(), 3);
                assert_eq!(program.permits.free(), 1, "not as many as at first");
                assert_eq!(program.permits.try_acquire(1), Attempt::Taken, "the flag is left behind");
            });
        }

        /// A release against one who looks and queues: it gets the permit, with what was written before (3, 4).
        $(#[$test])?
        fn released_permit_reaches_who_queues() {
            explore(5, || {
                let program = Program::new(0);
                let waiting = program.spawn(|program| {
                    assert_eq!(program.acquire(1), Ok(()));
                    program.guarded.get()
                });
                program.guarded.set(7);
                program.permits.release(1);
                assert_eq!(waiting.join().unwrap(), 7);
                assert_eq!(program.permits.free(), 0, "a permit too many");
            });
        }

        /// Two releases for one who needs both permits, written with each (4): the one that comes first is kept for it.
        $(#[$test])?
        fn two_releases_serve_one_that_needs_both() {
            explore(4, || {
                let program = Program::new(0);
                let other = Arc::new(Plain::new(0));
                let waiting = {
                    let other = other.clone();
                    program.spawn(move |program| {
                        assert_eq!(program.acquire(2), Ok(()));
                        (program.guarded.get(), other.get())
                    })
                };
                let releasing = {
                    let other = other.clone();
                    program.spawn(move |program| {
                        other.set(8);
                        program.permits.release(1);
                    })
                };
                program.guarded.set(7);
                program.permits.release(1);
                releasing.join().unwrap();
                assert_eq!(waiting.join().unwrap(), (7, 8));
                assert_eq!(program.permits.free(), 0, "a permit too many");
            });
        }

        /// One gives up, and may have been served just before; another waits on. The permit reaches that (1, 3).
        $(#[$test])?
        fn permit_of_one_that_gives_up_reaches_the_next() {
            explore(4, || {
                let program = Program::new(0);
                let gives_up = program.spawn(|program| {
                    if program.acquire_or_give_up(1) {
                        program.permits.release(1);
                    }
                });
                let waits = program.spawn(|program| program.acquire(1));
                program.permits.release(1);
                gives_up.join().unwrap();
                assert_eq!(waits.join().unwrap(), Ok(()));
                assert_eq!(program.permits.free(), 0, "not as many as at first");
            });
        }

        /// One permit is free, the first in the queue needs two, the next one. The first gives up: the next need wait no longer (3), whatever
        /// is released at that time.
        $(#[$test])?
        fn one_that_gives_up_lets_those_behind_it_pass() {
            explore(4, || {
                let program = Program::new(1);
                let (mut first, mut next) = (place(2), place(1));
                assert!(program.poll(&mut first, Waker::noop()).is_pending());
                assert!(program.poll(&mut next, Waker::noop()).is_pending(), "overtaken");
                let gives_up = program.spawn(move |program| program.permits.give_up(first.as_mut()));
                let waits = program.spawn(move |program| program.wait(&mut next));
                gives_up.join().unwrap();
                assert_eq!(waits.join().unwrap(), Ok(()));
                assert_eq!(program.permits.free(), 0, "not as many as at first");
                program.permits.release(1);
                assert_eq!(program.permits.try_acquire(1), Attempt::Taken, "the flag is left behind");
            });
        }

        /// One gives up while a permit is released; a third takes it without waiting, from the word (4).
        $(#[$test])?
        fn permit_left_by_one_that_gave_up_comes_with_what_was_written() {
            explore(4, || {
                let program = Program::new(0);
                let releases = program.spawn(|program| {
                    program.guarded.set(7);
                    program.permits.release(1);
                });
                let takes = program.spawn(|program| {
                    if program.permits.try_acquire(1) == Attempt::Taken {
                        assert_eq!(program.guarded.get(), 7);
                    }
                });
                assert!(!program.acquire_or_give_up(2));
                releases.join().unwrap();
                takes.join().unwrap();
            });
        }

        /// One waits for two permits of which one is free. Who comes later takes none, by the word or by the queue, until that has been served (2).
        $(#[$test])?
        fn large_request_is_not_overtaken() {
            explore(4, || {
                let program = Program::new(1);
                let mut first = place(2);
                assert!(program.poll(&mut first, Waker::noop()).is_pending());
                let releases = program.spawn(|program| program.permits.release(1));
                if program.permits.try_acquire(1) == Attempt::Taken || program.acquire_or_give_up(1) {
                    panic!("overtaken");
                }
                releases.join().unwrap();
                assert_eq!(program.poll(&mut first, Waker::noop()), Poll::Ready(Ok(())), "one that gave up was in its way");
                assert_eq!(program.permits.free(), 0, "a permit too many");
            });
        }

        /// Closed against one who queues, and a release: it gets the permit, or is told; nobody waits any more (3), and nothing is lost (1).
        $(#[$test])?
        fn close_reaches_who_queues() {
            explore(4, || {
                let program = Program::new(0);
                let waiting = program.spawn(|program| program.acquire(1));
                let releases = program.spawn(|program| program.permits.release(1));
                assert!(program.permits.close());
                releases.join().unwrap();
                let got = waiting.join().unwrap().is_ok();
                assert_eq!(program.permits.free(), usize::from(!got), "not as many as at first");
                assert_eq!(program.permits.try_acquire(1), Attempt::Closed);
                assert!(!program.permits.close());
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/semaphore.rs"));
