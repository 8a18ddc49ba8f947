//! What the runtime knows of itself.

use super::entry::entry;
use super::options::{self, Sized0};
use std::ffi::c_int;

/// Figures of the runtime. Set struct_size to sizeof(gb_metrics_t) before gb_metrics() fills the
/// rest.
///
/// Each figure was true at some moment during the call, and not all at the same one.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct gb_metrics_t {
    /// sizeof(gb_metrics_t).
    pub struct_size: usize,
    /// How many green threads can run at the same time.
    pub processors: u64,
    /// Of these, how many have nothing to do.
    pub idle_processors: u64,
    /// The OS threads that run green threads, sit in C calls for them, or are kept for that; not
    /// the monitor.
    pub threads: u64,
    /// Of these, those that are kept without a processor: unused, or for green threads that wait
    /// in callbacks from C.
    pub spare_threads: u64,
    /// The most that threads may become.
    pub max_threads: u64,
    /// The usable size of a green thread's stack in bytes.
    pub stack_size: u64,
    /// Green threads that were spawned. It only grows, as do the other totals below. Less those that
    /// have finished, it is how many there are.
    pub spawned: u64,
    /// Green threads that have finished.
    pub finished: u64,
    /// Green threads that wait for a processor.
    pub ready: u64,
    /// Green threads that run on one, and not in C.
    pub running: u64,
    /// Green threads in C, or in a wait that blocks their OS thread.
    pub in_c: u64,
    /// How often a green thread was resumed.
    pub turns: u64,
    /// How often a processor went from a C call that takes long to others.
    pub hand_offs_of_calls: u64,
}

// SAFETY: 1. it is; 2. integers.
unsafe impl Sized0 for gb_metrics_t {
    const FIRST: usize = core::mem::offset_of!(Self, spawned);
}

/// Fills in the figures of now.
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: none.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works.
/// Errors: GB_EINVAL (NULL, or a struct_size that was not set), and those of the start.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_metrics(metrics: *mut gb_metrics_t) -> c_int {
    entry(|| {
        let now = greenbridge_runtime::metrics();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let ours = gb_metrics_t {
            struct_size: size_of::<gb_metrics_t>(),
            processors: number(now.processors),
            idle_processors: number(now.idle_processors),
            threads: number(now.threads),
            spare_threads: number(now.spare_threads),
            max_threads: number(now.max_threads),
            stack_size: number(now.stack_size),
            spawned: now.spawned,
            finished: now.finished,
            ready: number(now.ready),
            running: number(now.running),
            in_c: number(now.in_c),
            turns: now.turns,
            hand_offs_of_calls: now.hand_offs.of_calls(),
        };
        // SAFETY: by the header's contract.
        unsafe { options::write(ours, metrics) }
    })
}
