//! What the runtime knows of itself without counting anything for it.
//!
//! Each figure is true at some moment during the call, and not all at the same one.

use super::runtime::runtime;

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metrics {
    /// Processors: how many green threads can run at the same time.
    pub processors: usize,
    /// Processors without a worker: there is no work for them.
    pub idle_processors: usize,
    /// OS threads of workers.
    pub threads: usize,
    /// Of these, the ones that are kept without a processor: unused, or each with green threads that wait in callbacks.
    pub spare_threads: usize,
    /// The most OS threads of workers that may be.
    pub max_threads: usize,
    /// The usable size of a stack in bytes.
    pub stack_size: usize,
}

/// The figures of now.
///
/// # Panics
/// If the runtime has not been started.
pub fn metrics() -> Metrics {
    let runtime = runtime();
    let (threads, spare_threads) = runtime.spares.counts();
    Metrics {
        processors: runtime.processors.len(),
        idle_processors: runtime.idle.count(),
        threads,
        spare_threads,
        max_threads: runtime.settings.max_threads,
        stack_size: runtime.settings.stack_size,
    }
}
