//! The mutants of `runtime/src/scheduler/parker.rs`.

use super::{DEADLOCK, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "sleeps_on_a_call",
        wrong: "a call that came before the sleep is overwritten by it",
        text: "match self.word.compare_exchange(AWAKE, bed as u8, Ordering::Relaxed, Ordering::Relaxed) {",
        becomes: "match Ok::<u8, u8>(self.word.swap(bed as u8, Ordering::AcqRel)) {",
        model: "call_meets_a_worker_that_goes_to_sleep",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "parker_is_not_called",
        wrong: "the sleep in the parker goes on",
        text: "PARKED => Call::MustUnpark,",
        becomes: "PARKED => Call::WillLook,",
        model: "call_meets_a_worker_that_goes_to_sleep",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "wrong_bed",
        wrong: "the futex is woken, and the worker sleeps in the poller",
        text: "POLLING => Call::MustNotify,",
        becomes: "POLLING => Call::MustUnpark,",
        model: "call_meets_a_worker_that_goes_to_sleep",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "call_does_not_release",
        wrong: "the worker wakes, and does not see what it was called for",
        text: "match self.word.swap(CALLED, Ordering::AcqRel)",
        becomes: "match self.word.swap(CALLED, Ordering::Acquire)",
        model: "call_meets_a_worker_that_goes_to_sleep",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "end_does_not_acquire",
        wrong: "a second call, whose maker leaves the system call to the first, is used up without a look at what it was for",
        text: "self.word.swap(AWAKE, Ordering::AcqRel);",
        becomes: "self.word.swap(AWAKE, Ordering::Relaxed);",
        model: "two_call_a_worker_that_changes_its_bed",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "called_twice",
        wrong: "each call makes a system call, though the worker is awake, or has been called",
        text: "_ => Call::WillLook,",
        becomes: "_ => Call::MustUnpark,",
        model: "two_call_a_worker_that_changes_its_bed",
        panics_with: "called twice for one sleep",
    },
];
