//! The mutants of `runtime/src/scheduler/status.rs`.

use super::{DATA_RACE, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "no_light_fence",
        wrong: "the worker looks for a claim before its store of RUNNING is out: it misses the claim, the taker misses the store",
        text: "        light_fence();",
        becomes: "",
        model: "processor_has_one_owner",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "no_heavy_fence",
        wrong: "the same, from the side of the taker",
        text: "        heavy_fence();",
        becomes: "",
        model: "processor_has_one_owner",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "enter_does_not_release",
        wrong: "the taker does not see what the worker did with the processor before it went into C",
        text: "self.word.store(ticket.0, Ordering::Release);",
        becomes: "self.word.store(ticket.0, Ordering::Relaxed);",
        model: "processor_has_one_owner",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "decided_claim_is_not_noticed",
        wrong: "a worker that comes back after the whole take compares the claim with its bare ticket, and keeps what is taken",
        text: "(claim ^ self.0) & !DECISION == 0",
        becomes: "claim == self.0",
        model: "processor_has_one_owner",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "claim_not_answered",
        wrong: "the worker sees the claim and keeps the processor without an answer: the taker decides for itself",
        text: "if ticket.is_claimed_by(self.claim.load(Ordering::Relaxed)) { self.answer(ticket) } else { Leave::Kept }",
        becomes: "Leave::Kept",
        model: "processor_has_one_owner",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "taker_does_not_look_again",
        wrong: "the taker decides without a second look at the word: the worker has left C, and looked for the claim before it was there",
        text: "if self.word.load(Ordering::Acquire) != ticket.0 {",
        becomes: "if false {",
        model: "processor_has_one_owner",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "tickets_repeat",
        wrong: "the second stay has the first one's ticket: what was decided about that stay is taken for an answer",
        text: "Self(self.0 + ONE_STAY)",
        becomes: "Self(OPEN + ONE_STAY)",
        model: "stays_are_told_apart",
        panics_with: "the processor has 0 owners",
    },
    Mutant {
        name: "taken_stay_is_shown_again",
        wrong: "the monitor sees the worker in C with a processor that it has not any more, and takes it twice",
        text: "(ticket.0 != RUNNING && !ticket.is_claimed_by(self.claim.load(Ordering::Relaxed))).then_some(ticket)",
        becomes: "(ticket.0 != RUNNING).then_some(ticket)",
        model: "taken_once_per_stay",
        panics_with: "the processor has 2 owners",
    },
    Mutant {
        name: "look_does_not_acquire",
        wrong: "the monitor sees the new stay, and reads the processor of the one before",
        text: "Ticket(self.word.load(Ordering::Acquire));",
        becomes: "Ticket(self.word.load(Ordering::Relaxed));",
        model: "taker_knows_which_processor",
        panics_with: "a wrong processor was taken",
    },
];
