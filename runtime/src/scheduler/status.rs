//! The status word: it decides who owns a worker's processor while C is on that worker's stack.
//!
//! ```text
//!            enter(t)                            take(t): Taken
//!   RUNNING ─────────► IN C, ticket t ───────────────────────────► the processor is the taker's;
//!      ▲                     │                                      this worker owns none
//!      └─────────────────────┘
//!        leave(t): Kept                     ... and the worker's own leave(t) says Taken
//! ```
//!
//! The unsynchronised half of a processor (its run queue, its stack cache) belongs to its owner: the worker that runs it, or that
//! has entered C with it, until the monitor has taken it. Two words decide, both kept in the *worker*, for a worker may come back
//! from C when its old processor is already somebody else's. `word` is written by the worker alone: `RUNNING`, or the *ticket* of
//! its stay in C. `claim` is written by the monitor, the one taker, and by the worker only to answer a claim.
//!
//! | access | who | does | pairs with |
//! |---|---|---|---|
//! | EnterWord | worker | stores the new ticket in `word`, Release | TakeWord, Acquire: the taker sees the owner's half |
//! | LeaveWord, LeaveFence, LeaveClaim | worker | stores `RUNNING`, light fence, loads `claim` | TakeClaim, TakeFence, TakeWord |
//! | InC | taker | loads `word`, Acquire | EnterWord: which processor this stay is with |
//! | TakeClaim, TakeFence, TakeWord | taker | stores the ticket in `claim`, heavy fence, loads `word` | LeaveWord, LeaveFence, LeaveClaim |
//! | Answer | worker | `claim`: from the ticket to KEPT, AcqRel | Decide |
//! | Decide | taker | `claim`: from the ticket to TAKEN, AcqRel | Answer |
//!
//! # Property
//! For each ticket either `leave` says Kept or `take` says Taken, never both; a processor that is taken comes with all its owner's
//! writes; a `leave` that meets no taker costs a store and a load, and no read-modify-write.
//!
//! # Proof
//! LeaveFence and TakeFence are a pair, so LeaveClaim sees TakeClaim, or TakeWord sees LeaveWord, or both.
//! If LeaveClaim misses the claim, the worker keeps the processor without another look; then TakeWord sees `RUNNING` or a later
//! ticket, and the taker withdraws. If LeaveClaim sees it, Answer and Decide are compare-and-swaps from the same value, and
//! one of them wins. Tickets of a worker are never used twice (2^62 of them), so a claim left over from an earlier stay equals no
//! later ticket: there is no ABA. A taker that withdraws leaves its claim behind, which is harmless for the same reason.
//!
//! # Why not one compare-and-swap
//! The plan of record had `leave` as a compare-and-swap. That costs 2.2 ns on the machine of `docs/benchmarks.md`, more than
//! the C call itself; a pair of asymmetric fences costs 0.5 ns here, and moves the price to the monitor, which takes rarely.
//!
//! # What it must never do
//! Be asked to take by two threads at once: the monitor alone takes.
//!
//! Model: `tests/models/tests/status.rs`; its mutants: `tests/models/mutants/status.rs`.

use crate::primitive::{AtomicU64, Ordering, heavy_fence, light_fence};
use core::fmt;

/// The worker is not in C with a processor. No ticket has this value.
const RUNNING: u64 = 0;
/// The lowest two bits of a word that names a stay say what has been decided about it. Nothing yet: this is a ticket.
const OPEN: u64 = 0b01;
/// The worker answered the claim first.
const KEPT: u64 = 0b10;
/// The taker has the processor.
const TAKEN: u64 = 0b11;
/// The bits of the decision.
const DECISION: u64 = 0b11;
/// What one stay in C adds to the ticket.
const ONE_STAY: u64 = 0b100;

const _: () = assert!(ONE_STAY & DECISION == 0 && RUNNING & DECISION == 0);

/// One stay in C. It tells this stay from every other of the same worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Ticket {
    /// The ticket before the first.
    pub(crate) const FIRST: Self = Self(OPEN);

    /// The one after this: the worker counts, so that no stay shares a ticket with an earlier one.
    #[inline(always)]
    pub(crate) const fn next(self) -> Self {
        Self(self.0 + ONE_STAY)
    }

    /// Whether `claim` speaks of this stay, decided or not.
    #[inline(always)]
    const fn is_claimed_by(self, claim: u64) -> bool {
        (claim ^ self.0) & !DECISION == 0
    }
}

/// The tickets of a worker. It alone takes them; everyone may see how many there were.
pub(crate) struct Tickets(AtomicU64);

impl Tickets {
    /// None has been given out.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(Ticket::FIRST.0))
    }

    /// The last one: that of the stay that the worker is on, or was on.
    #[inline(always)]
    pub(crate) fn last(&self) -> Ticket {
        Ticket(self.0.load(Ordering::Relaxed))
    }

    /// A new one.
    #[inline(always)]
    pub(crate) fn take(&self) -> Ticket {
        let ticket = self.last().next();
        self.0.store(ticket.0, Ordering::Relaxed);
        ticket
    }

    /// How many were given out.
    pub(crate) fn given(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / ONE_STAY
    }
}

/// What became of the processor while its owner was in C.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It is still the worker's.
    Kept,
    /// It has been taken: the worker owns no processor.
    Taken,
}

/// What a take came to.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// The processor, its run queue included, is the caller's.
    Taken,
    /// The worker has left C, is on another stay, or has lost its processor before.
    TooLate,
}

/// The status word of a worker, with the claim beside it.
pub(crate) struct Status {
    word: AtomicU64,
    claim: AtomicU64,
}

impl Status {
    /// A worker that is not in C.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU64::new(RUNNING), claim: AtomicU64::new(RUNNING) }
    }

    /// Enters C with a processor. `ticket` has never been used by this worker.
    #[inline(always)]
    pub(crate) fn enter(&self, ticket: Ticket) {
        self.word.store(ticket.0, Ordering::Release);
    }

    /// Leaves C: the end of the stay `ticket`.
    #[inline(always)]
    pub(crate) fn leave(&self, ticket: Ticket) -> Leave {
        self.word.store(RUNNING, Ordering::Relaxed);
        light_fence();
        if ticket.is_claimed_by(self.claim.load(Ordering::Relaxed)) { self.answer(ticket) } else { Leave::Kept }
    }

    /// Answers the claim to this very stay: the worker or the taker wins.
    #[cold]
    #[inline(never)]
    fn answer(&self, ticket: Ticket) -> Leave {
        let kept = ticket.0 & !DECISION | KEPT;
        match self.claim.compare_exchange(ticket.0, kept, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Leave::Kept,
            Err(_) => Leave::Taken,
        }
    }

    /// Whether the worker itself is on a stay. For the worker alone: nobody else writes the word.
    #[inline(always)]
    pub(crate) fn is_entered(&self) -> bool {
        self.word.load(Ordering::Relaxed) != RUNNING
    }

    /// Whether the worker is on a stay, be its processor taken or not: a moment's truth.
    pub(crate) fn is_in_c(&self) -> bool {
        self.word.load(Ordering::Relaxed) != RUNNING
    }

    /// The stay that the worker is on with its processor, if it is in C and nobody has taken the processor yet.
    pub(crate) fn in_c(&self) -> Option<Ticket> {
        // Acquire: what the worker wrote before this stay, such as which processor it owns, is read after this.
        let ticket = Ticket(self.word.load(Ordering::Acquire));
        (ticket.0 != RUNNING && !ticket.is_claimed_by(self.claim.load(Ordering::Relaxed))).then_some(ticket)
    }

    /// Takes the processor from a worker that [`in_c`](Self::in_c) has shown on the stay `ticket`.
    #[cold]
    pub(crate) fn take(&self, ticket: Ticket) -> Take {
        self.claim.store(ticket.0, Ordering::Relaxed);
        heavy_fence();
        if self.word.load(Ordering::Acquire) != ticket.0 {
            return Take::TooLate;
        }
        let taken = ticket.0 & !DECISION | TAKEN;
        match self.claim.compare_exchange(ticket.0, taken, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Take::Taken,
            Err(_) => Take::TooLate,
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, claim) = (self.word.load(Ordering::Relaxed), self.claim.load(Ordering::Relaxed));
        f.debug_struct("Status").field("stay", &(word / ONE_STAY)).field("claimed", &(claim / ONE_STAY)).finish()
    }
}
