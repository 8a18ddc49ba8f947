//! The switch: the only file that names corosensei's `Coroutine`.
//!
//! A [`Coroutine`] is a green thread's flow of control on a stack of its own. The worker resumes it; it suspends itself and says why.
//!
//! # Why it may move between OS threads
//! `corosensei::Coroutine` is not `Send`, because nothing in the language says that what lies on a suspended stack may move. Here
//! that is the promise of the program that starts the runtime (`docs/safety.md`): unless the green thread is pinned, what
//! lives on its stack at a suspension point is `Send`, and nothing there knows which OS thread it is on. A pinned green thread is resumed
//! by its own worker alone; `resident.rs` sees to that. The frames that are always there are ours: corosensei's entry, `body`, and the
//! functions of `wait/` and `scheduler/` that suspend. They read the current worker anew after each suspension, and hold nothing else that
//! belongs to an OS thread. The switch itself is thread-agnostic: the link to the resumer is rewritten on each resume.
//!
//! # What it must never do
//! Drop a suspended coroutine: corosensei would unwind it, through C frames if there are any. A green thread that is never
//! resumed again keeps its stack until the process ends.

use crate::stack::Stack;
use core::cell::Cell;
use core::fmt;
use core::ptr::{self, NonNull};
use corosensei::{CoroutineResult, Yielder};

/// Why a green thread switched away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspended {
    /// It waits: park it, unless it has been woken meanwhile.
    Park,
    /// It lets others go first.
    Yield,
    /// It needs a processor, and its worker has none.
    Queue,
    /// It is about to be pinned, and its worker has a resident already.
    Move,
}

type Inner = corosensei::Coroutine<(), Suspended, (), Stack>;

/// A green thread's flow of control. See the module's documentation for why it is `Send`.
pub(crate) struct Coroutine(Inner);

// SAFETY: argued in the module's documentation; the duty lies with whoever starts the runtime.
unsafe impl Send for Coroutine {}

/// How a green thread suspends itself: the address of its yielder, known from its first turn on.
#[derive(Debug)]
pub(crate) struct Suspender(Cell<*const Yielder<(), Suspended>>);

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The green thread is off its stack for now.
    Suspended(Suspended),
    /// Its body has returned.
    Returned,
}

impl Suspender {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    /// Switches to the worker, and comes back when the green thread is resumed, perhaps on another OS thread.
    ///
    /// # Safety
    /// The caller runs on the coroutine's own stack (not on its resumer's), and this suspender is that coroutine's.
    #[inline]
    pub(crate) unsafe fn suspend(&self, why: Suspended) {
        // SAFETY: the yielder lies at the base of the coroutine's stack, which the caller runs on.
        unsafe { &*self.0.get() }.suspend(why);
    }

    /// Runs `f` on the stack of the worker that resumed this coroutine.
    ///
    /// # Safety
    /// As for [`suspend`](Self::suspend); and `f` must not suspend.
    pub(crate) unsafe fn on_worker_stack<R>(&self, f: impl FnOnce() -> R + Send) -> R {
        // SAFETY: as in `suspend`.
        unsafe { &*self.0.get() }.on_parent_stack(f)
    }
}

impl Coroutine {
    /// Makes a coroutine on `stack` that runs `body(argument)` when first resumed.
    ///
    /// `suspender` is filled on the first turn; `body` never unwinds.
    ///
    /// # Safety
    /// `argument` and `suspender` are valid until the coroutine has returned.
    pub(crate) unsafe fn new<A: 'static>(
        stack: Stack,
        suspender: NonNull<Suspender>,
        body: unsafe fn(NonNull<A>),
        argument: NonNull<A>,
    ) -> Self {
        Self(Inner::with_stack(stack, move |yielder, ()| {
            // SAFETY: valid by this function's contract.
            unsafe { suspender.as_ref() }.0.set(yielder);
            // SAFETY: as above.
            unsafe { body(argument) }
        }))
    }

    /// Runs it until it suspends or returns.
    #[inline]
    pub(crate) fn resume(&mut self) -> Turn {
        match self.0.resume(()) {
            CoroutineResult::Yield(why) => Turn::Suspended(why),
            CoroutineResult::Return(()) => Turn::Returned,
        }
    }

    /// The stack of a coroutine that has returned.
    pub(crate) fn into_stack(self) -> Stack {
        self.0.into_stack()
    }
}

impl fmt::Debug for Coroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine").field("done", &self.0.done()).finish()
    }
}
