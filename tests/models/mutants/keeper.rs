//! The mutants of `runtime/src/driver/keeper.rs`.

use super::Mutant;

/// What every forgotten timer looks like.
const FORGOTTEN: &str = "a timer is forgotten";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "no_arm_fence",
        wrong: "who arms asks before the deadline is out: it sees no keeper, and the keeper's look misses the deadline",
        text: "        fence(Ordering::SeqCst);\n        match",
        becomes: "\n        match",
        model: "arm_meets_a_worker_that_goes_to_sleep",
        panics_with: FORGOTTEN,
    },
    Mutant {
        name: "no_claim_fence",
        wrong: "the same, from the side of the keeper",
        text: "        fence(Ordering::SeqCst);\n        Claim::Keeps",
        becomes: "\n        Claim::Keeps",
        model: "arm_meets_a_worker_that_goes_to_sleep",
        panics_with: FORGOTTEN,
    },
    Mutant {
        name: "name_after_the_fence",
        wrong: "who arms sees the role taken and no name yet, or an old one, and the new keeper has looked already",
        text: "        self.name.store(ptr::from_ref(worker).cast_mut(), Ordering::Release);\n        fence(Ordering::SeqCst);",
        becomes: "        fence(Ordering::SeqCst);\n        self.name.store(ptr::from_ref(worker).cast_mut(), Ordering::Release);",
        model: "arm_meets_a_worker_that_goes_to_sleep",
        panics_with: FORGOTTEN,
    },
    Mutant {
        name: "earlier_deadline_is_taken_for_later",
        wrong: "the keeper is called for the deadlines that it keeps anyway, and not for those that it would miss",
        text: "until if until <= deadline",
        becomes: "until if until >= deadline",
        model: "arm_meets_a_worker_that_goes_to_sleep",
        panics_with: FORGOTTEN,
    },
    Mutant {
        name: "no_resign_fence",
        wrong: "the keeper looks before its resignation is out: it sees no timer, and who arms sees a keeper",
        text: "        self.until.store(NOBODY, Ordering::Release);\n        fence(Ordering::SeqCst);",
        becomes: "        self.until.store(NOBODY, Ordering::Release);\n",
        model: "arm_meets_a_keeper_that_resigns",
        panics_with: FORGOTTEN,
    },
    Mutant {
        name: "vacancy_is_taken_for_a_keeper",
        wrong: "who arms while nobody keeps leaves it at that",
        text: "NOBODY => Ask::NobodyKeeps,",
        becomes: "NOBODY => Ask::Kept,",
        model: "arm_meets_a_keeper_that_resigns",
        panics_with: FORGOTTEN,
    },
    Mutant {
        name: "two_keepers",
        wrong: "the role is taken by a look and a store: two workers keep, and one of them is never called",
        text: "self.until.compare_exchange(NOBODY, NEVER, Ordering::AcqRel, Ordering::Relaxed).is_err()",
        becomes: "self.until.load(Ordering::Relaxed) != NOBODY || { self.until.store(NEVER, Ordering::Release); false }",
        model: "two_workers_claim",
        panics_with: super::DATA_RACE,
    },
];
