//! What is owed: notifications that signal handlers leave for the relay, and none of them lost.
//!
//! ```text
//!   notifier, in a signal handler            relay
//!   Owe      owed + 1; was it 0?             Hear     read the bell
//!   Push     event ──► list                  Take     the whole list
//!   Ring     bell + 1, wake the relay        Settle   next; owed ──► 0, for each event in it
//!                                            Sleep    if the bell is still what was heard
//! ```
//!
//! | access | who | ordering | pairs with |
//! |---|---|---|---|
//! | Owe | a notifier | AcqRel | Settle: release, what it did before is seen by who is notified; acquire, `next` is its own again |
//! | Push | the notifier whose Owe found 0 | Release | Take: the link |
//! | Ring | the same, after Push | Release | Hear |
//! | Hear | the relay, before Take | Acquire | Ring |
//! | Take | the relay | Acquire | Push |
//! | Settle | the relay, once for each event taken | AcqRel | Owe |
//!
//! # Property
//! Every Owe is counted by exactly one Settle, and the relay does not sleep while something is owed and nobody is about to ring.
//!
//! # Proof
//! An event is in the list, or about to be, while it owes: only an Owe that finds 0 pushes, and only Settle makes it 0. So it is in the list once,
//! and `next` has one writer at a time: the pusher, until Push, then nobody until Settle, before which the relay has read it. Nodes are taken
//! all at once, so Push has no ABA. An Owe comes before a Settle, and is counted by it, or after it, and then finds 0. A push that Take
//! has missed comes before its Ring, which Hear has missed: the bell has changed, and Sleep returns.
//!
//! A handler may interrupt another one anywhere above, on the same OS thread: whoever owes first pushes, the other is counted.
//!
//! # What it must never do
//! Lock, allocate, or wait, on the side of the notifier.
//!
//! Model: `tests/models/tests/owed.rs`; its mutants: `tests/models/mutants/owed.rs`.

use crate::primitive::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use core::ptr;

/// The events that owe notifications, the last to be pushed first; and the bell, which changes after each push.
#[derive(Debug)]
pub(crate) struct List<T> {
    head: AtomicPtr<T>,
    bell: AtomicU32,
}

/// What an event has for its place in the list.
#[derive(Debug)]
pub(crate) struct Link<T> {
    /// How many notifications have not been settled. 64 bits, so that it is never full.
    owed: AtomicU64,
    next: AtomicPtr<T>,
}

/// What became of one more notification.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    /// The event is new in the list: wake the relay.
    MustWake,
    /// It was there, or somebody is about to push it and to wake.
    Counted,
}

impl<T> List<T> {
    pub(crate) const fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()), bell: AtomicU32::new(0) }
    }

    /// Owe, Push and Ring: one notification of `event`, whose link this is. `keep` is run before the event can be taken.
    ///
    /// The event is alive until this returns, and from `keep` on until it has been settled; its link is used with this list alone.
    #[inline]
    pub(crate) fn owe(&self, event: *mut T, link: &Link<T>, keep: impl FnOnce()) -> Owed {
        if link.owed.fetch_add(1, Ordering::AcqRel) != 0 {
            return Owed::Counted;
        }
        keep();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            link.next.store(head, Ordering::Relaxed);
            match self.head.compare_exchange(head, event, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => head = other,
            }
        }
        self.bell.fetch_add(1, Ordering::Release);
        Owed::MustWake
    }

    /// Hear and Take: what the bell was, and the last event that owes; null if there is none.
    #[inline]
    pub(crate) fn take(&self) -> (u32, *mut T) {
        let bell = self.bell.load(Ordering::Acquire);
        let head = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        (bell, head)
    }

    /// The bell, for the relay to sleep on while it is as [`take`](Self::take) said.
    pub(crate) fn bell(&self) -> &AtomicU32 {
        &self.bell
    }
}

impl<T> Link<T> {
    /// That of an event which owes nothing.
    pub(crate) const fn new() -> Self {
        Self { owed: AtomicU64::new(0), next: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Settle: the event that was pushed before this one, and how many notifications are to be made.
    #[inline]
    pub(crate) fn settle(&self) -> (*mut T, u64) {
        let next = self.next.load(Ordering::Relaxed);
        let owed = self.owed.swap(0, Ordering::AcqRel);
        (next, owed)
    }
}
