//! The inbox of a worker: one place for its resident, a bell for the other green threads pinned to it, and the wake by name.
//!
//! ```text
//!            put: nobody to unpark                    take
//!   EMPTY ─────────────────────────► resident and/or BELL ────► EMPTY
//!     │ ▲
//!     │ └─────────── wake_up (the worker itself, woken for whatever reason)
//!     ▼ sleep
//!   ASLEEP ──── put or ring: MustUnpark ──► resident and/or BELL, ASLEEP
//! ```
//!
//! A woken pinned green thread can run on one OS thread only, so the idle protocol is no use to it: its worker must be woken
//! *by name*. The resident travels in the word itself. The green threads of interleaved calls travel in a queue beside it, and
//! whoever pushed there rings the bell.
//!
//! | transition | who | ordering | pairs with |
//! |---|---|---|---|
//! | [`Inbox::put`] | who woke the resident (one: its state word saw to that) | AcqRel | `take`: the green thread and its stack |
//! | [`Inbox::ring`] | who pushed to the queue of the pinned | AcqRel | `take`: the push |
//! | [`Inbox::take`] | the worker | AcqRel | `put`, `ring` |
//! | [`Inbox::sleep`] | the worker, last thing before it parks | AcqRel | `put`, `ring` |
//! | [`Inbox::wake_up`] | the worker, first thing after | Relaxed | nothing: `take` follows |
//!
//! # Property
//! What is put is taken exactly once. A worker that parks after `sleep` succeeded is unparked by the first `put` or `ring` that comes
//! later, and a `put` or `ring` that came earlier makes `sleep` fail.
//!
//! # Proof
//! All are read-modify-writes of one word, so *Sleep* and *Put* have an order. If *Put* is first, *Sleep* compares with EMPTY and
//! fails. If *Sleep* is first, *Put* finds ASLEEP and says MustUnpark; the parker keeps that as a token even if the worker has not
//! parked yet. Only the putter that finds the word otherwise empty says it, so one unpark is made for many puts.
//!
//! # What it must never do
//! Hold two residents: a worker has one, and a green thread is woken once between two parks.
//!
//! Model: `tests/models/tests/inbox.rs`; its mutants: `tests/models/mutants/inbox.rs`.

use crate::primitive::{AtomicUsize, Ordering};
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// Nothing has come, and the worker is awake.
const EMPTY: usize = 0;
/// The worker is about to park, or parked.
const ASLEEP: usize = 1 << 0;
/// The queue of the pinned has something.
const BELL: usize = 1 << 1;
/// What is left is the address of the resident.
const FLAGS: usize = ASLEEP | BELL;

const _: () = assert!(ASLEEP & BELL == EMPTY);

/// What whoever delivers must do next.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The worker sleeps: unpark it by name.
    MustUnpark,
    /// It is awake, or has been called already, and will look.
    WillLook,
}

/// Whether the worker may park.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It may; whoever delivers from now on unparks it.
    MayPark,
    /// Something has come: look.
    MustLook,
}

/// What was in the inbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mail<T> {
    /// The resident, ready to be resumed.
    pub(crate) resident: Option<NonNull<T>>,
    /// Whether the queue of the pinned has something.
    pub(crate) bell: bool,
}

/// The inbox. `T` is aligned to 4 bytes at least.
pub(crate) struct Inbox<T> {
    word: AtomicUsize,
    resident: PhantomData<*mut T>,
}

// SAFETY: the inbox only carries an address from one thread to another; what may be done with it is the business of who takes it,
// and a green thread's control block may be handed from thread to thread.
unsafe impl<T> Send for Inbox<T> {}
// SAFETY: as above; the word is atomic.
unsafe impl<T> Sync for Inbox<T> {}

impl<T> Inbox<T> {
    /// An empty inbox of a worker that is awake.
    pub(crate) const fn new() -> Self {
        const { assert!(align_of::<T>() > FLAGS) };
        Self { word: AtomicUsize::new(EMPTY), resident: PhantomData }
    }

    /// Puts the resident, which is ready, into its place.
    pub(crate) fn put(&self, resident: NonNull<T>) -> Delivery {
        let before = self.word.fetch_or(resident.as_ptr().expose_provenance(), Ordering::AcqRel);
        debug_assert!(before & !FLAGS == 0, "a second resident in the inbox");
        Self::delivered(before)
    }

    /// Says that the queue of the pinned has something.
    pub(crate) fn ring(&self) -> Delivery {
        Self::delivered(self.word.fetch_or(BELL, Ordering::AcqRel))
    }

    /// The first delivery to a sleeper calls it; later ones know that it has been called.
    fn delivered(before: usize) -> Delivery {
        if before == ASLEEP { Delivery::MustUnpark } else { Delivery::WillLook }
    }

    /// Whether something has come: a cheap look for the worker between two turns.
    #[inline(always)]
    pub(crate) fn has_mail(&self) -> bool {
        self.word.load(Ordering::Relaxed) & !ASLEEP != EMPTY
    }

    /// Whether the resident has come: a moment's truth.
    pub(crate) fn has_resident(&self) -> bool {
        self.word.load(Ordering::Relaxed) & !FLAGS != EMPTY
    }

    /// Whether the worker sleeps, and nobody has called it: a moment's truth.
    pub(crate) fn is_asleep(&self) -> bool {
        self.word.load(Ordering::Acquire) == ASLEEP
    }

    /// Takes everything out. For the worker alone, awake.
    pub(crate) fn take(&self) -> Mail<T> {
        let word = self.word.swap(EMPTY, Ordering::AcqRel);
        Mail { resident: NonNull::new(core::ptr::with_exposed_provenance_mut(word & !FLAGS)), bell: word & BELL != 0 }
    }

    /// Announces that the worker is about to park. Whatever it polls besides its inbox must be looked at once more after this.
    pub(crate) fn sleep(&self) -> Sleep {
        match self.word.compare_exchange(EMPTY, ASLEEP, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Sleep::MayPark,
            Err(_) => Sleep::MustLook,
        }
    }

    /// The worker is awake again, for whatever reason. What has come stays.
    pub(crate) fn wake_up(&self) {
        self.word.fetch_and(!ASLEEP, Ordering::Relaxed);
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Inbox")
            .field("resident", &(word & !FLAGS != 0))
            .field("bell", &(word & BELL != 0))
            .field("asleep", &(word & ASLEEP != 0))
            .finish()
    }
}
