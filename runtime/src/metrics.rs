//! What the runtime knows of itself in numbers.
//!
//! [`metrics()`](crate::metrics()) reads them all, at any time, from any thread. What only grows is a *counter*: two readings are told apart by
//! subtracting. The rest are *gauges*. Each figure is true at some moment during the call, and not all at the same one.
//!
//! Nothing is switched on for this. What a fast path can count by one addition to a line of its own processor is counted; the rest is read off
//! from what the scheduler keeps anyway, such as the lengths of queues. The fast path of a C call counts nothing: stays in C are numbered, and
//! the number is read.
//!
//! [`Metrics::figures`] lists them with names for a monitoring system, and [`Metrics::to_prometheus`] writes them in its text form.
//!
//! ```
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let before = greenbridge_runtime::metrics();
//! greenbridge_runtime::run(|| ());
//! let after = greenbridge_runtime::metrics();
//! assert_eq!(after.spawned - before.spawned, 1);
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

pub(crate) mod count;
mod figures;
pub(crate) mod histogram;
#[cfg(feature = "metrics")]
mod recorder;

pub use figures::{Figure, Kind};
pub use histogram::Histogram;
#[cfg(feature = "metrics")]
pub use recorder::{describe, record};

use crate::driver::reactor::POLLS;
use crate::scheduler::runtime::{Runtime, runtime};
use crate::scheduler::worker::Worker;
use count::Shared;

/// How often C has come to the gate before the runtime was up.
static GATE_SLOW_PATHS: Shared = Shared::new();

/// Counts one that C has come in by before the runtime was up. For the bridge.
#[doc(hidden)]
pub fn count_gate_slow_path() {
    GATE_SLOW_PATHS.one();
}

/// The figures. Made by [`metrics()`](crate::metrics()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Gauge: processors, which is how many green threads can run at the same time.
    pub processors: usize,
    /// Gauge: processors without a worker; there is no work for them.
    pub idle_processors: usize,
    /// Gauge: OS threads of workers.
    pub threads: usize,
    /// Gauge: of these, the ones that are kept without a processor: unused, or each with green threads that wait in callbacks.
    pub spare_threads: usize,
    /// Gauge: the most OS threads of workers that may be.
    pub max_threads: usize,
    /// Counter: OS threads of workers that were made.
    pub threads_started: u64,
    /// Counter: times that a worker found nothing to do and went to sleep, or was woken and slept on.
    pub rests: u64,

    /// Counter: green threads spawned. Less those that have [finished](Self::finished), it is how many there are.
    pub spawned: u64,
    /// Counter: green threads that have finished.
    pub finished: u64,
    /// Gauge: green threads that wait for a processor, in whatever queue.
    pub ready: usize,
    /// Gauge: green threads that run Rust code on a processor.
    pub running: usize,
    /// Gauge: green threads in a C call, in a callback from it that does not wait, or in a wait that blocks their OS thread.
    pub in_c: usize,
    /// Gauge: the rest: green threads that wait.
    pub parked: usize,
    /// Gauge: of these, and of the ready ones, those that are pinned to an OS thread while they are suspended: they wait in a callback, or with a
    /// [`pin`](crate::pin()).
    pub residents: usize,

    /// Counter: turns, which is how often a green thread was resumed. A yield for which nobody waits is none.
    pub turns: u64,
    /// Counter: green threads woken by code that had a processor, and so put next to it.
    pub wakes_local: u64,
    /// Counter: green threads woken or spawned by code without a processor, on foreign threads for the most part: they went through the queue
    /// that all processors share. They count when they are taken from there.
    pub wakes_injected: u64,
    /// Counter: pinned green threads that were woken, or have yielded: each went to its OS thread by name.
    pub wakes_resident: u64,
    /// Counter: searches for work among the other processors.
    pub searches: u64,
    /// Counter: searches that found some.
    pub steals: u64,
    /// Counter: green threads that these brought. Others that steal at the same time can hide a few.
    pub stolen: u64,
    /// Counter: timers that were due and have woken somebody.
    pub timers_fired: u64,
    /// Counter: times that the system was asked which sockets and other files are ready, asleep or in passing.
    pub polls: u64,

    /// Counter: stays in C with a processor. A C call is one; each time that a callback uses the scheduler adds one, for it leaves C meanwhile and
    /// enters it again.
    pub stays_in_c: u64,
    /// Counter: times that a callback from C, or the closure of a way to call, has waited by switching away.
    pub callbacks_waited: u64,
    /// Counter: entries from C that found the runtime not up yet, and had to start it, wait for it, or be refused.
    pub gate_slow_paths: u64,
    /// Counters: processors that went from one worker to another, by reason.
    pub hand_offs: HandOffs,

    /// Sampled: how long green threads are ready before they run. Of the times that one becomes ready by a wake or by being spawned, every 64th is
    /// measured.
    pub scheduling_latency: Histogram,

    /// Gauge: the usable size of a stack in bytes.
    pub stack_size: usize,
    /// Gauge: stacks of green threads that have begun to run and have not finished.
    pub stacks_in_use: usize,
    /// Gauge: stacks kept for others.
    pub stacks_cached: usize,
    /// Gauge: address space reserved for stacks, in bytes, guards and what was not used yet included. Of this only the pages that were touched are
    /// memory.
    pub stack_address_space: usize,
}

/// Processors that went from one worker to another. Each field is a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HandOffs {
    /// The monitor took it from a worker that was long in C, as work waited.
    pub taken: u64,
    /// The monitor took it from a worker that was long in C, and made it idle, as no work waited.
    pub taken_idle: u64,
    /// A green thread gave it up at once when it called C: `call_blocking`, or a `call` after one that had lost its processor.
    pub blocking_calls: u64,
    /// A worker gave it up because a wait was about to block its OS thread.
    pub blocking_waits: u64,
    /// A green thread that had to be pinned took it along, from an OS thread that keeps a pinned one already.
    pub moves: u64,
    /// A pinned green thread was ready, and its worker had none.
    pub to_residents: u64,
}

impl HandOffs {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.taken + self.taken_idle + self.blocking_calls + self.blocking_waits + self.moves + self.to_residents
    }

    /// C calls during which the processor went to somebody else.
    pub fn of_calls(&self) -> u64 {
        self.taken + self.taken_idle + self.blocking_calls
    }
}

/// The figures of now. It takes a few loads for each processor and each OS thread of a worker, and some locks that the runtime holds only
/// briefly.
///
/// # Panics
/// If the runtime has not been started.
pub fn metrics() -> Metrics {
    let runtime = runtime();
    let (threads, spare_threads, threads_started) = runtime.spares.counts();
    let workers = runtime.spares.made();
    // What has ended is read first, so that nothing has ended that was not begun.
    let (failed, finished) = (sum(&workers, |w| w.counts.failed.read()), sum(&workers, |w| w.counts.finished.read()));
    let begun = sum(&workers, |w| w.counts.begun.read());
    let (spawned_here, spawned_elsewhere) =
        (of_processors(runtime, |counts| counts.spawned.read()), runtime.counts.spawned.read());
    let (running, in_c) = who_runs(&workers);
    let ready = ready(runtime, &workers);
    let lives = usize_of((spawned_here + spawned_elsewhere).saturating_sub(failed + finished));
    let (stacks, stack_address_space) = runtime.stacks.made();
    let stacks_in_use = usize_of(begun.saturating_sub(finished));
    let mut scheduling_latency = Histogram::default();
    workers.iter().for_each(|worker| scheduling_latency.add(&worker.counts.latencies));
    Metrics {
        processors: runtime.processors.len(),
        idle_processors: runtime.idle.count(),
        threads,
        spare_threads,
        max_threads: runtime.settings.max_threads,
        threads_started,
        rests: sum(&workers, Worker::rests),
        spawned: spawned_here + spawned_elsewhere,
        finished: failed + finished,
        ready,
        running,
        in_c,
        parked: lives.saturating_sub(ready + running + in_c),
        residents: workers.iter().map(|worker| worker.residents()).sum(),
        turns: sum(&workers, |w| w.counts.turns.read()),
        wakes_local: of_processors(runtime, |counts| counts.woken.read()),
        wakes_injected: of_processors(runtime, |counts| counts.injected.read()),
        wakes_resident: sum(&workers, |w| w.counts.residents_woken.read()),
        searches: of_processors(runtime, |counts| counts.searches.read()),
        steals: of_processors(runtime, |counts| counts.steals.read()),
        stolen: of_processors(runtime, |counts| counts.stolen.read()),
        timers_fired: runtime.timers.fired(),
        polls: POLLS.read(),
        stays_in_c: sum(&workers, |w| w.tickets.given()),
        callbacks_waited: sum(&workers, |w| w.counts.callbacks_waited.read()),
        gate_slow_paths: GATE_SLOW_PATHS.read(),
        hand_offs: hand_offs(runtime, &workers),
        scheduling_latency,
        stack_size: runtime.settings.stack_size,
        stacks_in_use,
        stacks_cached: stacks.saturating_sub(stacks_in_use),
        stack_address_space,
    }
}

fn hand_offs(runtime: &Runtime, workers: &[&'static Worker]) -> HandOffs {
    HandOffs {
        taken: runtime.counts.taken.read(),
        taken_idle: runtime.counts.taken_idle.read(),
        blocking_calls: sum(workers, |w| w.counts.given_up_for_calls.read()),
        blocking_waits: sum(workers, |w| w.counts.given_up_for_waits.read()),
        moves: sum(workers, |w| w.counts.moved.read()),
        to_residents: sum(workers, |w| w.counts.brought_to_resident.read()),
    }
}

/// How many green threads run, and how many are in C.
fn who_runs(workers: &[&'static Worker]) -> (usize, usize) {
    let with_green = || workers.iter().filter(|worker| worker.has_green());
    let in_c = with_green().filter(|worker| worker.status.is_entered() || worker.processor().is_none()).count();
    (with_green().count() - in_c, in_c)
}

/// How many green threads wait in queues.
fn ready(runtime: &Runtime, workers: &[&'static Worker]) -> usize {
    let of_processor = |processor: &crate::scheduler::processor::Processor| {
        processor.stealer.len() + usize::from(processor.has_next())
    };
    let at_home = workers.iter().map(|worker| worker.pinned.len() + usize::from(worker.inbox.has_resident()));
    runtime.processors.iter().map(of_processor).sum::<usize>()
        + runtime.injector.len()
        + runtime.spares.waiting_to_move()
        + at_home.sum::<usize>()
}

fn sum(workers: &[&'static Worker], count: impl Fn(&Worker) -> u64) -> u64 {
    workers.iter().map(|worker| count(worker)).sum()
}

fn of_processors(runtime: &Runtime, count: impl Fn(&count::OfProcessor) -> u64) -> u64 {
    runtime.processors.iter().map(|processor| count(&processor.counts)).sum()
}

fn usize_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
