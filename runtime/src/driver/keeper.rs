//! Who keeps the time: of the workers that sleep, one sleeps only until the first deadline.
//!
//! ```text
//!              claim               keep_until(d)
//!   NOBODY ───────────► NEVER ─────────────────► d ──┐ the keeper parks until d, or until it is unparked
//!      ▲                                             │
//!      └────────────────── resign ───────────────────┘ whatever has ended its park
//! ```
//!
//! The word holds the moment until which the keeper sleeps: [`NEVER`] if no timer is armed, or while it has not looked yet. Beside it lies
//! the keeper's name, so that it can be unparked. The first deadline itself lies elsewhere, in a word of its own.
//!
//! | access | who | does | pairs with |
//! |---|---|---|---|
//! | Claim, Name, ClaimFence, Look | a worker that is about to sleep | word from NOBODY to NEVER, stores its name, fence, reads the first deadline | Arm, ArmFence, Ask |
//! | Until | the keeper | stores the deadline that Look has found | Ask |
//! | Resign, ResignFence, Look | the keeper, awake | stores NOBODY, fence, reads the first deadline | Arm, ArmFence, Ask |
//! | Arm, ArmFence, Ask, Call | who arms a timer that is the first | stores the first deadline, fence, reads the word, and if that is later the name | the others |
//!
//! # Property
//! 1. Somebody who sleeps as the keeper beyond a deadline that has been armed has been called: its parker has the token.
//! 2. A timer armed while nobody keeps is seen by who arms it, who then wakes a worker, or by who has resigned, who then does the same,
//!    or by the next to claim.
//! 3. There is one keeper at most.
//!
//! # Proof
//! (1) ClaimFence and ArmFence are both `SeqCst`. If ClaimFence is second, Look sees Arm, and the keeper sleeps no longer than that. If
//! ArmFence is second, Ask sees Claim, Until or something later. Until is no later than the deadline, or else Ask finds a later moment,
//! and Call sees Name, which comes before ClaimFence: the keeper has been called. If what Ask saw belongs to a later keeper, that one's Claim comes after, and (1)
//! holds for it; a call to the earlier one ends its park early, which it bears. Nor is a call lost that comes before the park: the parker keeps a token.
//! (2) is the same with ResignFence: either Ask sees Resign, and then NOBODY or a later Claim, or Look sees Arm.
//! (3) Claim is a compare-and-swap from NOBODY, and only the keeper stores NOBODY.
//!
//! # What it must never do
//! Park or unpark anybody itself. Decide who may claim: that a worker sleeps where it can begin to run at once is the caller's duty.
//!
//! Model: `tests/models/tests/keeper.rs`; its mutants: `tests/models/mutants/keeper.rs`.

use crate::primitive::{AtomicPtr, AtomicU64, Ordering, fence};
use core::fmt;
use core::ptr::{self, NonNull};

/// Nobody keeps the time. No deadline has this value.
const NOBODY: u64 = 0;
/// The keeper sleeps until it is unparked. Every deadline is less.
pub(crate) const NEVER: u64 = u64::MAX;

/// Whether a worker became the keeper.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It did: it reads the first deadline next, calls [`Keeper::keep_until`], and parks no longer than that.
    Keeps,
    /// Somebody else is.
    AnotherKeeps,
}

/// What whoever armed a timer must do.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask<W> {
    /// The keeper wakes in time.
    Kept,
    /// It sleeps too long: unpark it.
    MustUnpark(NonNull<W>),
    /// Nobody keeps: if a processor is idle, wake a worker.
    NobodyKeeps,
}

/// The role of the keeper, of workers of type `W`, which are never freed.
pub(crate) struct Keeper<W> {
    until: AtomicU64,
    name: AtomicPtr<W>,
}

impl<W> Keeper<W> {
    /// The role that nobody has.
    pub(crate) const fn new() -> Self {
        Self { until: AtomicU64::new(NOBODY), name: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Takes the role, for `worker` that is about to sleep, if nobody has it.
    pub(crate) fn claim(&self, worker: &W) -> Claim {
        if self.until.compare_exchange(NOBODY, NEVER, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return Claim::AnotherKeeps;
        }
        self.name.store(ptr::from_ref(worker).cast_mut(), Ordering::Release);
        fence(Ordering::SeqCst);
        Claim::Keeps
    }

    /// The keeper says until when it parks: the first deadline, read after its claim.
    pub(crate) fn keep_until(&self, deadline: u64) {
        debug_assert_ne!(deadline, NOBODY);
        self.until.store(deadline, Ordering::Release);
    }

    /// The keeper gives the role up. It reads the first deadline after this: if a timer is armed, somebody else must keep, or it itself again.
    pub(crate) fn resign(&self) {
        self.until.store(NOBODY, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Asks whether a timer that has just become the first is kept.
    pub(crate) fn ask(&self, deadline: u64) -> Ask<W> {
        fence(Ordering::SeqCst);
        match self.until.load(Ordering::Acquire) {
            NOBODY => Ask::NobodyKeeps,
            until if until <= deadline => Ask::Kept,
            _ => NonNull::new(self.name.load(Ordering::Acquire)).map_or(Ask::Kept, Ask::MustUnpark),
        }
    }

    /// Whether nobody keeps the time: a moment's truth.
    #[inline]
    pub(crate) fn is_vacant(&self) -> bool {
        self.until.load(Ordering::Relaxed) == NOBODY
    }
}

impl<W> fmt::Debug for Keeper<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("is_vacant", &self.is_vacant()).finish()
    }
}
