//! What is counted while the runtime runs, and by whom.
//!
//! A [`Count`] has one writer at a time, which adds to it by a load, an addition and a store: one instruction on x86-64, no lock prefix, and a
//! cache line that is the writer's own. Who may write which one:
//!
//! * [`OfProcessor`]: the owner of the processor, as `scheduler/processor.rs` says who that is. Each change of owner is ordered.
//! * [`OfWorker`]: the worker's own OS thread.
//! * [`OfRuntime`]: `taken` and `taken_idle` the monitor, `spawned` anyone, by a locked addition: only callers who own no processor come there,
//!   and they have just taken an id in the same way.
//!
//! Everybody may read, a moment's truth.
//!
//! # What it must never do
//! Be shared: a counter that several OS threads write on a fast path costs a cache line that travels between them.

use super::histogram::Latencies;
use crate::primitive::{AtomicU64, Ordering};
use core::fmt;

/// A number that only grows, and that one OS thread at a time adds to.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds one. For the one who may write it.
    #[inline(always)]
    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// Adds `number`. For the one who may write it.
    #[inline(always)]
    pub(crate) fn add(&self, number: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
    }

    /// Its value.
    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

/// What is counted for a processor.
#[derive(Debug, Default)]
pub(crate) struct OfProcessor {
    /// Green threads that were spawned by code that owned it or could borrow it.
    pub(crate) spawned: Count,
    /// Green threads that such code has woken.
    pub(crate) woken: Count,
    /// Green threads taken out of the injector.
    pub(crate) injected: Count,
    /// Searches among the other processors.
    pub(crate) searches: Count,
    /// Searches that found something there.
    pub(crate) steals: Count,
    /// Green threads that these brought.
    pub(crate) stolen: Count,
}

/// What is counted for a worker.
#[derive(Debug, Default)]
pub(crate) struct OfWorker {
    /// Turns.
    pub(crate) turns: Count,
    /// First turns, for which a stack was attached.
    pub(crate) begun: Count,
    /// Ends of those that have begun.
    pub(crate) finished: Count,
    /// Green threads for which no stack could be had.
    pub(crate) failed: Count,
    /// Residents that were woken by name.
    pub(crate) residents_woken: Count,
    /// Suspensions with C, or the closure of a way to call, on the stack.
    pub(crate) callbacks_waited: Count,
    /// C calls that have lost their processor to the monitor.
    pub(crate) calls_taken: Count,
    /// Processors given up at once for a C call that is known to block, or is expected to.
    pub(crate) given_up_for_calls: Count,
    /// Processors given up because a wait was about to block the OS thread.
    pub(crate) given_up_for_waits: Count,
    /// Green threads sent away with the processor, because they had to be pinned and could not be here.
    pub(crate) moved: Count,
    /// Processors brought to another worker for its resident.
    pub(crate) brought_to_resident: Count,
    /// From ready to running.
    pub(crate) latencies: Latencies,
}

/// What is counted once.
#[derive(Debug, Default)]
pub(crate) struct OfRuntime {
    /// Green threads that were spawned by code without a processor: on foreign threads, and in callbacks that have lost it.
    pub(crate) spawned: Shared,
    /// Processors that the monitor took from a worker in C and gave to another.
    pub(crate) taken: Count,
    /// Processors that it took and made idle.
    pub(crate) taken_idle: Count,
}

/// A number that only grows, and that anyone adds to: for what is rare.
#[derive(Default)]
pub(crate) struct Shared(AtomicU64);

impl Shared {
    /// Zero.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds one.
    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Its value.
    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}
