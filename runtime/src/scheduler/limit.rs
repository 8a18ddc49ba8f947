//! No more OS threads, when that can never get better: the exact test, and what follows.
//!
//! At `max_threads`, and when the system makes no more OS threads, two kinds of green threads depend on what others do:
//!
//! | which | waits for | nobody can ever help it, if |
//! |---|---|---|
//! | it must move to a worker without residents (`spare.rs`) | a worker that has none | nothing is ready, and everybody else waits, too |
//! | it blocks its OS thread in a wait (`wait/park.rs`), with a processor that nobody else could be given | another worker | all workers block so |
//!
//! If what those wait for is something that only a green thread without a worker would do, it would be for ever. That everybody waits is
//! known exactly (`deadlock.rs`). Then what waits to move gets an error that names the limit, all of it; and of those that block one, whose
//! worker then goes on with what is ready.
//!
//! The monitor looks every [`EVERY`] while there are such, and only then. So this comes before the report of a deadlock, which takes that
//! nobody waits to move, and that all processors are idle. Each time it first tries to make an OS thread: the system may have changed its mind.

use super::processor::Processor;
use super::runtime::Runtime;
use super::worker::Worker;
use super::{blocked, deadlock, time};
use crate::primitive::Ordering;
use std::time::{Duration, Instant};

/// How often the monitor looks.
const EVERY: Duration = Duration::from_millis(50);

/// The monitor's side: when it looks next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    next: Option<Instant>,
}

impl Watch {
    /// Looks if it is time to. `starved` keeps a processor that no other worker could be found for just now. Says when to come again.
    pub(super) fn look(&mut self, runtime: &'static Runtime, starved: Option<&'static Worker>) -> Option<Instant> {
        let some_wait_to_move = runtime.spares.some_wait_to_move();
        if !some_wait_to_move && starved.is_none() {
            self.next = None;
        } else if self.next.is_none_or(|next| next <= Instant::now()) {
            if some_wait_to_move && !runtime.spares.try_to_move(runtime) && deadlock::everybody_waits(runtime) {
                runtime.spares.refuse_all();
            }
            if let Some(worker) = starved
                && deadlock::frozen(runtime, || runtime.spares.at_rest().is_empty() && some_work_waits(runtime))
            {
                worker.refused.store(true, Ordering::Release);
                blocked::wake(worker.os_thread());
            }
            self.next = Some(Instant::now() + EVERY);
        }
        self.next
    }
}

/// Whether anything is ready, or due: a moment's truth.
fn some_work_waits(runtime: &Runtime) -> bool {
    let is_ready = !runtime.injector.is_empty() || runtime.processors.iter().any(Processor::has_work);
    is_ready || time::some_due_unkept(runtime)
}
