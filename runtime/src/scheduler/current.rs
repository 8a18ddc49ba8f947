//! Where this OS thread stands: the one thread-local that the runtime reads across its own suspensions.
//!
//! # Why it is read the way it is
//! LLVM takes the address of a thread-local to be the same throughout a function. A green thread may go on, within one function, on
//! another OS thread; an address kept across a suspension is then another thread's. So on paths that suspend the slots are read by
//! functions that are never inlined and return the *value*. (A never-inlined function that returns the *address* is no cure: LLVM
//! sees that it reads no memory and merges two calls. `tests/migration_canary.rs` fails if a compiler breaks this.)
//!
//! [`slots`] gives the address itself, to functions that hold it only while the green thread cannot move: the ways to call C, and
//! the callback. Each of them is never inlined into a user's function, and says why at its use.
//!
//! # Who may touch it
//! `worker`, `signal_stack`: the worker's own start and end. `frame` and `callbacks`: the ways to call C and the callbacks, as a stack discipline; and
//! a suspension in a callback, which carries both over to the other side. `scopes`: `wait/cancel.rs`.

#![allow(clippy::disallowed_methods, reason = "this is the one thread-local")]

use super::in_c::Frame;
use super::worker::Worker;
use crate::wait::cancel::Scope;
use core::cell::Cell;
use core::fmt;
use core::ops::Range;
use core::ptr;

/// What this OS thread knows about itself. In this order: what each C call reads comes first.
#[doc(hidden)]
#[repr(C)]
pub struct Slots {
    /// The worker that this OS thread is; null on a thread that the runtime did not make.
    pub(crate) worker: Cell<*const Worker>,
    /// The innermost C call on this stack; null if there is none.
    pub(crate) frame: Cell<*const Frame>,
    /// Callbacks on this stack, covered by a frame or not.
    pub(crate) callbacks: Cell<usize>,
    /// The innermost cancellation scope, if this OS thread is not a worker.
    scopes: Cell<*const Scope>,
    /// Where a worker's signal handlers run: the first address, and the size in bytes; 0 if it is not known.
    signal_stack: Cell<(usize, usize)>,
}

std::thread_local! {
    static SLOTS: Slots =
        const {
            Slots {
                worker: Cell::new(ptr::null()),
                frame: Cell::new(ptr::null()),
                callbacks: Cell::new(0),
                scopes: Cell::new(ptr::null()),
                signal_stack: Cell::new((0, 0)),
            }
        };
}

/// Lends the slots of this OS thread.
///
/// For functions that are never inlined into a user's code and during which the green thread cannot move.
#[doc(hidden)]
#[inline(always)]
pub fn slots<R>(f: impl FnOnce(&Slots) -> R) -> R {
    // A large closure given to `with` itself would not be inlined, and cost two calls.
    let slots = SLOTS.with(ptr::from_ref);
    // SAFETY: the slots have no destructor, so they are there as long as this OS thread runs.
    f(unsafe { &*slots })
}

/// The worker that this OS thread is.
#[inline(never)]
pub(crate) fn worker() -> Option<&'static Worker> {
    let worker = SLOTS.with(|slots| slots.worker.get());
    // SAFETY: the slot holds null or the address of a worker; workers are never freed.
    unsafe { worker.as_ref() }
}

/// Makes this OS thread a worker.
pub(crate) fn become_worker(worker: &'static Worker) {
    SLOTS.with(|slots| slots.worker.set(worker));
}

/// Keeps in mind where this worker's signal handlers run.
pub(crate) fn keep_signal_stack(range: Range<usize>) {
    SLOTS.with(|slots| slots.signal_stack.set((range.start, range.len())));
}

/// Whether the caller runs where this worker's signal handlers do. Another alternate stack, which C has brought, is not known.
#[inline(never)]
pub(crate) fn is_on_signal_stack() -> bool {
    let here = 0_u8;
    let here = core::hint::black_box(&raw const here).addr();
    SLOTS.with(|slots| {
        let (start, size) = slots.signal_stack.get();
        here.wrapping_sub(start) < size
    })
}

/// This OS thread is about to end.
pub(crate) fn cease_to_be_worker() {
    SLOTS.with(|slots| slots.worker.set(ptr::null()));
}

/// The innermost C call and the number of callbacks on this stack.
#[inline(never)]
pub(crate) fn stack_of_calls() -> (*const Frame, usize) {
    SLOTS.with(|slots| (slots.frame.get(), slots.callbacks.get()))
}

/// Replaces both.
#[inline(never)]
pub(crate) fn set_stack_of_calls(frame: *const Frame, callbacks: usize) {
    SLOTS.with(|slots| {
        slots.frame.set(frame);
        slots.callbacks.set(callbacks);
    });
}

/// The innermost cancellation scope of an OS thread that is not a worker.
#[inline(never)]
pub(crate) fn scopes() -> *const Scope {
    SLOTS.with(|slots| slots.scopes.get())
}

/// Replaces it.
#[inline(never)]
pub(crate) fn set_scopes(scope: *const Scope) {
    SLOTS.with(|slots| slots.scopes.set(scope));
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots")
            .field("worker", &!self.worker.get().is_null())
            .field("in_call", &!self.frame.get().is_null())
            .field("callbacks", &self.callbacks.get())
            .finish()
    }
}
