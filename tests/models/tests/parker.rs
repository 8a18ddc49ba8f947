//! The token of a worker, `runtime/src/scheduler/parker.rs`: a call ends the worker's sleep, wherever that is, or the next one.
//!
//! A worker sleeps in its parker or in the poller until it has got so many pieces of work; others make work, and call. The work is plain
//! memory behind a relaxed count, so that only the token publishes it. A call that is lost is a deadlock here. Left out: what else may end a
//! sleep.

use greenbridge_models::witness::{Parker, Plain};
use greenbridge_models::{explore, primitive};
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Bed, Begin, Call, Token};

        struct Program {
            token: Token,
            parker: Parker,
            poller: Parker,
            /// What each caller has made, and whether it has.
            work: [Plain<u32>; 2],
            done: [AtomicU32; 2],
            /// System calls made for the worker.
            calls: AtomicU32,
        }

        impl Program {
            fn new() -> Arc<Self> {
                Arc::new(Self {
                    token: Token::new(),
                    parker: Parker::new(),
                    poller: Parker::new(),
                    work: [Plain::new(0), Plain::new(0)],
                    done: [AtomicU32::new(0), AtomicU32::new(0)],
                    calls: AtomicU32::new(0),
                })
            }

            fn make_work(&self, n: usize) {
                self.work[n].set(1);
                self.done[n].store(1, Ordering::Relaxed);
                match self.token.call() {
                    Call::WillLook => return,
                    Call::MustUnpark => self.parker.unpark(),
                    Call::MustNotify => self.poller.unpark(),
                }
                self.calls.fetch_add(1, Ordering::Relaxed);
            }

            fn is_done(&self, callers: usize) -> bool {
                self.done[..callers].iter().all(|done| done.load(Ordering::Relaxed) == 1)
            }

            /// Sleeps until all work is done, here and there by turns. Says how often.
            fn work(&self, callers: usize, first: Bed) -> u32 {
                let (mut bed, mut sleeps) = (first, 0);
                loop {
                    if self.token.begin(bed) == Begin::MaySleep {
                        match bed {
                            Bed::Parker => self.parker.park(),
                            Bed::Poller => self.poller.park(),
                        }
                        self.token.end();
                        sleeps += 1;
                    }
                    // After a call the work of whoever has called is there; a call that has ended nothing yet ends the next sleep.
                    if self.is_done(callers) {
                        return sleeps;
                    }
                    bed = if bed == Bed::Parker { Bed::Poller } else { Bed::Parker };
                }
            }
        }

        /// One calls, before the sleep, during it, or as it begins; what it has made is seen.
        $(#[$test])?
        fn call_meets_a_worker_that_goes_to_sleep() {
            for bed in [Bed::Parker, Bed::Poller] {
                explore(4, move || {
                    let program = Program::new();
                    let calls = {
                        let program = program.clone();
                        thread::spawn(move || program.make_work(0))
                    };
                    program.work(1, bed);
                    assert_eq!(program.work[0].get(), 1);
                    calls.join().unwrap();
                });
            }
        }

        /// Two call a worker that changes its bed: it sleeps again if the first has ended its sleep, and the second ends that one. Nobody makes
        /// a system call for one that has been called.
        $(#[$test])?
        fn two_call_a_worker_that_changes_its_bed() {
            explore(3, || {
                let program = Program::new();
                let callers: Vec<_> = (0..2)
                    .map(|n| {
                        let program = program.clone();
                        thread::spawn(move || program.make_work(n))
                    })
                    .collect();
                let sleeps = program.work(2, Bed::Parker);
                for caller in callers {
                    caller.join().unwrap();
                }
                assert!(program.calls.load(Ordering::Relaxed) <= sleeps, "called twice for one sleep");
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/parker.rs"));
