//! The mutants of `bridge/src/gate.rs`.

use super::{DATA_RACE, DEADLOCK, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "pass_relaxed",
        wrong: "Pass does not acquire: a caller is past the gate and does not see what the start wrote",
        text: "self.word.load(Ordering::Acquire) == READY",
        becomes: "self.word.load(Ordering::Relaxed) == READY",
        model: "whoever_passes_sees_what_the_start_wrote",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "claim_relaxed",
        wrong: "the same on the slow path: a Claim that comes too late finds READY, and does not acquire",
        text: "compare_exchange(UNINIT, me, Ordering::Relaxed, Ordering::Acquire)",
        becomes: "compare_exchange(UNINIT, me, Ordering::Relaxed, Ordering::Relaxed)",
        model: "whoever_passes_sees_what_the_start_wrote",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "settle_relaxed",
        wrong: "Settle does not release: nothing to acquire for Pass and Claim",
        text: "self.word.store(word, Ordering::Release);",
        becomes: "self.word.store(word, Ordering::Relaxed);",
        model: "whoever_passes_sees_what_the_start_wrote",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "ready_before_the_last_write",
        wrong: "the gate opens when the start begins, not when it has written everything",
        text: "let outcome = start();",
        becomes: "self.0.word.store(READY, Ordering::Release); let outcome = start();",
        model: "whoever_passes_sees_what_the_start_wrote",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "claim_in_two_steps",
        wrong: "Claim looks, then stores: two callers look before either stores, and both start",
        text: "self.word.compare_exchange(UNINIT, me, Ordering::Relaxed, Ordering::Acquire)?;",
        becomes: "match self.word.load(Ordering::Acquire) { UNINIT => self.word.store(me, Ordering::Relaxed), now => return Err(now) }",
        model: "one_start_runs",
        panics_with: "a second start ran",
    },
    Mutant {
        name: "one_waiter_notified",
        wrong: "the second waiter sleeps for ever",
        text: "self.decided.notify_all();",
        becomes: "self.decided.notify_one();",
        model: "every_waiter_is_answered",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "nobody_notified",
        wrong: "a waiter that sleeps before Settle sleeps for ever",
        text: "self.decided.notify_all();",
        becomes: "",
        model: "failure_reaches_everyone",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "notified_before_settled",
        wrong: "a waiter that looks between the notification and Settle finds nothing, and sleeps for ever",
        text: "let mut place = lock(&self.outcome);
        *place = Some(outcome);
        self.word.store(word, Ordering::Release);
        drop(place);
        self.decided.notify_all();",
        becomes: "self.decided.notify_all();
        let mut place = lock(&self.outcome);
        *place = Some(outcome);
        self.word.store(word, Ordering::Release);
        drop(place);",
        model: "every_waiter_is_answered",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "waits_without_a_look",
        wrong: "the re-check under the lock is gone: a waiter that comes after Settle waits for a notification that has been",
        text: "        loop {\n            if let Some(outcome) = &*place {",
        becomes: "        loop { place = wait(&self.decided, place);
            if let Some(outcome) = &*place {",
        model: "every_waiter_is_answered",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "owner_not_compared",
        wrong: "a start that comes back to the gate waits for itself",
        text: "Err(owner) if owner == me => Err(Refused::ReEntered),",
        becomes: "",
        model: "start_that_comes_back_is_answered",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "failure_can_be_tried_again",
        wrong: "after a failed start the next caller starts again: some see a runtime, some an error",
        text: "let word = if outcome.is_ok() { READY } else { FAILED };",
        becomes: "let word = if outcome.is_ok() { READY } else { UNINIT };",
        model: "failure_reaches_everyone",
        panics_with: "a second start ran",
    },
    Mutant {
        name: "failure_taken_by_the_first",
        wrong: "the first waiter takes the failure with it, the second finds none and sleeps for ever",
        text: "if let Some(outcome) = &*place {",
        becomes: "if let Some(outcome) = place.take() {",
        model: "failure_reaches_everyone",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "failure_opens",
        wrong: "a failed start looks like a good one to the fast path",
        text: "let word = if outcome.is_ok() { READY } else { FAILED };",
        becomes: "let word = READY;",
        model: "failure_reaches_everyone",
        panics_with: "right: Err(Failed(Broken(7)))",
    },
    Mutant {
        name: "lock_after_ready",
        wrong: "the slow path takes the lock to learn what the word has said",
        text: "Err(READY) => Ok(()),",
        becomes: "",
        model: "entry_after_ready_takes_no_lock",
        panics_with: "locked after READY",
    },
    Mutant {
        name: "start_from_rust_waits",
        wrong: "a second start from Rust waits for the first, which may wait for it",
        text: "Err(_) => Err(Refused::AlreadyStarted),",
        becomes: "Err(_) => self.wait_for_outcome(),",
        model: "start_from_rust_never_waits",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "settle_over_fork",
        wrong: "a start that forks opens the gate of the child, which has no workers, and locks what another thread may hold",
        text: "if self.word.load(Ordering::Relaxed) == FORKED {",
        becomes: "if false {",
        model: "child_of_a_fork_never_waits",
        panics_with: "the child waits",
    },
    Mutant {
        name: "fork_not_answered_from_the_word",
        wrong: "an entry in the child locks what a thread of the parent holds for ever",
        text: "            Err(FORKED) => Err(Refused::Forked),\n            Err(owner)",
        becomes: "\n            Err(owner)",
        model: "child_of_a_fork_never_waits",
        panics_with: DEADLOCK,
    },
];
