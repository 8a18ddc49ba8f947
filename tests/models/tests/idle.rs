//! The idle protocol, `runtime/src/scheduler/idle.rs`: pushed work is never left while a processor is idle and nobody
//! searches.
//!
//! The threads push work, or are workers that find nothing and go idle. A thread that is told to give a processor a
//! worker becomes that worker itself: it is the earliest that a woken worker can be there, and nobody has to wait, so
//! what is left at the end is lost. Work is a count in a relaxed atomic, so that only the protocol's own fences make it
//! visible; each processor is a cell of plain memory, which only its holder writes. Left out: how workers sleep, and
//! own queues (a worker that may not search looks nowhere).

use greenbridge_models::witness::Plain;
use greenbridge_models::{explore, primitive};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;

/// How long a piece of work keeps its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The worker comes back for more.
    Short,
    /// The worker never comes back: whatever else there is must be found by another.
    Endless,
}

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Idle, Role, Stopped};

        struct Program {
            idle: Idle,
            /// Pieces of work, in some queue.
            queue: AtomicUsize,
            /// How often each processor has been used. Its holder's.
            processors: Vec<Plain<u32>>,
            turn: Turn,
        }

        impl Program {
            fn new(processors: usize, turn: Turn) -> Arc<Self> {
                Arc::new(Self {
                    idle: Idle::new(processors),
                    queue: AtomicUsize::new(0),
                    processors: (0..processors).map(|_| Plain::new(0)).collect(),
                    turn,
                })
            }

            /// Makes work, and sees to it that somebody looks.
            fn push(&self) {
                self.queue.fetch_add(1, Ordering::Relaxed);
                self.wake_one();
            }

            fn wake_one(&self) {
                if let Some(processor) = self.idle.wake_one() {
                    self.work(processor, Role::Searching);
                }
            }

            fn pop(&self) -> bool {
                self.queue.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |work| work.checked_sub(1)).is_ok()
            }

            fn use_processor(&self, processor: usize) {
                self.processors[processor].set(self.processors[processor].get() + 1);
            }

            /// A worker with `processor`, until it sleeps or runs for ever.
            fn work(&self, processor: usize, mut role: Role) {
                loop {
                    self.use_processor(processor);
                    if role == Role::Running && self.idle.start_search() {
                        role = Role::Searching;
                    }
                    if role == Role::Searching && self.pop() {
                        role = Role::Running;
                        if self.idle.stop_search() == Stopped::MustWakeOne {
                            self.wake_one();
                        }
                        match self.turn {
                            Turn::Short => continue,
                            Turn::Endless => return,
                        }
                    }
                    if !self.give_up(processor, role) {
                        return;
                    }
                    role = Role::Searching;
                }
            }

            /// A worker that has found nothing: announces, and looks once more. Says whether it goes on, as a searcher.
            fn give_up(&self, processor: usize, role: Role) -> bool {
                self.idle.go_idle(processor, role);
                if self.queue.load(Ordering::Relaxed) == 0 {
                    return false;
                }
                let goes_on = self.idle.take_back(processor, Role::Searching);
                if !goes_on {
                    // Somebody else has this processor, and may have looked away: so in the pusher's place it wakes one
                    // for another.
                    self.wake_one();
                }
                goes_on
            }

            /// When everything has come to rest.
            fn assert_nothing_is_left(&self) {
                let left = self.queue.load(Ordering::Relaxed);
                assert!(left == 0 || !self.idle.some_idle(), "work is left while a processor is idle");
                if self.idle.some_idle() {
                    assert!(self.idle.wake_one().is_some(), "somebody counts as searching, and nobody searches");
                }
            }
        }

        /// The pair of fences: a worker finds nothing and goes idle while work is pushed. Either the pusher sees it
        /// idle, or it sees the push.
        $(#[$test])?
        fn push_meets_a_worker_that_goes_idle() {
            explore(4, || {
                let program = Program::new(1, Turn::Short);
                let processor = program.idle.acquire(None).expect("all are idle");
                let worker = {
                    let program = program.clone();
                    thread::spawn(move || program.work(processor, Role::Running))
                };
                program.push();
                worker.join().unwrap();
                program.assert_nothing_is_left();
            });
        }

        /// The same with two workers, of which one may search and one may not, and two processors that change hands.
        $(#[$test])?
        fn push_meets_two_workers_that_go_idle() {
            explore(3, || {
                let program = Program::new(2, Turn::Short);
                let workers = [Some(0), Some(1)].map(|preferred| {
                    let processor = program.idle.acquire(preferred).expect("all are idle");
                    let program = program.clone();
                    thread::spawn(move || program.work(processor, Role::Running))
                });
                program.push();
                for worker in workers {
                    worker.join().unwrap();
                }
                program.assert_nothing_is_left();
            });
        }

        /// The chain: two pieces of work that never end are pushed while two processors are idle. Whoever pushes second
        /// may see a searcher and leave the work to it; then the searcher, which is taken up by the first, must wake
        /// another for the second.
        $(#[$test])?
        fn last_searcher_wakes_another() {
            explore(4, || {
                let program = Program::new(2, Turn::Endless);
                let other = {
                    let program = program.clone();
                    thread::spawn(move || program.push())
                };
                program.push();
                other.join().unwrap();
                program.assert_nothing_is_left();
            });
        }

        /// The searcher that never was: a pusher claims, but a worker back from C gets the idle processor first, and
        /// goes idle again. A second push that saw the claim has left its work to the claimer, which must look again as
        /// it withdraws.
        $(#[$test])?
        fn claim_that_finds_no_processor_looks_again() {
            explore(3, || {
                let program = Program::new(1, Turn::Short);
                let pusher = {
                    let program = program.clone();
                    thread::spawn(move || program.push())
                };
                let back_from_c = {
                    let program = program.clone();
                    thread::spawn(move || {
                        if let Some(processor) = program.idle.acquire(Some(0)) {
                            program.use_processor(processor);
                            if program.give_up(processor, Role::Running) {
                                program.work(processor, Role::Searching);
                            }
                        }
                    })
                };
                program.push();
                pusher.join().unwrap();
                back_from_c.join().unwrap();
                program.assert_nothing_is_left();
            });
        }

        /// The processor that a worker has announced is taken by a worker back from C, which is busy with something
        /// else, just when the re-check finds work. That the processor has a worker is no help then: another idle one
        /// must get one.
        $(#[$test])?
        fn processor_taken_during_the_re_check() {
            explore(3, || {
                let program = Program::new(2, Turn::Short);
                let processor = program.idle.acquire(Some(0)).expect("all are idle");
                let worker = {
                    let program = program.clone();
                    thread::spawn(move || program.work(processor, Role::Running))
                };
                let back_from_c = {
                    let program = program.clone();
                    // What it has to run never ends.
                    thread::spawn(move || program.idle.acquire(Some(0)))
                };
                program.push();
                worker.join().unwrap();
                let _ = back_from_c.join().unwrap();
                program.assert_nothing_is_left();
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/idle.rs"));
