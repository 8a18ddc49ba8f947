//! The mutants of `runtime/src/scheduler/inbox.rs`.

use super::{DATA_RACE, DEADLOCK, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "put_does_not_release",
        wrong: "the worker resumes a resident whose stack it does not see as the waker left it",
        text: "resident.as_ptr().expose_provenance(), Ordering::AcqRel)",
        becomes: "resident.as_ptr().expose_provenance(), Ordering::Acquire)",
        model: "woken_resident_is_resumed",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "take_does_not_acquire",
        wrong: "the same, from the side of the worker",
        text: "self.word.swap(EMPTY, Ordering::AcqRel)",
        becomes: "self.word.swap(EMPTY, Ordering::Release)",
        model: "woken_resident_is_resumed",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "ring_does_not_release",
        wrong: "the worker hears the bell, and does not see what was pushed",
        text: "self.word.fetch_or(BELL, Ordering::AcqRel)",
        becomes: "self.word.fetch_or(BELL, Ordering::Acquire)",
        model: "resident_and_bell_do_not_swallow_each_other",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "sleeps_without_a_look",
        wrong: "the re-check is gone: what came between the last look and the sleep calls nobody, and the worker parks on it",
        text: "match self.word.compare_exchange(EMPTY, ASLEEP, Ordering::AcqRel, Ordering::Relaxed) {",
        becomes: "match Ok::<usize, usize>(self.word.fetch_or(ASLEEP, Ordering::AcqRel)) {",
        model: "woken_resident_is_resumed",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "sleeper_not_called",
        wrong: "the wake-up is dropped",
        text: "if before == ASLEEP { Delivery::MustUnpark } else { Delivery::WillLook }",
        becomes: "Delivery::WillLook",
        model: "woken_resident_is_resumed",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "everyone_calls",
        wrong: "a worker that is awake is called too: it does not sleep next time, and looks for nothing",
        text: "if before == ASLEEP { Delivery::MustUnpark } else { Delivery::WillLook }",
        becomes: "Delivery::MustUnpark",
        model: "resident_and_bell_do_not_swallow_each_other",
        panics_with: "woken for nothing",
    },
    Mutant {
        name: "take_in_two_steps",
        wrong: "what is delivered between the look and the emptying is lost",
        text: "let word = self.word.swap(EMPTY, Ordering::AcqRel);",
        becomes: "let word = self.word.load(Ordering::Acquire); self.word.store(EMPTY, Ordering::Release);",
        model: "woken_resident_is_resumed",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "waking_up_empties",
        wrong: "a worker that wakes up throws away what woke it",
        text: "self.word.fetch_and(!ASLEEP, Ordering::Relaxed);",
        becomes: "self.word.store(EMPTY, Ordering::Relaxed);",
        model: "waking_up_for_another_reason_loses_nothing",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "bell_takes_the_place",
        wrong: "the bell overwrites the resident",
        text: "self.word.fetch_or(BELL, Ordering::AcqRel)",
        becomes: "self.word.swap(BELL, Ordering::AcqRel)",
        model: "resident_and_bell_do_not_swallow_each_other",
        panics_with: DEADLOCK,
    },
];
