//! Blocking work of Rust: files, names, child processes, and whole libraries that block.
//!
//! A system call that blocks keeps its OS thread, and with it the processor that other green threads wait for. [`blocking`] hands the
//! processor on first. The closure stays where it is, on the green thread's own stack and on the OS thread that called it: it is a C call to
//! the scheduler (`scheduler/in_c.rs`), whoever's code it runs.

use crate::scheduler::in_c::{Way, in_c_slowly};
use crate::wait::cancel;

/// Runs `f`, which may block its OS thread, and holds up nobody else: the processor is handed on before it starts.
///
/// For what blocks in the system and not in this library: [`std::fs`], [`std::io::stdin`], [`std::process::Command`], the resolver, a client
/// library over `std::net`. Sockets, channels, locks and timers of this library wait by themselves, and need no `blocking`.
///
/// `f` runs in place. It may borrow from its caller, need not be `Send`, and is back when it returns; nothing is queued, and no pool has
/// to have room. The green thread is pinned meanwhile: all of `f` runs on one OS thread, so thread-locals may be used in it as anywhere, and what
/// belongs to the OS thread (a [`StdinLock`](std::io::StdinLock), say) may live in it. It must not outlive `f`, unless the caller holds
/// a [`pin`](crate::pin).
///
/// While nothing waits for the processor this costs some tens of nanoseconds. While something does it costs a hand-off to another OS thread, and
/// a place in the queue afterwards: put several operations into one `f`, where they belong together.
///
/// # Blocking
/// As long as `f` does. If others have the processors by then, the green thread queues for one. Before that, if its OS thread keeps another
/// pinned green thread, it moves to one that does not; at [`Builder::max_threads`](crate::Builder::max_threads) it waits for one.
///
/// Code in `f` may wait for anything of this library: the green thread waits alone, as in a callback from C, and its OS thread carries
/// others. It may call `blocking` again. In a callback from C it works, too; on an OS thread that is not the runtime's, before the runtime is
/// started and in a forked child there is nothing to hand on, and `f` is run.
///
/// At the limit of OS threads, the processor stays until there is one to give it to: then others wait for `f`.
///
/// # Panics
/// With the panic of `f`. With [`Cancelled`](crate::cancel::Cancelled), if the caller has been cancelled before `f` begins. If it waits for an OS
/// thread at the limit, and nothing that runs could ever free one.
///
/// # Cancellation
/// Observed once, before `f` begins. `f` itself is not cut short, nor are waits in it, and its result is not lost. A
/// [`CancelToken::run`](crate::cancel::CancelToken::run) inside `f` works as ever.
///
/// # Examples
/// ```
/// use greenbridge_runtime::{blocking, run};
/// use std::fs;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let text = run(|| blocking(|| fs::read_to_string("Cargo.toml")))?;
/// assert!(text.contains("[package]"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(feature = "trace", track_caller)]
#[inline(never)]
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    cancel::check();
    in_c_slowly(Way::Blocking, f)
}
