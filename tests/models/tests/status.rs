//! The status word of a worker, `runtime/src/scheduler/status.rs`: a processor has one owner, and comes with all that
//! its owner wrote.
//!
//! A worker goes into C and comes back while the monitor tries to take its processor. The processor's unsynchronised
//! half is one cell of plain memory, which whoever believes to own it writes. Left out: what a worker does that has
//! lost its processor; the fences, which are two full ones here, for loom knows no `membarrier`.

use greenbridge_models::witness::Plain;
use greenbridge_models::{explore, primitive};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Leave, Status, Take, Ticket};

        struct Program {
            status: Status,
            /// The unsynchronised half: how many turns have been run with it.
            processor: Plain<u32>,
        }

        impl Program {
            fn new() -> Arc<Self> {
                Arc::new(Self { status: Status::new(), processor: Plain::new(0) })
            }

            fn run_a_turn(&self) {
                self.processor.set(self.processor.get() + 1);
            }

            /// The worker: a turn, a stay in C, and so on as long as it keeps its processor. Says which stay it lost it
            /// on.
            fn work(&self, stays: u32) -> Option<u32> {
                let mut ticket = Ticket::FIRST;
                for stay in 1..=stays {
                    self.run_a_turn();
                    ticket = ticket.next();
                    self.status.enter(ticket);
                    match self.status.leave(ticket) {
                        Leave::Kept => {}
                        Leave::Taken => return Some(stay),
                    }
                }
                self.run_a_turn();
                None
            }

            /// The monitor: looks and takes, `times` over, even if it has succeeded before. Says how often it did.
            fn watch(&self, times: u32) -> u32 {
                let mut taken = 0;
                for _ in 0..times {
                    if let Some(ticket) = self.status.in_c() {
                        if self.status.take(ticket) == Take::Taken {
                            self.run_a_turn();
                            taken += 1;
                        }
                    }
                }
                taken
            }
        }

        fn worker_against_monitor(stays: u32, times: u32) {
            explore(4, move || {
                let program = Program::new();
                let monitor = {
                    let program = program.clone();
                    thread::spawn(move || program.watch(times))
                };
                let lost = program.work(stays);
                let taken = monitor.join().unwrap();
                assert_eq!(taken, u32::from(lost.is_some()), "the processor has {} owners", 1 + taken - u32::from(lost.is_some()));
            });
        }

        /// One owner: a stay in C against a take. Either the worker keeps the processor or the monitor takes it, never
        /// both and never neither; both write to it, each after the other's last write.
        $(#[$test])?
        fn processor_has_one_owner() {
            worker_against_monitor(1, 1);
        }

        /// One owner over several stays: what is left of one stay (a claim, an answer, a ticket that the monitor has
        /// read) decides nothing about the next.
        $(#[$test])?
        fn stays_are_told_apart() {
            worker_against_monitor(2, 2);
        }

        /// A processor that has been taken is not taken again, though its worker has not come back from C yet.
        $(#[$test])?
        fn taken_once_per_stay() {
            worker_against_monitor(1, 3);
        }
        /// Which processor: a worker has another one on its second stay, and none once it knows that it has lost it.
        /// What the taker reads between its look and the take is the processor of that very stay, if the take succeeds;
        /// what it reads afterwards may be gone.
        $(#[$test])?
        fn taker_knows_which_processor() {
            explore(4, || {
                let status = Arc::new(Status::new());
                let slot = Arc::new(AtomicUsize::new(1));
                let monitor = {
                    let (status, slot) = (status.clone(), slot.clone());
                    thread::spawn(move || {
                        let ticket = status.in_c()?;
                        let processor = slot.load(Ordering::Relaxed);
                        (status.take(ticket) == Take::Taken).then_some(processor)
                    })
                };
                let mut ticket = Ticket::FIRST;
                let mut lost = None;
                for processor in [1, 2] {
                    slot.store(processor, Ordering::Relaxed);
                    ticket = ticket.next();
                    status.enter(ticket);
                    if status.leave(ticket) == Leave::Taken {
                        slot.store(0, Ordering::Relaxed);
                        lost = Some(processor);
                        break;
                    }
                }
                assert_eq!(monitor.join().unwrap(), lost, "a wrong processor was taken");
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/status.rs"));
