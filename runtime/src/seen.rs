//! What the scheduler tells of itself while somebody records: the timeline of `trace.rs`, the report of `report.rs`.
//!
//! The scheduler calls these functions; what becomes of the calls is in the two files. Without the feature `trace` they are empty and take no
//! arguments that cost anything. With it, and with nobody recording, each is one load of a line that is hardly ever written, and a branch.
//!
//! The fast path of a C call asks nothing: while somebody records, each turn begins with a bit among its worker's obstacles
//! (`scheduler/resident.rs`), so that calls take their slow path, where they are told. A call site is the `Location` of the caller, which with
//! the feature is an argument more, in a register.

#[cfg(feature = "trace")]
mod hooks;
#[cfg(not(feature = "trace"))]
#[path = "seen/no_hooks.rs"]
mod hooks;

#[cfg(feature = "trace")]
pub use hooks::{Callback, callback_begins};
pub(crate) use hooks::{
    Here, OfWorker, c_begins, finishes, hands_over, here, is_watched, spawned, turn_begins, turn_ends, woken,
};
#[cfg(feature = "trace")]
pub(crate) use hooks::{REPORT, Site, TIMELINE, occupations, set_watched};

/// Whether callbacks are to be told. For the bridge.
#[cfg(feature = "trace")]
#[doc(hidden)]
#[inline(always)]
#[must_use]
pub fn callbacks_are_watched() -> bool {
    is_watched()
}

/// Why a processor is given to another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "trace"), allow(dead_code, reason = "nobody records why"))]
pub(crate) enum HandOff {
    /// It was idle, and there is work.
    Work,
    /// Its worker's OS thread is about to block, or calls C that is expected to.
    Blocks,
    /// The monitor has taken it from a worker that is long in C.
    Taken,
    /// A green thread must be pinned, and its worker keeps a pinned one.
    Move,
    /// A pinned green thread is ready, and its worker has none.
    Resident,
}
