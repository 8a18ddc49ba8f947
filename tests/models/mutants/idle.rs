//! The mutants of `runtime/src/scheduler/idle.rs`.

use super::Mutant;

/// What every lost piece of work looks like.
const LEFT: &str = "work is left while a processor is idle";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "no_push_fence",
        wrong: "the pusher looks before its push is out: it sees nobody idle, and the worker's re-check misses the push",
        text: "        fence(Ordering::SeqCst);\n        let counts",
        becomes: "\n        let counts",
        model: "push_meets_a_worker_that_goes_idle",
        panics_with: LEFT,
    },
    Mutant {
        name: "no_idle_fence",
        wrong: "the same, from the side of the worker",
        text: "        }\n        fence(Ordering::SeqCst);",
        becomes: "        }\n",
        model: "push_meets_a_worker_that_goes_idle",
        panics_with: LEFT,
    },
    Mutant {
        name: "searcher_not_uncounted",
        wrong: "a searcher that goes idle still counts as searching: later pushes leave their work to it",
        text: "if was == Role::Searching { ONE_SEARCHING } else { 0 }",
        becomes: "0",
        model: "push_meets_a_worker_that_goes_idle",
        panics_with: "somebody counts as searching",
    },
    Mutant {
        name: "announced_in_two_steps",
        wrong: "a searcher is counted as idle first and as searching still: a push between the two is left to it, after its last look",
        text: "self.word.fetch_add(ONE_IDLE.wrapping_sub(searching), Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);",
        becomes: "self.word.fetch_add(ONE_IDLE, Ordering::SeqCst); drop(list);
        fence(Ordering::SeqCst);
        self.word.fetch_sub(searching, Ordering::SeqCst); }",
        model: "push_meets_a_worker_that_goes_idle",
        panics_with: LEFT,
    },
    Mutant {
        name: "nobody_is_woken",
        wrong: "the wake-up of a push is dropped",
        text: "if counts.idle() == 0 || counts.searching() > 0 { None } else { self.claim() }",
        becomes: "None",
        model: "push_meets_a_worker_that_goes_idle",
        panics_with: "somebody counts as searching",
    },
    Mutant {
        name: "last_searcher_wakes_nobody",
        wrong: "the chain breaks: what was left to the searcher stays",
        text: "if before.searching() == 1 { Stopped::MustWakeOne } else { Stopped::OthersSearch }",
        becomes: "{ let _ = before; Stopped::OthersSearch }",
        model: "last_searcher_wakes_another",
        panics_with: LEFT,
    },
    Mutant {
        name: "withdraws_without_a_look",
        wrong: "what was left to the claimer stays (Go issue 45867)",
        text: "counts = Counts(self.word.fetch_sub(ONE_SEARCHING, Ordering::SeqCst) - ONE_SEARCHING);",
        becomes: "self.word.fetch_sub(ONE_SEARCHING, Ordering::SeqCst); return None;",
        model: "claim_that_finds_no_processor_looks_again",
        panics_with: LEFT,
    },
    Mutant {
        name: "withdraws_with_an_old_look",
        wrong: "the claimer looks first and withdraws then: a worker that goes idle in between is not seen",
        text: "counts = Counts(self.word.fetch_sub(ONE_SEARCHING, Ordering::SeqCst) - ONE_SEARCHING);",
        becomes: "counts = Counts(self.word.load(Ordering::SeqCst) - ONE_SEARCHING); self.word.fetch_sub(ONE_SEARCHING, Ordering::SeqCst);",
        model: "claim_that_finds_no_processor_looks_again",
        panics_with: LEFT,
    },
    Mutant {
        name: "claim_not_withdrawn",
        wrong: "the claimer that found no processor still counts as searching",
        text: "counts = Counts(self.word.fetch_sub(ONE_SEARCHING, Ordering::SeqCst) - ONE_SEARCHING);",
        becomes: "return None;",
        model: "claim_that_finds_no_processor_looks_again",
        panics_with: "somebody counts as searching",
    },
];
