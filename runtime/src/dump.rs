//! What every green thread does at this moment, and where: for people and for tools.
//!
//! [`dump()`] is asked by the program itself, `Builder::dump_on_sigquit` lets a signal ask. It stops nobody. It reads the control blocks and stacks of green threads
//! that run meanwhile through the kernel, and throws away what has changed under its eyes. `docs/dump.md` shows one, and tells what it costs.
//!
//! # Reading order
//! `memory.rs` (memory that others write), `census.rs` (every green thread), `group.rs` (those that agree), `model.rs` and `text.rs` (what comes out);
//! behind the feature `dump`: `suspended.rs` (where a suspended stack begins), `modules.rs` and `unwind.rs` (who called whom), `sample.rs` (those that
//! run), `symbols.rs` (names). `deadlock/report.rs` is made of the same parts.
//!
//! # Examples
//! ```
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let (sender, receiver) = greenbridge_runtime::sync::channel::bounded::<u8>(0);
//! let reader = greenbridge_runtime::spawn(move || receiver.recv().is_err());
//! while !greenbridge_runtime::dump().to_string().contains("waits for a message at") {}
//! drop(sender);
//! assert!(reader.join().expect("no panic"));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

#[cfg(all(feature = "dump", not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("the feature `dump` knows the stacks of x86-64 and aarch64 only");

pub(crate) mod census;
pub(crate) mod group;
pub(crate) mod memory;
mod model;
#[cfg(feature = "dump")]
mod modules;
#[cfg(feature = "dump")]
mod sample;
#[cfg(feature = "dump")]
pub(crate) mod suspended;
#[cfg(feature = "dump")]
mod symbols;
mod take;
mod text;
#[cfg(feature = "dump")]
mod unwind;

pub use model::{Dump, Frame, Group, Member, OsThread, Pinned, Processor, Stack, State, Worker, WorkerState};
pub(crate) use take::waiting;

/// What every green thread, worker and processor does.
///
/// It may be called anywhere: on a green thread, in a callback, on an OS thread. It stops nobody, and waits for no green thread. With a
/// million green threads it takes a second and a half.
///
/// With the feature `dump` there are backtraces. Those of suspended green threads are read from their stacks. An OS thread that runs one is
/// interrupted by a signal for some microseconds (`SIGRTMAX - 4`), unless it is in a system call; it is shown without a backtrace if it does not answer in time.
///
/// # Panics
/// If the runtime has not been started.
///
/// # Examples
/// As for the [module](self).
#[inline(never)]
pub fn dump() -> Dump {
    take::dump()
}
