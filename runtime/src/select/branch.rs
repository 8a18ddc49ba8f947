//! The branches that are not a channel's: a future, a moment in time; and what every branch of the macro has.

use crate::driver::clock;
use crate::wait::block_on::Awaited;
use crate::wait::commit::Commit;
use crate::wait::select::{Branch, Look};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A branch of the macro, which brings an output.
pub trait Completes: Branch {
    /// What it brings.
    type Output;

    /// What it has brought, if it was chosen.
    fn take(self: Pin<&mut Self>) -> Option<Self::Output>;
}

/// `future(..)` and `join(..)`.
pub struct FutureBranch<F: Future> {
    /// Structurally pinned.
    awaited: Awaited<'static, F>,
    output: Option<F::Output>,
}

impl<F: Future> FutureBranch<F> {
    pub(super) fn new(future: F) -> Self {
        Self { awaited: Awaited::new(future), output: None }
    }
}

impl<F: Future> Branch for FutureBranch<F> {
    fn look(self: Pin<&mut Self>, context: &mut Context<'_>) -> Look {
        // SAFETY: `awaited` is structurally pinned: it is moved nowhere, and there is no `Drop`. `output` is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        match unsafe { Pin::new_unchecked(&mut this.awaited) }.poll(context) {
            Poll::Ready(output) => {
                this.output = Some(output);
                Look::Ready
            }
            Poll::Pending => Look::MustWait,
        }
    }
}

impl<F: Future> Completes for FutureBranch<F> {
    type Output = F::Output;

    fn take(self: Pin<&mut Self>) -> Option<F::Output> {
        // SAFETY: `output` is not structurally pinned, and `awaited` is not moved.
        unsafe { self.get_unchecked_mut() }.output.take()
    }
}

impl<F: Future> fmt::Debug for FutureBranch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureBranch").field("is_done", &self.output.is_some()).finish_non_exhaustive()
    }
}

/// `after(..)` and `at(..)`.
#[derive(Debug)]
pub struct TimerBranch {
    /// None: farther away than the clock can count.
    deadline: Option<Instant>,
    has_come: bool,
}

impl TimerBranch {
    pub(super) fn at(instant: Instant) -> Self {
        Self { deadline: Some(instant), has_come: false }
    }

    pub(super) fn after(duration: Duration) -> Self {
        Self { deadline: clock::deadline_after(duration), has_come: false }
    }
}

impl Branch for TimerBranch {
    fn look(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Look {
        self.has_come = self.deadline.is_some_and(|deadline| clock::now() >= deadline);
        if self.has_come { Look::Ready } else { Look::MustWait }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

impl Completes for TimerBranch {
    type Output = ();

    fn take(self: Pin<&mut Self>) -> Option<()> {
        self.has_come.then_some(())
    }
}

/// A branch with a condition. If that is false, it never completes.
#[derive(Debug)]
pub struct Guarded<B> {
    /// Structurally pinned.
    branch: B,
    is_enabled: bool,
}

impl<B> Guarded<B> {
    pub(super) fn new(is_enabled: bool, branch: B) -> Self {
        Self { branch, is_enabled }
    }

    fn branch(self: Pin<&mut Self>) -> Pin<&mut B> {
        // SAFETY: `branch` is structurally pinned: it is moved nowhere, and there is no `Drop`.
        unsafe { self.map_unchecked_mut(|guarded| &mut guarded.branch) }
    }
}

impl<B: Branch> Branch for Guarded<B> {
    fn look(self: Pin<&mut Self>, context: &mut Context<'_>) -> Look {
        if self.is_enabled { self.branch().look(context) } else { Look::MustWait }
    }

    unsafe fn queue(self: Pin<&mut Self>, commit: &Commit, context: &mut Context<'_>) -> Look {
        if !self.is_enabled {
            return Look::MustWait;
        }
        // SAFETY: the caller's duty.
        unsafe { self.branch().queue(commit, context) }
    }

    fn give_up(self: Pin<&mut Self>) {
        self.branch().give_up();
    }

    fn waiter(&self) -> Option<usize> {
        self.branch.waiter()
    }

    fn finish(self: Pin<&mut Self>) {
        self.branch().finish();
    }

    fn deadline(&self) -> Option<Instant> {
        self.branch.deadline().filter(|_| self.is_enabled)
    }
}

impl<B: Completes> Completes for Guarded<B> {
    type Output = B::Output;

    fn take(self: Pin<&mut Self>) -> Option<B::Output> {
        self.branch().take()
    }
}
