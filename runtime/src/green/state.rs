//! The state word of a green thread: it decides who puts a woken green thread into a run queue, and who wakes its joiner.
//!
//! ```text
//!             wake (nothing to do but remember)
//!          ┌──────────────────────────────► NOTIFIED
//!          │                                   │ park: Notified (go on running)
//!        ACTIVE ◄──────────────────────────────┘
//!          │  ▲
//!     park │  │ wake: MustSchedule            ACTIVE or NOTIFIED ──finish──► FINISHED
//!          ▼  │
//!        PARKED                               JOINER: a bit beside them, set while the joiner's waker is in its cell
//!                                             CANCELLED: another, set once
//! ```
//!
//! *Active* covers ready and running: whether it lies in a queue or on an OS thread is the scheduler's business, and no
//! transition depends on it. So a yield, and a resume after a wake, do not touch this word at all.
//!
//! | transition | who | from, to | ordering | pairs with |
//! |---|---|---|---|---|
//! | [`State::park`] | the worker, after the switch off the stack | ACTIVE, PARKED | Release | the Acquire of `wake` |
//! |  | | NOTIFIED, ACTIVE | Acquire | the Release of `wake` |
//! | [`State::take_notification`] | the green thread, before it would switch | NOTIFIED, ACTIVE | Acquire | the Release of `wake` |
//! | [`State::wake`] | anyone who holds a waker | PARKED, ACTIVE | AcqRel | Acquire: `park`; Release: whoever resumes it |
//! |  | | ACTIVE or NOTIFIED, NOTIFIED | Release | the Acquire of `park` and `take_notification` |
//! | [`State::cancel`] | anyone who holds a reference | sets CANCELLED | Release | the Acquire of `is_cancelled` |
//! | [`State::finish`] | the worker, after the last switch | any, FINISHED | AcqRel | Release: `is_finished`; Acquire: `set_joiner` |
//! | [`State::set_joiner`] | the one joiner | sets JOINER | Release | the Acquire of `finish` |
//! | [`State::clear_joiner`] | the one joiner | clears JOINER | Acquire | the Release of `finish`, when it lost |
//!
//! # Property
//! 1. Between two parks a green thread is scheduled at most once, and only after its stack has been switched off.
//! 2. If a waker's writes come before its `wake`, then either the green thread sees them before it parks, or it is resumed
//!    after them. No wake-up is lost.
//! 3. The result is read only after it was written, and the joiner's waker is owned by one side at a time.
//! 4. A green thread that has been cancelled, and woken after that, is not parked without having seen it; and it then sees what whoever
//!    cancelled it had written before.
//!
//! # Proof
//! Call the read-modify-writes *Park*, *Wake* and *Finish*. All act on one word, so they have one order.
//! (1) PARKED is left only by a *Wake* that wins its compare-and-swap, and entered only by *Park*, which the worker runs when
//! the switch is complete; the winner alone schedules. The Release of *Park* and the Acquire of *Wake* hand over the stack.
//! (2) If *Wake* comes before *Park*, then *Park* finds NOTIFIED, acquires the waker's writes, and the green thread looks
//! again. If it comes after, it finds PARKED and schedules. A *Wake* that finds NOTIFIED writes the word all the same: were it to
//! return after a mere load, the green thread might take the notification before it, look, miss the new write, and park.
//! (3) The joiner writes its waker while JOINER is clear and the word is not FINISHED; *Finish* reads the waker only if it
//! found JOINER. One order of the two decides.
//! (4) CANCELLED is set before the *Wake* that follows, in the same word, and every other transition keeps the bit. If that *Wake* comes
//! before *Park*, by (2) the green thread looks again, at a word that has the bit; if after, it is resumed, and looks. Whoever reads the
//! bit acquires what `cancel` released.
//!
//! # What it must never do
//! Schedule from inside `wake`: the caller does that, by the outcome. Count references: see `thread.rs`.
//!
//! Model: `tests/models/tests/state.rs`; its mutants: `tests/models/mutants/state.rs`.

use crate::primitive::{AtomicU32, Ordering};
use core::fmt;

/// In a queue or on an OS thread, and not woken since it last looked.
const ACTIVE: u32 = 0;
/// Off its stack, and in no queue.
const PARKED: u32 = 1 << 0;
/// Woken while it was active: the next park is refused.
const NOTIFIED: u32 = 1 << 1;
/// It has returned or panicked; its result is written. Never left.
const FINISHED: u32 = 1 << 2;
/// The joiner's waker is in its cell. Independent of the rest.
const JOINER: u32 = 1 << 3;
/// Its waits end. Independent of the rest, and never left.
const CANCELLED: u32 = 1 << 4;

const _: () = assert!(PARKED & NOTIFIED & FINISHED & JOINER & CANCELLED == ACTIVE);

/// What a park came to.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Park {
    /// It is parked. The caller must not touch it again: a waker may have scheduled it already.
    Parked,
    /// It was woken on the way: it is active, and the caller goes on with it.
    Notified,
}

/// What a wake asks of its caller.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// It was parked, and the caller alone puts it where it belongs.
    MustSchedule,
    /// It is active and will look again, or it has finished.
    NothingToDo,
}

/// What a finish asks of its caller.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The joiner's waker is the caller's: take it out of its cell and wake it.
    MustWakeJoiner,
    /// Nobody waits.
    NobodyWaits,
}

/// Whether the joiner was in time.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joiner {
    /// It was: `set_joiner` has handed the waker over, `clear_joiner` has taken it back.
    InTime,
    /// The green thread has finished. After `set_joiner` the waker is still the joiner's; after `clear_joiner` it is not.
    Finished,
}

/// The state word. See the module's documentation for who may do what.
pub(crate) struct State(AtomicU32);

impl State {
    /// The state of a green thread that is about to be scheduled for the first time.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(ACTIVE))
    }

    /// Takes a notification, if there is one: the green thread then looks again in place of switching away.
    #[inline]
    pub(crate) fn take_notification(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        // Only this green thread's own side clears NOTIFIED, so the load cannot mistake an old one for a new one.
        word & NOTIFIED != 0 && {
            self.0.fetch_and(!NOTIFIED, Ordering::Acquire);
            true
        }
    }

    /// Commits a park. Called by the worker once the switch off the stack is complete.
    #[inline]
    pub(crate) fn park(&self) -> Park {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (new, success, outcome) = if word & NOTIFIED != 0 {
                (word & !NOTIFIED, Ordering::Acquire, Park::Notified)
            } else {
                (word | PARKED, Ordering::Release, Park::Parked)
            };
            match self.0.compare_exchange_weak(word, new, success, Ordering::Relaxed) {
                Ok(_) => return outcome,
                Err(now) => word = now,
            }
        }
    }

    /// Wakes.
    #[inline]
    pub(crate) fn wake(&self) -> Wake {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word & FINISHED != 0 {
                return Wake::NothingToDo;
            }
            let (new, outcome) = if word & PARKED != 0 {
                (word & !PARKED, Wake::MustSchedule)
            } else {
                (word | NOTIFIED, Wake::NothingToDo)
            };
            match self.0.compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return outcome,
                Err(now) => word = now,
            }
        }
    }

    /// Marks it as cancelled. The caller wakes it next, so that it looks again.
    pub(crate) fn cancel(&self) {
        self.0.fetch_or(CANCELLED, Ordering::Release);
    }

    /// Whether it has been cancelled.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire) & CANCELLED != 0
    }

    /// Marks the end. The result is in its slot before this call.
    #[inline]
    pub(crate) fn finish(&self) -> Finish {
        let before = self.0.fetch_or(FINISHED, Ordering::AcqRel);
        debug_assert!(before & (PARKED | FINISHED) == 0, "finished from {:?}", State::describe(before));
        if before & JOINER != 0 { Finish::MustWakeJoiner } else { Finish::NobodyWaits }
    }

    /// Whether it is parked: a moment's truth.
    pub(crate) fn is_parked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & PARKED != 0
    }

    /// Whether the result may be read.
    #[inline]
    pub(crate) fn is_finished(&self) -> bool {
        self.0.load(Ordering::Acquire) & FINISHED != 0
    }

    /// Hands the joiner's waker over. Its cell is written before this call, and JOINER is clear.
    pub(crate) fn set_joiner(&self) -> Joiner {
        self.change_joiner(|word| word | JOINER, Ordering::Release)
    }

    /// Takes the joiner's waker back, for a new one or because the joiner gives up.
    pub(crate) fn clear_joiner(&self) -> Joiner {
        self.change_joiner(|word| word & !JOINER, Ordering::Acquire)
    }

    fn change_joiner(&self, change: impl Fn(u32) -> u32, success: Ordering) -> Joiner {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if word & FINISHED != 0 {
                return Joiner::Finished;
            }
            match self.0.compare_exchange_weak(word, change(word), success, Ordering::Acquire) {
                Ok(_) => return Joiner::InTime,
                Err(now) => word = now,
            }
        }
    }

    fn describe(word: u32) -> &'static str {
        match word & !(JOINER | CANCELLED) {
            ACTIVE => "active",
            PARKED => "parked",
            NOTIFIED => "notified",
            _ => "finished",
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.load(Ordering::Relaxed);
        f.debug_struct("State").field("is", &Self::describe(word)).field("joiner", &(word & JOINER != 0)).finish()
    }
}
