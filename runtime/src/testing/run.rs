//! One run of a check: who goes next, when the clock jumps, and when it is over.
//!
//! There is one processor, and its worker asks [`Testing::find`] where it would otherwise look into its queues. All that is ready lies in one
//! pool, and chance takes one out. When the pool is empty:
//!
//! 1. timers that are due are fired, and events of sockets that are there are delivered;
//! 2. if another worker is active (in C, say), the processor becomes idle as usual, and time stands still; when that worker goes to sleep,
//!    it wakes one to look again;
//! 3. those that [`settle`] go on;
//! 4. the clock jumps to the next deadline, unless the test has returned;
//! 5. else the run is *quiet*, and the OS thread that checks is told. It finds that everybody has ended, or that the run is stuck. A
//!    quiet run that is woken from outside goes on.
//!
//! # Who may touch what
//! The state is behind its lock; the worker that owns the processor and the OS thread that checks take it. No user code runs under it.

use super::chance::Chance;
use crate::driver::clock;
use crate::green::thread::{Payload, Ready};
use crate::primitive::{Condvar, Mutex, lock, wait as wait_on};
use crate::scheduler::processor::Processor;
use crate::scheduler::runtime::{Runtime, is_started, runtime};
use crate::scheduler::worker::Worker;
use crate::scheduler::{deadlock, search, time};
use crate::spawn::ThreadBuilder;
use crate::stack;
use crate::wait::What;
use crate::wait::operation::{Operation, wait_for};
use crate::wait::queue::{WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;
use std::time::Duration;

/// How long, in the world's time, a run that is stuck may still be woken from outside.
const GRACE: Duration = Duration::from_millis(500);

/// What a runtime in virtual time has beside the usual.
pub(crate) struct Testing {
    state: Mutex<State>,
    /// The run has become quiet, or is no longer.
    changed: Condvar,
}

struct State {
    chance: Chance,
    /// Ready green threads, but for one that lies in the run queue, where everybody sees that there is work.
    pool: Vec<Ready>,
    settling: WaitQueue<()>,
    /// What the test has come to.
    outcome: Option<Result<(), Payload>>,
    has_returned: bool,
    quiet: Option<Quiet>,
    /// How many green threads failed runs have left behind.
    left: usize,
}

/// What the worker finds when nobody can go on.
struct Quiet {
    /// How many green threads there are, all of which wait.
    alive: usize,
    /// Who they are; empty if none of this run is among them.
    report: String,
}

impl Testing {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                chance: Chance::new(0),
                pool: Vec::new(),
                settling: WaitQueue::new(),
                outcome: None,
                has_returned: false,
                quiet: None,
                left: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// A number below `limit`, by the chance of the run.
    pub(crate) fn below(&self, limit: usize) -> usize {
        lock(&self.state).chance.below(limit)
    }

    /// One that is ready.
    pub(crate) fn choose(&self, runtime: &Runtime, processor: &Processor) -> Option<Ready> {
        lock(&self.state).choose(runtime, processor)
    }

    /// The green thread that goes next. None: `worker`, which asks, has mail; or there is none, and nothing of the run's own makes one
    /// ready now.
    pub(crate) fn find(&self, runtime: &'static Runtime, worker: &Worker, processor: &Processor) -> Option<Ready> {
        loop {
            let mut state = lock(&self.state);
            if let Some(ready) = state.choose(runtime, processor) {
                if state.quiet.take().is_some() {
                    self.changed.notify_all();
                }
                return Some(ready);
            }
            drop(state);
            if time::bring_any(runtime, processor) {
                continue;
            }
            if worker.has_mail() || deadlock::other_workers_run(runtime) {
                return None;
            }
            let mut state = lock(&self.state);
            if let Some(((), waker)) = state.settling.serve(|()| ()) {
                drop(state);
                waker.wake();
            } else if state.has_returned || !clock::jump(runtime.timers.earliest()) {
                state.quiet = Some(Quiet::of(state.left));
                self.changed.notify_all();
                return None;
            }
        }
    }

    /// Whether the worker that asks, and has announced its processor as idle, may yet find something: all others have gone to sleep.
    pub(crate) fn can_go_on(&self, runtime: &Runtime) -> bool {
        lock(&self.state).quiet.is_none() && !deadlock::other_workers_run(runtime)
    }

    /// Waits until the run is over.
    fn wait_for_end(&self) -> Result<(), Failure> {
        let mut state = lock(&self.state);
        loop {
            while state.quiet.is_none() {
                state = wait_on(&self.changed, state);
            }
            let alive = state.quiet.as_ref().map_or(0, |quiet| quiet.alive);
            state.left = state.left.min(alive);
            if alive == state.left
                && let Some(outcome) = state.outcome.take()
            {
                return outcome.map_err(Failure::Panic);
            }
            let waited = self.changed.wait_timeout_while(state, GRACE, |state| state.quiet.is_some());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let Some(quiet) = state.quiet.take() else { continue };
            state.left = quiet.alive;
            return Err(match state.outcome.take() {
                Some(Err(payload)) => Failure::Panic(payload),
                Some(Ok(())) => Failure::LeftBehind(quiet.report),
                None => Failure::Stuck(quiet.report),
            });
        }
    }
}

impl State {
    /// Takes one of those that are ready.
    fn choose(&mut self, runtime: &Runtime, processor: &Processor) -> Option<Ready> {
        // SAFETY: the caller is the worker that owns the processor.
        while let Some(ready) = unsafe { processor.pop() } {
            self.pool.push(ready);
        }
        while let Some(ready) = search::from_injector(runtime, processor) {
            self.pool.push(ready);
            // SAFETY: as above.
            while let Some(ready) = unsafe { processor.pop() } {
                self.pool.push(ready);
            }
        }
        if self.pool.is_empty() {
            return None;
        }
        let chosen = self.chance.below(self.pool.len());
        let chosen = self.pool.swap_remove(chosen);
        if let Some(other) = self.pool.pop() {
            // SAFETY: as above.
            unsafe { processor.owned(|owned| owned.queue.push(other)) };
        }
        Some(chosen)
    }
}

impl Quiet {
    /// For the worker that has found nothing to run, when no other worker is active.
    fn of(left: usize) -> Self {
        let alive = stack::in_use().count();
        // SAFETY: only workers run green threads, and the one that calls this is the only one that is awake. It has found no green thread
        // that is ready, so all that have begun have been suspended, by itself or by a worker that it has seen asleep.
        let report = if alive > left { unsafe { deadlock::report::describe() } } else { String::new() };
        Self { alive, report }
    }
}

enum Failure {
    Panic(Payload),
    Stuck(String),
    LeftBehind(String),
}

/// Whether the runtime is up, in virtual time.
pub(super) fn is_virtual() -> bool {
    is_started() && runtime().testing.is_some()
}

fn testing() -> &'static Testing {
    runtime().testing.as_ref().expect("a check runs in virtual time")
}

/// A number below `limit`, if this is a check.
#[inline]
pub(crate) fn below(limit: usize) -> Option<usize> {
    clock::is_virtual().then(|| testing().below(limit))
}

/// Runs `test` with `seed`.
///
/// # Panics
/// If it fails.
#[track_caller]
pub(super) fn one(seed: u64, test: impl FnOnce() + Send + 'static) {
    let testing = testing();
    {
        let mut state = lock(&testing.state);
        state.chance = Chance::new(seed);
        state.outcome = None;
        state.has_returned = false;
        state.quiet = None;
    }
    let thread = ThreadBuilder::new().name("test").spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(test));
        let mut state = lock(&testing.state);
        state.has_returned = true;
        state.outcome = Some(outcome);
    });
    drop(thread);
    let Err(failure) = testing.wait_for_end() else { return };
    eprintln!("greenbridge: the check failed with seed {seed}; to run that alone, set {}={seed}", super::SEED);
    match failure {
        Failure::Panic(payload) => resume_unwind(payload),
        Failure::Stuck(report) => panic!("all green threads of the check wait, and no deadline is left\n\n{report}"),
        Failure::LeftBehind(report) => {
            panic!("the test has returned, and green threads are left that wait\n\n{report}")
        }
    }
}

/// Waits until every other green thread of the check waits, before the clock jumps: then a test can look at what they have done.
///
/// # Panics
/// Outside a check. With [`Cancelled`](crate::cancel::Cancelled), if the caller is cancelled.
///
/// # Examples
/// ```
/// use greenbridge_runtime::{spawn, testing};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// let test = || {
///     let is_done = Arc::new(AtomicBool::new(false));
///     let thread = {
///         let is_done = Arc::clone(&is_done);
///         spawn(move || is_done.store(true, Ordering::Relaxed))
///     };
///     testing::settle();
///     assert!(is_done.load(Ordering::Relaxed));
///     assert!(thread.join().is_ok());
/// };
/// // SAFETY: the code under test touches no thread-local across a wait.
/// unsafe { testing::check(test) };
/// ```
#[inline(never)]
#[track_caller]
pub fn settle() {
    assert!(is_virtual(), "settle is for tests in virtual time: call it under `testing::check`");
    wait_for(What::Settling, Settle(testing()), ());
}

struct Settle(&'static Testing);

impl Operation for Settle {
    type Slot = ();
    type Output = ();

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0.state);
        if waiter.is_served() {
            return Poll::Ready(());
        }
        // SAFETY: 1. in this queue or none; 2. pinned by its owner, who gives up before it drops it; 3. the state's lock.
        let old = unsafe { state.settling.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let _ = lock(&self.0.state).settling.give_up(waiter.as_ref());
        }
    }
}

impl fmt::Debug for Testing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Testing").finish_non_exhaustive()
    }
}
