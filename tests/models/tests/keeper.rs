//! The keeper of the time, `runtime/src/driver/keeper.rs`: whoever sleeps beyond a deadline has been called, and a timer armed while
//! nobody keeps is seen by somebody.
//!
//! The threads arm a timer or register a first file, or are workers that go to sleep as the keeper, or wake and give the role up. The first deadline
//! is a relaxed atomic, so that only the protocol's own fences make it visible; being called is a flag of each worker. Nobody
//! really sleeps: what holds at the end would hold for ever. Left out: the idle protocol, which sees to it that a worker that
//! was woken for the time comes to claim the role.

use greenbridge_models::witness::Plain;
use greenbridge_models::{explore, primitive};
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::thread;
use std::sync::Arc;

/// The deadline that is armed.
const DEADLINE: u64 = 10;

/// A worker, as far as it can be called.
struct Worker {
    called: AtomicBool,
}

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Ask, Claim, Keeper, NEVER};

        struct Program {
            keeper: Keeper<Worker>,
            /// The first deadline.
            earliest: AtomicU64,
            /// How many files are registered.
            files: AtomicU64,
            workers: [Worker; 2],
            /// Whether somebody was woken to keep the time, who then claims and looks.
            woken: AtomicBool,
            /// The keeper's.
            role: Plain<u32>,
        }

        impl Program {
            fn new(earliest: u64) -> Arc<Self> {
                Arc::new(Self {
                    keeper: Keeper::new(),
                    earliest: AtomicU64::new(earliest),
                    files: AtomicU64::new(0),
                    workers: [(); 2].map(|()| Worker { called: AtomicBool::new(false) }),
                    woken: AtomicBool::new(false),
                    role: Plain::new(0),
                })
            }

            /// Worker `n` is about to sleep. None: another keeps; else until when it would.
            fn go_to_sleep(&self, n: usize) -> Option<u64> {
                if self.keeper.claim(&self.workers[n]) == Claim::AnotherKeeps {
                    return None;
                }
                self.role.set(self.role.get() + 1);
                let earliest = self.earliest.load(Ordering::Relaxed);
                self.keeper.keep_until(earliest);
                Some(earliest)
            }

            /// The keeper wakes, and goes on to run something.
            fn wake_up(&self) {
                self.role.set(self.role.get() + 1);
                self.keeper.resign();
                if self.earliest.load(Ordering::Relaxed) != NEVER {
                    self.woken.store(true, Ordering::Relaxed);
                }
            }

            fn arm(&self) {
                self.earliest.store(DEADLINE, Ordering::Relaxed);
                self.call_keeper(DEADLINE);
            }

            fn call_keeper(&self, deadline: u64) {
                match self.keeper.ask(deadline) {
                    Ask::Kept => {}
                    // SAFETY: one of the workers of the program, which is alive.
                    Ask::MustUnpark(worker) => unsafe { worker.as_ref() }.called.store(true, Ordering::Relaxed),
                    Ask::NobodyKeeps => self.woken.store(true, Ordering::Relaxed),
                }
            }

            fn is_called(&self, n: usize) -> bool {
                self.workers[n].called.load(Ordering::Relaxed)
            }
        }

        /// The pair of fences: a worker goes to sleep while a timer is armed. It sleeps no longer than that, or has been
        /// called. That who armed it finds nobody is no help here: the worker may have been the only one.
        $(#[$test])?
        fn arm_meets_a_worker_that_goes_to_sleep() {
            explore(4, || {
                let program = Program::new(NEVER);
                let arms = {
                    let program = program.clone();
                    thread::spawn(move || program.arm())
                };
                let until = program.go_to_sleep(0).expect("nobody else keeps");
                arms.join().unwrap();
                assert!(until <= DEADLINE || program.is_called(0), "a timer is forgotten");
            });
        }

        /// The first file is registered while a worker goes to sleep: it sleeps in the poller, or has been called.
        $(#[$test])?
        fn first_file_meets_a_worker_that_goes_to_sleep() {
            explore(4, || {
                let program = Program::new(NEVER);
                let registers = {
                    let program = program.clone();
                    thread::spawn(move || {
                        program.files.fetch_add(1, Ordering::Relaxed);
                        // Earlier than every deadline.
                        program.call_keeper(1);
                    })
                };
                let _ = program.go_to_sleep(0).expect("nobody else keeps");
                let is_in_poller = program.files.load(Ordering::Relaxed) > 0;
                registers.join().unwrap();
                assert!(is_in_poller || program.is_called(0), "a timer is forgotten");
            });
        }

        /// The same with a keeper that sleeps until a later deadline already, and sleeps again.
        $(#[$test])?
        fn arm_meets_a_keeper_that_sleeps_again() {
            explore(3, || {
                let program = Program::new(2 * DEADLINE);
                let _ = program.go_to_sleep(0);
                let arms = {
                    let program = program.clone();
                    thread::spawn(move || program.arm())
                };
                program.wake_up();
                let until = program.go_to_sleep(0).expect("nobody else keeps");
                arms.join().unwrap();
                assert!(until <= DEADLINE || program.is_called(0), "a timer is forgotten");
            });
        }

        /// A keeper is woken for something else, and does not come back, while a timer is armed: it or who armed the timer
        /// wakes somebody.
        $(#[$test])?
        fn arm_meets_a_keeper_that_resigns() {
            explore(4, || {
                let program = Program::new(NEVER);
                let _ = program.go_to_sleep(0);
                let arms = {
                    let program = program.clone();
                    thread::spawn(move || program.arm())
                };
                program.wake_up();
                arms.join().unwrap();
                assert!(program.woken.load(Ordering::Relaxed), "a timer is forgotten");
            });
        }

        /// The role changes hands while a timer is armed: whoever has it at last sleeps no longer, or has been called.
        $(#[$test])?
        fn arm_meets_a_change_of_keepers() {
            explore(3, || {
                let program = Program::new(NEVER);
                let _ = program.go_to_sleep(0);
                let arms = {
                    let program = program.clone();
                    thread::spawn(move || program.arm())
                };
                let next = {
                    let program = program.clone();
                    thread::spawn(move || program.go_to_sleep(1))
                };
                program.wake_up();
                arms.join().unwrap();
                match next.join().unwrap() {
                    Some(until) => assert!(until <= DEADLINE || program.is_called(1), "a timer is forgotten"),
                    None => assert!(program.woken.load(Ordering::Relaxed), "a timer is forgotten"),
                }
            });
        }

        /// Two workers go to sleep, and wake: there is one keeper at a time, and what is the keeper's is handed on with the role.
        $(#[$test])?
        fn two_workers_claim() {
            explore(4, || {
                let program = Program::new(DEADLINE);
                let other = {
                    let program = program.clone();
                    thread::spawn(move || {
                        if program.go_to_sleep(1).is_some() {
                            program.wake_up();
                        }
                    })
                };
                if program.go_to_sleep(0).is_some() {
                    program.wake_up();
                }
                other.join().unwrap();
                assert!(program.keeper.is_vacant());
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/keeper.rs"));
