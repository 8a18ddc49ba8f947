//! Waiting for the first of several things: the loop behind `select!`.
//!
//! ```text
//!          ┌────────────────────────────────────────────────────────────┐
//!          ▼                                                            │ aborted: give up every branch
//!   A  look at every branch, in random order, nothing queued            │
//!          │ none is ready                                              │
//!   B  queue on every branch, looking again under each lock ── ready ──►┤
//!          │ none has become ready                                      │
//!   C  wait ── woken, and not chosen: a future's waker, a deadline ────►┘
//!          │ chosen
//!   D  give up the other branches, take what the chosen one was handed
//! ```
//!
//! What a branch queues is a waiter with the select's [commit word](super::commit). A counterpart serves it only if it wins that word,
//! so at most one branch is served, and a counterpart that loses passes on to the next in the queue: nothing is handed to a branch that is not
//! chosen, not even for a moment. Futures have no such word. They are polled in step A alone, where one that is ready is taken at once.
//!
//! # Property
//! 1. At most one branch completes, and the others have taken nothing and handed out nothing.
//! 2. A branch that becomes ready ends the wait, unless another counterpart takes what made it ready: no wake-up is lost.
//! 3. When [`Selecting`] has returned ready, or is dropped, none of its branches is queued.
//!
//! # Proof
//! (1) In step A a branch completes only while none is queued, and ends the select. From B on one completes only by the commit word, which
//! chooses once; `abort`, on every way back to A, asks whether it has. In A, a counterpart that is a select itself is won by *its* word; our own
//! plays no part, for nobody can reach it.
//!
//! (2) For each object, looking and queueing (B) are one critical section of its lock. A counterpart that comes later finds the waiter
//! and chooses it, or finds the word closed: then this select has been chosen by another, or has aborted. An aborted one looks again at
//! every object after it has given up there, under the same lock; so it comes after that counterpart, and finds what that left: a message, or
//! a queued waiter. If that counterpart is a select, too, the same holds the other way round: of two critical sections of one lock, the later
//! one sees what the earlier one has queued. A future's waker and the deadline resume the caller, who aborts and looks.
//!
//! (3) Every way out passes `settle` or `drop`, which give up each branch.
//!
//! # Two selects that face each other
//! They hold one lock at a time, and none while they wait: no deadlock. Each may, in B, find the other queued, and abort; if both do so at
//! once, both go back to A, where nobody is queued, and try again. For that to repeat, both must queue and look within the same few hundred
//! nanoseconds, on two processors, in every round: an abort that the other one has seen does not count as ready. From the second round
//! on each pauses for a random time that doubles, so it does not last. A select whose branches face each other (it sends and receives on
//! one channel) does not count itself as a counterpart.
//!
//! # What it must never do
//! Poll a future while a branch is queued: its output, and a counterpart's choice, could both come. Or suspend while it holds a lock.
//!
//! Model: `tests/models/tests/select.rs`; its mutants: `tests/models/mutants/select.rs`.

use super::commit::{Abort, Commit};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::time::Instant;

/// One of several things to wait for. It keeps its own output.
pub trait Branch {
    /// Looks, and completes if it need not wait. Nothing is queued before or after.
    fn look(self: Pin<&mut Self>, context: &mut Context<'_>) -> Look;

    /// Looks again, and queues a waiter if it must wait, in one critical section. It completes nothing.
    ///
    /// # Safety
    /// `commit` stays where it is until the branch has given up or is finished.
    unsafe fn queue(self: Pin<&mut Self>, _commit: &Commit, _context: &mut Context<'_>) -> Look {
        Look::MustWait
    }

    /// Takes its waiter out of the queue, if it is there. What it was handed, if it was chosen, goes to the next one, or back.
    fn give_up(self: Pin<&mut Self>) {}

    /// The address of its waiter, if it has one.
    fn waiter(&self) -> Option<usize> {
        None
    }

    /// Completes: its waiter was chosen.
    fn finish(self: Pin<&mut Self>) {}

    /// When it completes by itself.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// What a branch finds.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It need not wait.
    Ready,
    /// It must wait.
    MustWait,
}

/// A select under way.
pub(crate) struct Selecting<'s, 'b, R> {
    branches: &'s mut [Pin<&'b mut (dyn Branch + 'b)>],
    commit: &'s Commit,
    random: R,
    /// Whether a branch may be queued.
    is_queued: bool,
}

impl<'s, 'b, R: FnMut() -> u32> Selecting<'s, 'b, R> {
    /// A select that has not looked yet. `commit` is new; `random` brings a random number.
    pub(crate) fn new(branches: &'s mut [Pin<&'b mut (dyn Branch + 'b)>], commit: &'s Commit, random: R) -> Self {
        Self { branches, commit, random, is_queued: false }
    }

    /// Waits in the manner of a future: ready when one branch has completed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut round = 0;
        while !self.completes_at_once(context) {
            if self.queue(context) == Look::MustWait {
                return Poll::Pending;
            }
            self.pause(round);
            round += 1;
        }
        Poll::Ready(())
    }

    /// Whether a branch has been chosen, or is ready. If not, nothing is queued.
    pub(crate) fn completes_at_once(&mut self, context: &mut Context<'_>) -> bool {
        self.settle() || self.look(context) == Look::Ready
    }

    /// Step A.
    fn look(&mut self, context: &mut Context<'_>) -> Look {
        self.shuffle();
        for branch in self.branches.iter_mut() {
            if branch.as_mut().look(context) == Look::Ready {
                return Look::Ready;
            }
        }
        Look::MustWait
    }

    /// Step B.
    fn queue(&mut self, context: &mut Context<'_>) -> Look {
        self.is_queued = true;
        for branch in self.branches.iter_mut() {
            // SAFETY: the word is borrowed for longer than this value lives, which gives up its branches before it goes away.
            if unsafe { branch.as_mut().queue(self.commit, context) } == Look::Ready {
                return Look::Ready;
            }
        }
        Look::MustWait
    }

    /// Step D, if a branch has been chosen; otherwise the way back to A.
    fn settle(&mut self) -> bool {
        if !self.is_queued {
            return false;
        }
        let abort = self.commit.abort();
        for branch in self.branches.iter_mut() {
            match abort {
                Abort::Chosen(waiter) if branch.waiter() == Some(waiter) => branch.as_mut().finish(),
                _ => branch.as_mut().give_up(),
            }
        }
        self.is_queued = false;
        self.commit.reset();
        abort != Abort::InTime
    }

    /// Every order is equally likely.
    fn shuffle(&mut self) {
        for last in (1..self.branches.len()).rev() {
            let other = self.random_below(last + 1);
            self.branches.swap(last, other);
        }
    }

    /// The upper half of a product instead of a remainder: a division would cost more than all the rest of a look.
    fn random_below(&mut self, limit: usize) -> usize {
        ((u64::from((self.random)()) * limit as u64) >> 32) as usize
    }

    /// Lets another select, which may face this one, go first.
    fn pause(&mut self, round: u32) {
        (0..self.random_below(1 << round.min(12))).for_each(|_| core::hint::spin_loop());
    }
}

impl<R> Drop for Selecting<'_, '_, R> {
    fn drop(&mut self) {
        if self.is_queued {
            // If a branch was chosen all the same, it gives back what it was handed.
            let _ = self.commit.abort();
            self.branches.iter_mut().for_each(|branch| branch.as_mut().give_up());
        }
    }
}

impl<R> fmt::Debug for Selecting<'_, '_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selecting")
            .field("commit", self.commit)
            .field("is_queued", &self.is_queued)
            .finish_non_exhaustive()
    }
}
