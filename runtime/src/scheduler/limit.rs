//! The limit on OS threads, when it can never be lifted: the exact test, and what follows.
//!
//! At `max_threads` a green thread that must move to a worker without residents waits until one has none (`spare.rs`). If all workers keep
//! a resident, and those wait for something that only this green thread would do, it would wait forever. That is certain when green
//! threads wait to move, no more OS thread may be made, and everybody else waits, too (`deadlock.rs`): then nobody can free a worker.
//!
//! The monitor looks every [`EVERY`] while green threads wait to move, and only then. What waits to move then gets an error that names the
//! limit. So this comes before the report of a deadlock, which takes that nobody waits to move.

use super::deadlock;
use super::runtime::Runtime;
use std::time::Duration;

/// How often the monitor looks while green threads wait to move.
pub(super) const EVERY: Duration = Duration::from_millis(50);

/// Refuses those that wait to move, if nobody can ever make room for them.
pub(super) fn look(runtime: &'static Runtime) {
    if runtime.spares.some_wait_to_move() && deadlock::everybody_waits(runtime) {
        runtime.spares.refuse_all();
    }
}
