//! The gate, `bridge/src/gate.rs`: whoever passes sees what the start wrote, one start runs, everybody is answered.
//!
//! Two or three callers meet at a fresh gate, from C (`enter`) or from Rust (`start`). What the start writes is one
//! cell of plain memory. Left out: a start that panics (loom cannot switch threads in the middle of unwinding; it takes
//! the way of a failed one, and the gate's unit tests have it), and the fork itself: the child is a thread that calls
//! `forked` while the others stand still.

use greenbridge_models::witness::{Parker, Plain, locks};
use greenbridge_models::{explore, primitive};
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Failure, Gate, Refused};

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        struct Broken(u32);

        impl Failure for Broken {
            fn of_panic() -> Self {
                Self(0)
            }
        }

        /// A gate, and what its start touches.
        struct Program {
            gate: Gate<Broken>,
            /// Written by the start.
            runtime: Plain<u32>,
            /// How many starts ran. Not loom's: it must order nothing.
            starts: AtomicUsize,
        }

        impl Program {
            fn new() -> Arc<Self> {
                Arc::new(Self { gate: Gate::new(), runtime: Plain::new(0), starts: AtomicUsize::new(0) })
            }

            fn start_it(&self) -> Result<(), Broken> {
                self.runtime.set(7);
                Ok(())
            }

            /// A start that is only counted. A second one is noticed by [`Self::assert_once`], and not here: a panic
            /// would settle.
            fn count(&self, outcome: Result<(), Broken>) -> Result<(), Broken> {
                self.starts.fetch_add(1, Ordering::Relaxed);
                outcome
            }

            fn assert_once(&self) {
                assert_eq!(self.starts.load(Ordering::Relaxed), 1, "a second start ran");
            }

            /// An entry from C, as every callback makes it.
            fn enter(&self) {
                if !self.gate.is_ready() {
                    assert_eq!(self.gate.enter(|| self.start_it()), Ok(()));
                }
            }
        }

        /// Publication (property 1): two entries and the one from `main` meet; each reads what the start wrote right
        /// after the gate, by whichever path it came. Then the gate stays open (property 5).
        $(#[$test])?
        fn whoever_passes_sees_what_the_start_wrote() {
            explore(3, || {
                let program = Program::new();
                let entry = |program: Arc<Program>| {
                    move || {
                        program.enter();
                        assert_eq!(program.runtime.get(), 7);
                        assert!(program.gate.is_ready(), "READY was left");
                    }
                };
                let others = [thread::spawn(entry(program.clone())), thread::spawn(entry(program.clone()))];
                entry(program.clone())();
                for other in others {
                    other.join().unwrap();
                }
                assert!(program.gate.is_ready(), "READY was left");
            });
        }

        /// Once (property 2): two entries and a start from Rust meet. One start runs; the one from Rust is accepted
        /// exactly if it is that one.
        $(#[$test])?
        fn one_start_runs() {
            explore(3, || {
                let program = Program::new();
                let others = [program.clone(), program.clone()].map(|program| {
                    thread::spawn(move || {
                        assert_eq!(program.gate.enter(|| program.count(Ok(()))), Ok(()));
                        program.assert_once();
                    })
                });
                let mut ran = false;
                let started = program.gate.start(|| {
                    ran = true;
                    program.count(Ok(()))
                });
                assert_eq!(started, if ran { Ok(()) } else { Err(Refused::AlreadyStarted) });
                for other in others {
                    other.join().unwrap();
                }
                program.assert_once();
            });
        }

        /// Termination (property 3): of three entries that meet at a start, two may wait, and all return. A lost
        /// wake-up is a deadlock here.
        $(#[$test])?
        fn every_waiter_is_answered() {
            explore(3, || {
                let program = Program::new();
                let others = [program.clone(), program.clone()].map(|program| thread::spawn(move || program.enter()));
                program.enter();
                for other in others {
                    other.join().unwrap();
                }
            });
        }

        /// Failure (property 3): of three callers, one from Rust, one runs the start, which fails. All get the same
        /// failure (but for the one from Rust, which may hear that others are at it), and so does one that comes later.
        /// The gate never opens, and nobody tries again.
        $(#[$test])?
        fn failure_reaches_everyone() {
            explore(3, || {
                let program = Program::new();
                let others = [program.clone(), program.clone()].map(|program| {
                    thread::spawn(move || {
                        assert!(!program.gate.is_ready(), "the gate stands open");
                        assert_eq!(program.gate.enter(|| program.count(Err(Broken(7)))), Err(Refused::Failed(Broken(7))));
                        assert!(!program.gate.is_ready(), "the gate stands open");
                    })
                });
                let from_rust = program.gate.start(|| program.count(Err(Broken(7))));
                assert!(matches!(from_rust, Err(Refused::Failed(Broken(7)) | Refused::AlreadyStarted)), "{from_rust:?}");
                for other in others {
                    other.join().unwrap();
                }
                assert_eq!(program.gate.enter(|| program.count(Err(Broken(7)))), Err(Refused::Failed(Broken(7))));
                assert_eq!(program.gate.start(|| program.count(Err(Broken(7)))), Err(Refused::Failed(Broken(7))));
                assert!(!program.gate.is_ready(), "the gate stands open");
                program.assert_once();
            });
        }

        /// The fast path (property 4): a thread that has seen READY locks nothing from then on, even if it takes the
        /// slow path; and if it sees READY from the beginning, it has locked nothing at all.
        $(#[$test])?
        fn entry_after_ready_takes_no_lock() {
            explore(3, || {
                let program = Program::new();
                let other = {
                    let program = program.clone();
                    thread::spawn(move || program.enter())
                };
                program.enter();
                let before = locks();
                program.enter();
                assert_eq!(program.gate.enter(|| program.start_it()), Ok(()));
                assert_eq!(locks(), before, "locked after READY");
                other.join().unwrap();
            });
        }

        /// Re-entry (property 6): a start that comes back to the gate, as an entry and as a start, is answered while
        /// another thread waits for it; then both pass.
        $(#[$test])?
        fn start_that_comes_back_is_answered() {
            explore(3, || {
                let program = Program::new();
                let entry = |program: Arc<Program>| {
                    move || {
                        let passed = program.gate.enter(|| {
                            assert_eq!(program.gate.enter(|| program.start_it()), Err(Refused::ReEntered));
                            assert_eq!(program.gate.start(|| program.start_it()), Err(Refused::AlreadyStarted));
                            program.start_it()
                        });
                        assert_eq!(passed, Ok(()));
                        assert_eq!(program.runtime.get(), 7);
                    }
                };
                let other = thread::spawn(entry(program.clone()));
                entry(program)();
                other.join().unwrap();
            });
        }

        /// A start from Rust never waits: the first one waits for a thread that starts too, and a third thread enters
        /// meanwhile. If the second start waited for the first, this would be a deadlock.
        $(#[$test])?
        fn start_from_rust_never_waits() {
            explore(3, || {
                let program = Program::new();
                let first = {
                    let program = program.clone();
                    thread::spawn(move || {
                        let inner = program.clone();
                        program.gate.start(|| {
                            let second = thread::spawn(move || inner.gate.start(|| inner.start_it()));
                            assert_eq!(second.join().unwrap(), Err(Refused::AlreadyStarted));
                            program.start_it()
                        })
                    })
                };
                program.enter();
                let first = first.join().unwrap();
                assert!(matches!(first, Ok(()) | Err(Refused::AlreadyStarted)), "{first:?}");
            });
        }

        /// Fork (property 7). A thread is in the middle of the start, another may be waiting for it with the lock in
        /// its hands, and `main` becomes the child: every call is answered while the two stand still, and without the
        /// lock. Then the owner goes on, as it would had it been the one that forked: it opens nothing and locks
        /// nothing.
        $(#[$test])?
        fn child_of_a_fork_never_waits() {
            explore(3, || {
                let program = Program::new();
                let (inside, go_on) = (Arc::new(Parker::new()), Arc::new(Parker::new()));
                let owner = {
                    let (program, inside, go_on) = (program.clone(), inside.clone(), go_on.clone());
                    thread::spawn(move || {
                        let before = locks();
                        let passed = program.gate.enter(|| {
                            inside.unpark();
                            go_on.park();
                            program.start_it()
                        });
                        assert_eq!((passed, locks()), (Err(Refused::Forked), before), "the child waits");
                    })
                };
                inside.park();
                let before = locks();
                program.gate.forked();
                assert!(!program.gate.is_ready());
                assert_eq!(program.gate.enter(|| program.start_it()), Err(Refused::Forked));
                assert_eq!(program.gate.start(|| program.start_it()), Err(Refused::Forked));
                assert_eq!(locks(), before, "the child waits");
                go_on.unpark();
                owner.join().unwrap();
                assert!(!program.gate.is_ready());
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/gate.rs"));
