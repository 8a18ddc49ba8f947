//! The mutants of `runtime/src/wait/select.rs`, `runtime/src/wait/commit.rs`, and of what `runtime/src/wait/queue.rs` does for selects.

use super::{DATA_RACE, DEADLOCK, Mutant};

/// What the models say when a branch that gives up finds that it was served.
const LOSER_WAS_SERVED: &str = "handed to a branch that was not chosen";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "chosen_twice",
        wrong: "a select that has been chosen is chosen again, by the counterpart of another branch",
        text: "Err(chosen) => chosen == address,",
        becomes: "Err(chosen) => chosen != ABORTED,",
        model: "one_of_two_branches_is_served",
        panics_with: LOSER_WAS_SERVED,
    },
    Mutant {
        name: "serve_does_not_commit",
        wrong: "a waiter of a select is served as any other, without the commit word",
        text: "commit.is_none() || self.claim_beyond_selects()",
        becomes: "commit.is_none() || commit.is_some()",
        model: "one_of_two_branches_is_served",
        panics_with: LOSER_WAS_SERVED,
    },
    Mutant {
        name: "choice_overlooked",
        wrong: "a select that aborts too late does not notice that it has been chosen",
        text: "Err(chosen) => Abort::Chosen(chosen),",
        becomes: "Err(_) => Abort::InTime,",
        model: "value_is_received_or_left_when_the_deadline_comes",
        panics_with: LOSER_WAS_SERVED,
    },
    Mutant {
        name: "abort_does_not_close",
        wrong: "a select that has aborted is chosen while it gives up",
        text: "compare_exchange(OPEN, ABORTED, ",
        becomes: "compare_exchange(OPEN, OPEN, ",
        model: "value_is_received_or_left_when_the_deadline_comes",
        panics_with: LOSER_WAS_SERVED,
    },
    Mutant {
        name: "word_stays_closed",
        wrong: "a select that waits again after an abort can never be chosen",
        text: "        self.commit.reset();\n",
        becomes: "\n",
        model: "a_select_that_was_woken_for_nothing_is_still_served",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "looks_while_queued",
        wrong: "a select that was woken looks again without having given up: it completes one branch, and is chosen for another",
        text: "        if !self.is_queued {",
        becomes: "        if self.is_queued {",
        model: "value_is_received_or_left_when_the_deadline_comes",
        panics_with: "still queued",
    },
    Mutant {
        name: "lost_waiter_ends_the_search",
        wrong: "a waiter whose select was chosen elsewhere hides the one behind it",
        text: "        while let Some(first) = self.head {",
        becomes: "        if let Some(first) = self.head {",
        model: "one_behind_a_select_is_served",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "lost_waiter_is_not_released",
        wrong: "a waiter that was taken out as lost is used again by its owner, who does not see its links cleared",
        text: "            waiter.state.store(IDLE, Ordering::Release);",
        becomes: "            waiter.state.store(IDLE, Ordering::Relaxed);",
        model: "one_of_two_branches_is_served",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "other_selects_overlooked",
        wrong: "a select that queues does not see that another one waits for it: both wait for ever",
        text: "if !core::ptr::eq(commit, own) && commit.is_open() {",
        becomes: "if false {",
        model: "two_selects_that_face_each_other_meet",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "counts_itself",
        wrong: "a select that sends and receives on one channel takes itself for its counterpart, and tries for ever",
        text: "if !core::ptr::eq(commit, own) && commit.is_open() {",
        becomes: "if commit.is_open() {",
        model: "a_select_does_not_meet_itself",
        panics_with: "exceeded maximum number of branches",
    },
    Mutant {
        name: "dropped_while_queued",
        wrong: "a select that is cut short leaves its waiters in the queues",
        text: "self.branches.iter_mut().for_each(|branch| branch.as_mut().give_up());",
        becomes: "self.branches.iter_mut().for_each(|_| {});",
        model: "a_select_that_is_cut_short_loses_nothing",
        panics_with: "still queued",
    },
];
