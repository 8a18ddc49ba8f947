//! The gate: it decides who starts the runtime, and lets nobody past before the runtime is up.
//!
//! ```text
//!             Claim                     Settle, the start succeeded
//!   UNINIT ──────────► STARTING(owner) ─────────────────────────────► READY
//!                             │
//!                             └─────────────────────────────────────► FAILED
//!                                Settle, it returned an error or panicked
//!
//!   in the child of a fork:   STARTING, READY, FAILED ──Fork──► FORKED
//! ```
//!
//! Two things are published. The *word* is for whoever need not wait: a caller that sees READY in it is past the gate.
//! The *outcome*, under the lock, is for whoever waits, and for whoever is told of a failure.
//!
//! | access | who | from, to | ordering | pairs with |
//! |---|---|---|---|---|
//! | Pass, [`Gate::is_ready`] | every entry from C | sees READY | Acquire | Settle: what the start wrote |
//! | Claim, [`Gate::enter`], [`Gate::start`] | the first caller, the *owner* | UNINIT, STARTING(owner) | Relaxed | nothing: only the owner knows its own token |
//! |  | a later caller | finds a decided word | Acquire | Settle |
//! | Settle | the owner, under the lock | STARTING, READY or FAILED | Release | Pass and Claim; for a waiter, the lock |
//! | Look | a waiter, under the lock | the outcome, not the word | the lock | Settle |
//! | [`Gate::is_unused`] | an entry that may not start | sees UNINIT | Relaxed | nothing: a moment's truth, but UNINIT never comes back |
//! | Fork, [`Gate::forked`] | the child of a fork, its only thread | all but UNINIT, FORKED | Relaxed | nothing: one thread |
//!
//! # Property
//! 1. Published: whoever passes, on the fast path or the slow one, sees all that the start wrote.
//! 2. Once: of all starts that are offered, one runs, however many callers meet.
//! 3. Everybody is answered: a waiter returns when the start returns or panics, and a failure is the same for all.
//! 4. No lock after READY: such an entry is one load, and the slow path, when it meets READY, takes no lock either.
//! 5. Monotone: READY and FAILED are left only by Fork, FORKED never.
//! 6. Re-entry has an answer: a start that comes back to the gate gets an error, and never waits for itself.
//! 7. After a fork nothing waits: the child's copy of the lock may be held by a thread that the child does not have.
//!
//! # Proof
//! (1) The start comes before Settle in the owner's order. Pass and Claim acquire what Settle releases; a waiter's Look
//! and Settle hold the same lock. (2) Only a Claim that replaces UNINIT runs a start, and nothing writes UNINIT. (3)
//! Settle stores the outcome under the lock that a waiter holds from its Look until it sleeps. So either Settle comes
//! first and Look finds the outcome, or the waiter sleeps first and the notification, which comes after Settle, finds
//! it asleep. All are notified: one outcome answers all of them. The owner cannot leave without Settle: a guard runs it
//! when the start panics. (4) The fast path is Pass alone; a Claim that finds READY returns. (5) After Claim the owner
//! alone writes the word, once. (6) A word that shows the caller's own token was written by this very thread, further
//! up its stack: tokens tell live threads apart, and the owner lives until Settle. (7) Fork needs no lock, and FORKED
//! is answered from the word. An owner whose start forks is the one caller that is already past Claim in the child: it
//! looks for FORKED before it would lock, and its Settle leaves FORKED as it is.
//!
//! # Two choices
//! READY is 0, though a word in zeroed memory would then stand open (there is none: the gate is a constant-initialised
//! static): a comparison with 0 is one instruction less where it has to be loaded first (AArch64, RISC-V), and the same
//! on x86-64. The notification comes after the unlock, so that a woken waiter finds the lock free. Under the lock it
//! would be as correct: the proof uses only that it follows Settle.
//!
//! # What it must never do
//! Try again after a failure: some callers would see a runtime and some an error. Wait when asked to start from Rust:
//! two starts are a mistake in the program. Be entered from a signal handler. Two duties fall on its callers: the
//! handler that calls [`Gate::forked`] is registered before the first Claim (a child of a STARTING parent would
//! otherwise wait for an owner that it does not have), and a start never waits for a thread that comes through the
//! gate.
//!
//! Model: `tests/models/tests/gate.rs`; its mutants: `tests/models/mutants/gate.rs`.

use crate::primitive::{AtomicUsize, Condvar, Mutex, Ordering, lock, thread_token, wait};
use core::fmt;

/// The runtime is up. The value that the fast path compares with.
const READY: usize = 0;
/// Nobody has come yet.
const UNINIT: usize = 1;
/// The start returned an error or panicked; the outcome says which.
const FAILED: usize = 2;
/// This process is the child of one whose gate had been used. Never left.
const FORKED: usize = 3;
// Every larger value is STARTING: the token of the owner. Tokens are addresses, and no object lies in the first bytes
// of memory.

/// A failed start, as every caller gets to see it.
pub(crate) trait Failure: Clone {
    /// The failure of a start that did not return.
    fn of_panic() -> Self;
}

/// Why a caller is not let past.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused<E> {
    /// The start came back to the gate on its own thread.
    ReEntered,
    /// Asked to start from Rust, but somebody has started or is starting.
    AlreadyStarted,
    /// The start failed. Everybody gets this same failure.
    Failed(E),
    /// This is the child of a fork, and its runtime stayed in the parent.
    Forked,
}

/// The gate. See the module's documentation for who may do what.
pub(crate) struct Gate<E> {
    word: AtomicUsize,
    /// `None` until Settle; then never changed.
    outcome: Mutex<Option<Result<(), E>>>,
    /// Notified once, after Settle.
    decided: Condvar,
}

impl<E: Failure> Gate<E> {
    /// A gate to which nobody has come yet.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicUsize::new(UNINIT), outcome: Mutex::new(None), decided: Condvar::new() }
    }

    /// Whether the runtime is up: the fast path of every entry from C. If not, the caller goes on to
    /// [`enter`](Self::enter).
    #[inline(always)]
    #[must_use]
    pub(crate) fn is_ready(&self) -> bool {
        self.word.load(Ordering::Acquire) == READY
    }

    /// Whether nobody has come yet: for an entry that must not be the one to start.
    #[must_use]
    pub(crate) fn is_unused(&self) -> bool {
        self.word.load(Ordering::Relaxed) == UNINIT
    }

    /// The slow path of an entry from C. The first caller runs `start`; the others wait for it, unless they are inside
    /// it.
    ///
    /// # Panics
    ///
    /// If `start` panics, this goes on in its caller, and everybody else gets [`Failure::of_panic`].
    #[cold]
    #[inline(never)]
    pub(crate) fn enter(&self, start: impl FnOnce() -> Result<(), E>) -> Result<(), Refused<E>> {
        let me = thread_token();
        match self.claim(me) {
            Ok(claim) => claim.run(start),
            Err(READY) => Ok(()),
            Err(FORKED) => Err(Refused::Forked),
            Err(owner) if owner == me => Err(Refused::ReEntered),
            Err(_) => self.wait_for_outcome(),
        }
    }

    /// Starts from Rust. Never waits: whoever comes second is told so at once.
    ///
    /// # Panics
    ///
    /// As [`enter`](Self::enter).
    #[cold]
    #[inline(never)]
    pub(crate) fn start(&self, start: impl FnOnce() -> Result<(), E>) -> Result<(), Refused<E>> {
        match self.claim(thread_token()) {
            Ok(claim) => claim.run(start),
            // Decided, so this only reads the failure.
            Err(FAILED) => self.wait_for_outcome(),
            Err(FORKED) => Err(Refused::Forked),
            Err(_) => Err(Refused::AlreadyStarted),
        }
    }

    /// Closes the gate in the child of a fork. Called there by its only thread, from the handler given to
    /// `pthread_atfork`: a load and a store, so it may run where only async-signal-safe functions may. Before first use
    /// there is nothing to close.
    pub(crate) fn forked(&self) {
        if self.word.load(Ordering::Relaxed) != UNINIT {
            self.word.store(FORKED, Ordering::Relaxed);
        }
    }

    /// Claim: makes the caller the owner, or says what the word is instead.
    fn claim(&self, me: usize) -> Result<Claim<'_, E>, usize> {
        assert!(me > FORKED, "the token {me} of this thread is none");
        self.word.compare_exchange(UNINIT, me, Ordering::Relaxed, Ordering::Acquire)?;
        Ok(Claim(self))
    }

    /// Settle: publishes what became of the start, and wakes whoever waits for that.
    #[cold]
    fn settle(&self, outcome: Result<(), E>) -> Result<(), Refused<E>> {
        // Only Fork can have changed the word since Claim, and only on this thread: the start has forked, and this is
        // the child.
        if self.word.load(Ordering::Relaxed) == FORKED {
            return Err(Refused::Forked);
        }
        let word = if outcome.is_ok() { READY } else { FAILED };
        let mut place = lock(&self.outcome);
        *place = Some(outcome);
        self.word.store(word, Ordering::Release);
        drop(place);
        self.decided.notify_all();
        Ok(())
    }

    /// Waits until the outcome is there, and passes it on.
    #[cold]
    fn wait_for_outcome(&self) -> Result<(), Refused<E>> {
        let mut place = lock(&self.outcome);
        loop {
            if let Some(outcome) = &*place {
                return outcome.clone().map_err(Refused::Failed);
            }
            place = wait(&self.decided, place);
        }
    }
}

impl<E> fmt::Debug for Gate<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = match self.word.load(Ordering::Relaxed) {
            READY => "ready",
            UNINIT => "uninit",
            FAILED => "failed",
            FORKED => "forked",
            _ => "starting",
        };
        f.debug_struct("Gate").field("is", &is).finish_non_exhaustive()
    }
}

/// The owner's right to run its start, and its duty to settle: dropped before that, it settles for the start that
/// panicked.
struct Claim<'a, E: Failure>(&'a Gate<E>);

impl<E: Failure> Claim<'_, E> {
    fn run(self, start: impl FnOnce() -> Result<(), E>) -> Result<(), Refused<E>> {
        let outcome = start();
        // The copy is made while a panic in it would still be settled for.
        let published = outcome.clone();
        let gate = self.0;
        core::mem::forget(self);
        gate.settle(published)?;
        outcome.map_err(Refused::Failed)
    }
}

impl<E: Failure> Drop for Claim<'_, E> {
    fn drop(&mut self) {
        // Forked or not, the owner is told by the panic that is under way.
        let _ = self.0.settle(Err(E::of_panic()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Broken {
        No(u32),
        Panicked,
    }

    impl Failure for Broken {
        fn of_panic() -> Self {
            Self::Panicked
        }
    }

    fn never() -> Result<(), Broken> {
        panic!("a second start ran")
    }

    #[test]
    fn first_entry_starts_and_later_ones_pass() {
        let gate = Gate::<Broken>::new();
        assert!(!gate.is_ready());
        assert_eq!(gate.enter(|| Ok(())), Ok(()));
        assert!(gate.is_ready());
        assert_eq!(gate.enter(never), Ok(()));
    }

    #[test]
    fn start_from_rust_is_accepted_once() {
        let gate = Gate::<Broken>::new();
        assert_eq!(gate.start(|| Ok(())), Ok(()));
        assert_eq!(gate.start(never), Err(Refused::AlreadyStarted));
        assert_eq!(gate.enter(never), Ok(()));
    }

    #[test]
    fn start_from_rust_after_an_entry_is_refused() {
        let gate = Gate::<Broken>::new();
        assert_eq!(gate.enter(|| Ok(())), Ok(()));
        assert_eq!(gate.start(never), Err(Refused::AlreadyStarted));
    }

    #[test]
    fn failure_is_the_same_for_everyone_after_it() {
        let gate = Gate::new();
        assert_eq!(gate.start(|| Err(Broken::No(7))), Err(Refused::Failed(Broken::No(7))));
        assert!(!gate.is_ready());
        assert_eq!(gate.enter(never), Err(Refused::Failed(Broken::No(7))));
        assert_eq!(gate.start(never), Err(Refused::Failed(Broken::No(7))));
    }

    #[test]
    fn panic_of_a_start_goes_on_and_is_a_failure_for_everyone_else() {
        let gate = Gate::<Broken>::new();
        let payload = catch_unwind(AssertUnwindSafe(|| gate.enter(|| panic!("no memory")))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"no memory"));
        assert!(!gate.is_ready());
        assert_eq!(gate.enter(never), Err(Refused::Failed(Broken::Panicked)));
        assert_eq!(gate.start(never), Err(Refused::Failed(Broken::Panicked)));
    }

    #[test]
    fn start_that_comes_back_is_answered() {
        let gate = Gate::<Broken>::new();
        let passed = gate.enter(|| {
            assert!(!gate.is_ready());
            assert_eq!(gate.enter(never), Err(Refused::ReEntered));
            assert_eq!(gate.start(never), Err(Refused::AlreadyStarted));
            Ok(())
        });
        assert_eq!(passed, Ok(()));
        assert!(gate.is_ready());
    }

    #[test]
    fn fork_before_first_use_leaves_the_gate_as_it_was() {
        let gate = Gate::<Broken>::new();
        gate.forked();
        assert_eq!(gate.enter(|| Ok(())), Ok(()));
    }

    #[test]
    fn fork_of_a_decided_gate_is_refused_for_ever() {
        for outcome in [Ok(()), Err(Broken::No(1))] {
            let gate = Gate::new();
            let _ = gate.enter(|| outcome);
            gate.forked();
            assert!(!gate.is_ready());
            for _ in 0..2 {
                assert_eq!(gate.enter(never), Err(Refused::Forked));
                assert_eq!(gate.start(never), Err(Refused::Forked));
            }
        }
    }

    #[test]
    fn start_that_forks_is_refused_in_the_child_whatever_it_returns() {
        for outcome in [Ok(()), Err(Broken::No(1))] {
            let gate = Gate::new();
            let passed = gate.enter(|| {
                gate.forked();
                outcome
            });
            assert_eq!(passed, Err(Refused::Forked));
            assert_eq!(gate.enter(never), Err(Refused::Forked));
        }
    }

    #[test]
    fn debug_says_what_it_is() {
        let gate = Gate::<Broken>::new();
        assert_eq!(format!("{gate:?}"), "Gate { is: \"uninit\", .. }");
        let _ = gate.enter(|| {
            assert_eq!(format!("{gate:?}"), "Gate { is: \"starting\", .. }");
            Ok(())
        });
        assert_eq!(format!("{gate:?}"), "Gate { is: \"ready\", .. }");
    }
}
