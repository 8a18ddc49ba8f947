//! The readiness word of a file that is registered with the reactor: what is known of it, and whether somebody waits.
//!
//! The kernel reports *edges*: that a file has become readable or writable, once. Whoever uses it tries first, and waits only after the kernel
//! has said that it would block. Between the two an edge may come, and must not be forgotten:
//!
//! ```text
//!   look ──► the operation would block ──► arm ── an event has come since the look ──► try again
//!                                           │
//!                                           └──── none has: ARMED, wait ◄── deliver: serve those who wait
//! ```
//!
//! One word has it all: for each direction whether it is *ready*, *final* (closed by the peer, or an error: later edges may not come), and
//! *awaited*; whether the registration is closed; and a *tick*, which counts the events that were delivered. Those who wait lie in a list
//! beside the word, under a lock.
//!
//! | access | who | does | ordering, pairs with |
//! |---|---|---|---|
//! | [`look`](Readiness::look) | who is about to try | reads the tick and what is ready | Acquire, with `deliver` |
//! | [`arm`](Readiness::arm) | whose operation would block, under the lock of the list, into which it goes if it is told to | if the tick is that of the look: takes *ready* away and sets *awaited*; else, if it is ready: says so; else sets *awaited* | AcqRel, with `deliver` |
//! | [`drained`](Readiness::drained) | who has got less than it asked for | if the tick is that of the look and nothing is final: takes *ready* away | Relaxed |
//! | [`disarm`](Readiness::disarm) | who stops waiting, or serves, and leaves the list empty, under its lock | takes *awaited* away | Relaxed |
//! | [`deliver`](Readiness::deliver) | who has the event, without the lock | tick + 1, sets *ready*, takes *awaited* away, and says which directions were awaited: those must be served, under the lock | AcqRel, with `look` and `arm` |
//! | [`open`](Readiness::open), [`close`](Readiness::close) | who registers, before; who deregisters | open: tick + 1, ready both ways. close: everything is taken away; all who wait must be served | AcqRel |
//!
//! # Property
//! 1. An edge is not forgotten: an event that comes after an operation has looked, and has found that it would block, either lets it try
//!    again, or serves it in the list.
//! 2. What a newer event has set is not taken away on the word of an older look.
//! 3. The list is empty of a direction for good only if that is not awaited: an event that finds it not awaited may leave the lock alone.
//! 4. What is delivered after `close` wakes nobody and sets nothing.
//!
//! # Proof
//! All are read-modify-writes of one word, so they have one order. (2) Only `arm` and `drained` take *ready* away, and both compare the whole
//! word, tick included, with what they have decided by; `deliver` has changed the tick. (1) Let *Deliver* come after *Look*. If it comes
//! before *Arm*, the tick differs, *ready* is set, and nothing but another operation's *Arm* with a look of its own, later than *Deliver*,
//! has taken it away. Either *Arm* finds it: it tries again. Or that other operation has found after *Deliver* that it would block; then so
//! would this one, and the edge that it needs is one that comes later. If *Deliver* comes after *Arm*, it sees *awaited*, and its caller
//! takes the lock. It gets it after the one who has armed, who holds it from before *Arm* until it is in the list: it is served.
//! (3) *awaited* is set under the lock together with going into the list, and taken away by `disarm` when it is empty, under the same lock, or by
//! `deliver` and `close`, whose callers empty it. (4) `deliver` looks for CLOSED in the step that would set anything. (An event
//! that was fetched before `close` and is delivered after the next `open` is one too many: the operation tries for nothing.)
//!
//! # What it must never do
//! Be asked whether the file *is* ready: it says what the last event said. Be armed outside of the lock of the list.
//!
//! Model: `tests/models/tests/readiness.rs`; its mutants: `tests/models/mutants/readiness.rs`.

use crate::primitive::{AtomicU64, Ordering};
use core::fmt;

/// Ready to read; ready to write is one bit further.
const READY: u64 = 1 << 0;
/// Final for reading.
const FINAL: u64 = 1 << 2;
/// Somebody waits to read.
const AWAITED: u64 = 1 << 4;
/// Not registered.
const CLOSED: u64 = 1 << 6;
/// One event.
const TICK: u64 = 1 << 8;

const BOTH: u64 = 0b11;

const _: () = assert!(READY * BOTH + FINAL * BOTH + AWAITED * BOTH + CLOSED < TICK);

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Direction {
    /// To the caller.
    Read = 0,
    /// From the caller.
    Write = 1,
}

impl Direction {
    /// The bit of this direction, of one of the pairs.
    const fn of(self, read: u64) -> u64 {
        read << self as u8
    }
}

/// Some of the two directions.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Directions(u64);

impl Directions {
    /// Whether `direction` is among them.
    #[inline]
    pub(crate) const fn has(self, direction: Direction) -> bool {
        self.0 & direction.of(1) != 0
    }

    /// Whether there are none.
    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What the kernel reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event(u64);

impl Event {
    /// For each of the two, whether it can be read, or written.
    pub(crate) const fn ready(read: bool, write: bool) -> Self {
        Self(READY * read as u64 + (READY << 1) * write as u64)
    }

    /// ... and whether that is so for good.
    pub(crate) const fn and_final(self, read: bool, write: bool) -> Self {
        Self(self.0 | (FINAL * read as u64 + (FINAL << 1) * write as u64))
    }
}

/// The word as it was before an operation was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen(u64);

impl Seen {
    /// Nothing was seen: the file was not registered. No word has this tick.
    pub(crate) const NOTHING: Self = Self(CLOSED);

    const fn tick(self) -> u64 {
        self.0 / TICK
    }

    /// Whether the last event said that it is ready, and no operation has found otherwise since.
    const fn is_ready(self, direction: Direction) -> bool {
        self.0 & direction.of(READY) != 0
    }

    /// Whether it is worth a try: nothing is known, or it is ready.
    #[inline]
    pub(crate) const fn is_worth_a_try(self, direction: Direction) -> bool {
        self.0 & (direction.of(READY) | CLOSED) != 0
    }
}

/// What one must do whose operation would block.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// Go into the list, under the same lock: the next event serves it.
    MustWait,
    /// An event has come in between: try again.
    MustTry,
}

/// The word.
pub(crate) struct Readiness {
    word: AtomicU64,
}

impl Readiness {
    /// The word of a file that is not registered.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU64::new(CLOSED) }
    }

    /// The file is about to be registered, and taken to be ready until somebody has tried. Returns the look of who has tried already:
    /// what has come since is an event of the registration.
    pub(crate) fn open(&self) -> Seen {
        let opened = |word: u64| (word / TICK + 1) * TICK + READY * BOTH;
        Seen(opened(self.change(|word| Some(opened(word)))))
    }

    /// Before an operation is tried.
    #[inline]
    pub(crate) fn look(&self) -> Seen {
        Seen(self.word.load(Ordering::Acquire))
    }

    /// The operation that was tried after `seen` would block. The caller holds the lock of the list.
    pub(crate) fn arm(&self, seen: Seen, direction: Direction) -> Arm {
        let mut arm = Arm::MustWait;
        self.change(|word| {
            let is_news = word / TICK != seen.tick();
            if word & CLOSED != 0 || (is_news && word & direction.of(READY) != 0) {
                arm = Arm::MustTry;
                return None;
            }
            arm = Arm::MustWait;
            Some((word & !direction.of(READY) & !direction.of(FINAL)) | direction.of(AWAITED))
        });
        arm
    }

    /// The operation that was tried after `seen` has left nothing to read, or no room to write.
    #[inline]
    pub(crate) fn drained(&self, seen: Seen, direction: Direction) {
        if seen.0 & direction.of(FINAL) == 0 && seen.is_ready(direction) {
            // Not tried again: if the word has changed, the next operation finds out by itself.
            let drained = seen.0 & !direction.of(READY);
            let _ = self.word.compare_exchange(seen.0, drained, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Nobody waits in `direction` any more. The caller holds the lock of the list, and has found it empty.
    pub(crate) fn disarm(&self, direction: Direction) {
        self.word.fetch_and(!direction.of(AWAITED), Ordering::Relaxed);
    }

    /// An event has come: whoever waits in these directions must be served.
    #[inline]
    pub(crate) fn deliver(&self, event: Event) -> Directions {
        // What is final wakes those who wait in that direction, too.
        let ready = ((event.0 / READY) | (event.0 / FINAL)) & BOTH;
        let before = self.change(|word| {
            if word & CLOSED != 0 {
                return None;
            }
            Some(((word + TICK) | event.0 | (ready * READY)) & !(ready * AWAITED))
        });
        Directions(if before & CLOSED != 0 { 0 } else { (before / AWAITED) & ready })
    }

    /// The file is not registered any more: whoever waits in these directions must be served.
    pub(crate) fn close(&self) -> Directions {
        let before = self.change(|word| Some((word / TICK * TICK) | CLOSED));
        Directions((before / AWAITED) & BOTH)
    }

    /// Whether anybody waits in `direction`: a moment's truth, exact under the lock of the list.
    #[inline]
    pub(crate) fn is_awaited(&self, direction: Direction) -> bool {
        self.word.load(Ordering::Relaxed) & direction.of(AWAITED) != 0
    }

    /// Replaces the word by what `change` makes of it, and returns what it was; None leaves it as it is.
    #[inline]
    fn change(&self, mut change: impl FnMut(u64) -> Option<u64>) -> u64 {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let Some(changed) = change(word) else { return word };
            match self.word.compare_exchange_weak(word, changed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return word,
                Err(now) => word = now,
            }
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Readiness")
            .field("ready", &Directions((word / READY) & BOTH))
            .field("is_final", &Directions((word / FINAL) & BOTH))
            .field("awaited", &Directions((word / AWAITED) & BOTH))
            .field("is_closed", &(word & CLOSED != 0))
            .field("tick", &(word / TICK))
            .finish()
    }
}
