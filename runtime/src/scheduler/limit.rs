//! The limit on OS threads, when it can never be lifted: the exact test, and what follows.
//!
//! At `max_threads` a green thread that must move to a worker without residents waits until one has none (`spare.rs`). If all workers keep
//! a resident, and those wait for something that only this green thread would do, it would wait forever. That is certain when
//!
//! 1. green threads wait to move, and no more OS thread may be made;
//! 2. every processor is idle, and every worker sleeps with nothing in its inbox: nothing in the runtime can go on by itself;
//! 3. the process has no OS thread but the workers, the monitor, and those that block in a wait of the runtime's: nobody else can wake
//!    anything.
//!
//! The monitor looks every [`EVERY`] while (1) holds, and only then. What waits to move then gets an error that names the limit.

use super::runtime::Runtime;
use crate::primitive::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often the monitor looks while green threads wait to move.
pub(super) const EVERY: Duration = Duration::from_millis(50);

/// OS threads that block in a wait.
pub(crate) struct Blocked(AtomicUsize);

/// Those that are workers: under `call_on_thread_stack`, say.
pub(crate) static WORKERS: Blocked = Blocked(AtomicUsize::new(0));
/// Those that are not.
pub(crate) static OTHERS: Blocked = Blocked(AtomicUsize::new(0));

impl Blocked {
    /// One more is about to block. It is counted before its last look, so that whoever wakes it finds it counted.
    pub(crate) fn count_in(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// One of them has been woken.
    pub(crate) fn count_out(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Refuses those that wait to move, if nobody can ever make room for them.
pub(super) fn look(runtime: &'static Runtime) {
    if runtime.spares.some_wait_to_move() && is_stuck(runtime) {
        runtime.spares.refuse_all();
    }
}

fn is_stuck(runtime: &Runtime) -> bool {
    let Some(threads) = os_threads() else { return false };
    let ours = runtime.spares.threads() + 1;
    nothing_runs(runtime)
        && threads == ours + OTHERS.count()
        // Looked at twice: what was true before the count and is true after it was true at the count.
        && nothing_runs(runtime)
}

fn nothing_runs(runtime: &Runtime) -> bool {
    runtime.idle.all_idle()
        && runtime.injector.is_empty()
        && runtime.spares.asleep() + WORKERS.count() == runtime.spares.threads()
}

/// How many OS threads the process has.
fn os_threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}
