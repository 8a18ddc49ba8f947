//! The commit word: which of the waiters of one `select!` is served, if any.
//!
//! A select queues one waiter per branch, each in another queue under another lock. Every one of them points to the select's commit
//! word, and whoever would serve a waiter must win that word first:
//!
//! ```text
//!               choose (a counterpart, under the lock of the waiter's queue)
//!       ┌─────► CHOSEN: the address of the waiter ──────────────────────────┐
//!     OPEN                                                                  │ reset, when no waiter is queued any more
//!       └─────► ABORTED ──── reset, when no waiter is queued any more ──────┴──► OPEN
//!               abort (the select itself: it looks again, or was cut short)
//! ```
//!
//! | transition | who | from, to | ordering |
//! |---|---|---|---|
//! | [`Commit::choose`] | who would serve the waiter, under its queue's lock, and serves it before the lock is released | OPEN, CHOSEN | Relaxed |
//! | [`Commit::abort`] | the select | OPEN, ABORTED | Relaxed |
//! | [`Commit::reset`] | the select, all of whose waiters have left their queues | CHOSEN or ABORTED, OPEN | Relaxed |
//!
//! # Property
//! 1. Between two resets at most one waiter is chosen, and none if the select has aborted.
//! 2. The word is not touched by others once the select has seen each of its waiters out of its queue.
//!
//! # Proof
//! Both ways out of OPEN are a compare-and-swap of the one word, and all accesses to one word have one order: the first wins, and who
//! comes later sees that it has lost; that is (1). Others find the word only through a queued waiter, under the lock of its queue, and
//! touch it before they unlink that waiter or leave the lock. A waiter is seen out of its queue under that lock, or by its state, which is
//! stored last, with Release, and read with Acquire; that is (2).
//!
//! Relaxed is enough: the word decides, and publishes nothing. What was handed over is published by the waiter's state; a select that sees
//! itself chosen before that takes the queue's lock, and finds its waiter served.
//!
//! # What it must never do
//! Be chosen by somebody who then does not serve the waiter: the select would wait for ever.
//!
//! Model: `tests/models/tests/select.rs`; its mutants: `tests/models/mutants/select.rs`.

use crate::primitive::{AtomicUsize, Ordering};
use core::fmt;

/// Nobody has been chosen yet. No address of a waiter is this small.
const OPEN: usize = 0;
/// The select has closed the word itself.
const ABORTED: usize = 1;

/// The word. It lies on the stack of the select.
pub struct Commit {
    word: AtomicUsize,
}

/// What a select that aborts learns.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abort {
    /// Nobody has been chosen, and nobody will be.
    InTime,
    /// The waiter at this address was chosen before.
    Chosen(usize),
}

impl Commit {
    /// An open word.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicUsize::new(OPEN) }
    }

    /// Chooses the waiter at `address`. True: it is chosen, now or before, by the holder of its queue's lock, who serves it.
    pub(crate) fn choose(&self, address: usize) -> bool {
        debug_assert!(address > ABORTED);
        match self.word.compare_exchange(OPEN, address, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(chosen) => chosen == address,
        }
    }

    /// Whether somebody could still be chosen: a moment's truth.
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Relaxed) == OPEN
    }

    /// Closes the word, unless somebody has been chosen.
    pub(crate) fn abort(&self) -> Abort {
        match self.word.compare_exchange(OPEN, ABORTED, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Abort::InTime,
            Err(chosen) => Abort::Chosen(chosen),
        }
    }

    /// Opens the word for the next attempt. No waiter of the select is queued.
    pub(crate) fn reset(&self) {
        self.word.store(OPEN, Ordering::Relaxed);
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.word.load(Ordering::Relaxed) {
            OPEN => "Commit(open)",
            ABORTED => "Commit(aborted)",
            _ => "Commit(chosen)",
        })
    }
}
