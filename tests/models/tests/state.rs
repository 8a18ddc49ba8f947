//! The state word of a green thread, `runtime/src/green/state.rs`: no wake-up is lost, nothing is scheduled twice, no
//! cancellation is missed, the result and the joiner's waker change hands.
//!
//! The threads are the worker that runs the green thread, its wakers, whoever cancels it, and its joiner. Where the runtime would put the
//! green thread into a queue, the model goes on with it at once, on the waker's own thread: that is the earliest that a
//! resume can come. What a waker has written is a relaxed atomic, so that the word alone makes it visible. Left out:
//! queues, and stacks beyond the one cell that stands for the green thread's.

use greenbridge_models::witness::{Parker, Plain};
use greenbridge_models::{explore, primitive};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Finish, Joiner, Park, State, Wake};

        /// A green thread that waits until all `news` are there, then finishes.
        struct Sleeper<const N: usize> {
            state: State,
            news: [AtomicBool; N],
            /// Its stack: whoever resumes it goes on with what the last one left.
            stack: Plain<u32>,
            finished: Plain<bool>,
        }

        impl<const N: usize> Sleeper<N> {
            fn new() -> Arc<Self> {
                Arc::new(Self {
                    state: State::new(),
                    news: std::array::from_fn(|_| AtomicBool::new(false)),
                    stack: Plain::new(0),
                    finished: Plain::new(false),
                })
            }

            /// Turns, until it parks or finishes. `peek`: it looks for a notification before it would switch away.
            fn resume(&self, peek: bool) {
                loop {
                    self.stack.set(self.stack.get() + 1);
                    if self.news.iter().all(|news| news.load(Ordering::Relaxed)) {
                        self.finished.set(true);
                        let _ = self.state.finish();
                        return;
                    }
                    if peek && self.state.take_notification() {
                        continue;
                    }
                    match self.state.park() {
                        Park::Parked => return,
                        Park::Notified => {}
                    }
                }
            }

            /// A waker brings its news, and schedules the green thread if it is told to.
            fn bring(&self, news: usize, peek: bool) {
                self.news[news].store(true, Ordering::Relaxed);
                match self.state.wake() {
                    Wake::MustSchedule => self.resume(peek),
                    Wake::NothingToDo => {}
                }
            }
        }

        fn everyone_brings_news<const N: usize>(peek: bool) {
            explore(3, move || {
                let sleeper = Sleeper::<N>::new();
                let wakers: [_; N] = std::array::from_fn(|news| {
                    let sleeper = sleeper.clone();
                    thread::spawn(move || sleeper.bring(news, peek))
                });
                sleeper.resume(peek);
                for waker in wakers {
                    waker.join().unwrap();
                }
                assert!(sleeper.state.is_finished(), "a wake-up was lost");
                assert!(sleeper.finished.get());
            });
        }

        /// No wake-up is lost (property 2), and no two resume it at once or before it is off its stack (property 1):
        /// two wakers against a green thread that parks without a second look. If nobody resumes it with the last news,
        /// it never finishes; if two do, its stack is touched by both.
        $(#[$test])?
        fn wake_up_is_not_lost_against_a_park() {
            everyone_brings_news::<2>(false);
        }

        /// The same when the green thread takes its notification before it would switch away. The waker that finds it
        /// notified already has written the word all the same, so that its news are seen by the look that follows the
        /// taking.
        $(#[$test])?
        fn wake_up_is_not_lost_against_a_taken_notification() {
            everyone_brings_news::<2>(true);
        }

        /// A green thread that waits for nothing but its end: it looks whether it has been cancelled, and parks.
        struct Cancelled {
            state: State,
            /// What whoever cancels has written before.
            reason: Plain<u32>,
            stack: Plain<u32>,
        }

        impl Cancelled {
            fn resume(&self, peek: bool) {
                loop {
                    self.stack.set(self.stack.get() + 1);
                    if peek && self.state.take_notification() {
                        continue;
                    }
                    if self.state.is_cancelled() {
                        assert_eq!(self.reason.get(), 7);
                        let _ = self.state.finish();
                        return;
                    }
                    match self.state.park() {
                        Park::Parked => return,
                        Park::Notified => {}
                    }
                }
            }

            fn wake(&self, peek: bool) {
                match self.state.wake() {
                    Wake::MustSchedule => self.resume(peek),
                    Wake::NothingToDo => {}
                }
            }
        }

        fn it_is_cancelled(peek: bool) {
            explore(3, move || {
                let green = Arc::new(Cancelled { state: State::new(), reason: Plain::new(0), stack: Plain::new(0) });
                let cancels = {
                    let green = green.clone();
                    thread::spawn(move || {
                        green.reason.set(7);
                        green.state.cancel();
                        green.wake(peek);
                    })
                };
                let wakes = {
                    let green = green.clone();
                    thread::spawn(move || green.wake(peek))
                };
                green.resume(peek);
                cancels.join().unwrap();
                wakes.join().unwrap();
                assert!(green.state.is_finished(), "a cancellation was missed");
            });
        }

        /// A cancelled green thread is not parked without having seen it (property 4), beside a wake-up that has nothing to do with
        /// it; and it sees what was written before.
        $(#[$test])?
        fn cancellation_is_not_missed_against_a_park() {
            it_is_cancelled(false);
        }

        /// The same when it takes its notification before it looks.
        $(#[$test])?
        fn cancellation_is_not_missed_against_a_taken_notification() {
            it_is_cancelled(true);
        }

        /// A joiner's waker: in its cell, and called once.
        struct Joined {
            state: State,
            result: Plain<u32>,
            waker: Plain<u32>,
            woken: Parker,
        }

        impl Joined {
            fn new() -> Arc<Self> {
                Arc::new(Self { state: State::new(), result: Plain::new(0), waker: Plain::new(0), woken: Parker::new() })
            }

            fn finish(&self) {
                self.result.set(7);
                if self.state.finish() == Finish::MustWakeJoiner {
                    assert_ne!(self.waker.get(), 0, "there is no waker");
                    self.waker.set(0);
                    self.woken.unpark();
                }
            }
        }

        /// The joiner (property 3): it looks, sets its waker, waits. The result is written when it reads it, the waker
        /// is touched by one side at a time, and a joiner that was in time is woken.
        $(#[$test])?
        fn joiner_gets_the_result() {
            explore(3, || {
                let joined = Joined::new();
                let worker = {
                    let joined = joined.clone();
                    thread::spawn(move || joined.finish())
                };
                if !joined.state.is_finished() {
                    joined.waker.set(1);
                    match joined.state.set_joiner() {
                        Joiner::InTime => joined.woken.park(),
                        Joiner::Finished => joined.waker.set(0),
                    }
                }
                assert_eq!(joined.result.get(), 7);
                worker.join().unwrap();
            });
        }

        /// A joiner that is a future (property 3): polled again, it takes its waker back and sets another. While it
        /// owns the cell the worker does not touch it; when it comes too late the waker has been taken, and it does not
        /// touch the cell.
        $(#[$test])?
        fn joiner_replaces_its_waker() {
            explore(3, || {
                let joined = Joined::new();
                let worker = {
                    let joined = joined.clone();
                    thread::spawn(move || joined.finish())
                };
                joined.waker.set(1);
                let set = joined.state.set_joiner();
                let replaced = match set {
                    Joiner::InTime => joined.state.clear_joiner(),
                    Joiner::Finished => Joiner::InTime,
                };
                // The cell is the joiner's, unless the worker has taken the waker out of it.
                match (set, replaced) {
                    (Joiner::InTime, Joiner::InTime) => {
                        joined.waker.set(2);
                        match joined.state.set_joiner() {
                            Joiner::InTime => joined.woken.park(),
                            Joiner::Finished => joined.waker.set(0),
                        }
                    }
                    (Joiner::InTime, Joiner::Finished) => {}
                    (Joiner::Finished, _) => joined.waker.set(0),
                }
                assert_eq!(joined.result.get(), 7);
                worker.join().unwrap();
                assert_eq!(joined.waker.get(), 0, "a waker was left behind");
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/state.rs"));
