//! The green-thread runtime under Greenbridge.
//!
//! Use it through the crate `greenbridge`, which re-exports it and adds what makes it worth having: calling C, and being called by C.
//!
//! # Reading order
//! `spawn.rs`, the user's view. Then `green/thread.rs` (the control block), `green/state.rs` (its state word), `green/turn.rs` (one turn),
//! `scheduler/worker.rs` (the loop) and the files that `scheduler/mod.rs` lists. `wait/` is how everything waits; `sync/`, `time/`, `select/`
//! and `scope.rs` are built on it. `driver/` knows what wakes from outside: time, and files that become ready; `net/` is built on that.
//! `stack/` is where green threads live, `testing/` how they are run in virtual time, `metrics/` what is counted, `seen/`, `trace/` and
//! `report.rs` what is told while somebody records, `faults.rs` how the system fails on demand. `docs/life.md` walks through all of them with one green thread.

mod blocking;
mod builder;
pub mod cancel;
mod driver;
pub mod dump;
#[cfg(feature = "faults")]
pub mod faults;
mod green;
mod local;
pub mod metrics;
pub mod net;
mod observer;
#[doc(hidden)]
pub mod primitive;
#[cfg(feature = "trace")]
pub mod report;
mod scheduler;
mod scope;
mod seen;
pub mod select;
#[doc(hidden)]
pub mod settings;
mod spawn;
mod stack;
mod stderr;
pub mod sync;
pub mod testing;
pub mod time;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "trace")]
pub mod trace;
mod wait;

pub use self::metrics::metrics;
pub use blocking::blocking;
pub use builder::{Builder, StartError};
pub use dump::dump;
pub use local::{AccessError, GreenLocal};
pub use scheduler::resident::{PinGuard, pin};
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use spawn::{JoinHandle, Thread, ThreadBuilder, ThreadId, current, park, run, spawn, yield_now};
pub use stack::{StackError, StackShortage, meter as stack_meter};
pub use wait::block_on::block_on;

/// What the bridge needs of the scheduler. Not for users: it changes without notice.
#[doc(hidden)]
pub mod bridge {
    pub use crate::builder::StartErrorKind;
    #[cfg(feature = "faults")]
    pub use crate::faults::fail;
    pub use crate::green::thread::Payload;
    pub use crate::metrics::count_gate_slow_path;
    pub use crate::scheduler::current::{Slots, slots};
    pub use crate::scheduler::in_c::{Way, in_c, in_c_interleaved, in_c_slowly, keep_panic, on_thread_stack};
    pub use crate::scheduler::runtime::is_started;
    #[cfg(feature = "trace")]
    pub use crate::seen::{Callback, callback_begins, callbacks_are_watched};
    pub use crate::stderr::write_to_stderr;
}
