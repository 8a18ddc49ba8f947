//! The mutants of `runtime/src/wait/queue.rs`.

use super::{DATA_RACE, DEADLOCK, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "serve_does_not_release",
        wrong: "the waiter is told that it is served, and does not see the value in its slot",
        text: "waiter.state.store(SERVED, Ordering::Release);",
        becomes: "waiter.state.store(SERVED, Ordering::Relaxed);",
        model: "value_is_handed_over",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "served_before_the_last_touch",
        wrong: "the waiter is told that it is served while its links are still in use",
        text: "        self.unlink(waiter);
        // The last touch: from here on the waiter may be gone.
        waiter.state.store(SERVED, Ordering::Release);",
        becomes: "        waiter.state.store(SERVED, Ordering::Release);
        // The last touch: from here on the waiter may be gone.
        self.unlink(waiter);",
        model: "value_is_handed_over",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "gives_up_without_a_look",
        wrong: "a waiter that has been served gives up all the same: the value in its slot is lost",
        text: "if waiter.is_served() {",
        becomes: "if false {",
        model: "value_is_received_or_left",
        panics_with: "gave up, and was served",
    },
    Mutant {
        name: "queued_waiter_counts_as_served",
        wrong: "a waiter that gives up in time is told that it has been served",
        text: "        GaveUp::InTime\n",
        becomes: "        GaveUp::Served\n",
        model: "value_is_received_or_left",
        panics_with: "served without a value",
    },
    Mutant {
        name: "tail_left_behind",
        wrong: "the queue's end still points to a waiter that has left: the next one is linked to that, which is not the queue's any more",
        text: "None => self.tail = before,",
        becomes: "None => {}",
        model: "every_receiver_is_served",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "neighbour_left_behind",
        wrong: "one that gives up between two others takes those behind it along",
        text: "Some(before) => before.as_ref().inner.with_mut(|b| (*b).after = after),",
        becomes: "Some(before) => before.as_ref().inner.with_mut(|b| (*b).after = None),",
        model: "neighbours_of_one_that_gives_up_are_served_in_order",
        panics_with: "not the next",
    },
    Mutant {
        name: "last_come_first_served",
        wrong: "the order is turned round: the first may wait for ever",
        text: "let first = self.head?;",
        becomes: "let first = self.tail?;",
        model: "neighbours_of_one_that_gives_up_are_served_in_order",
        panics_with: "not the first",
    },
    Mutant {
        name: "new_waker_ignored",
        wrong: "the old waker is called, to which nobody listens any more",
        text: "unsafe { (*inner).waker.replace(waker) }",
        becomes: "unsafe { (*inner).waker.as_ref().map(|_| waker) }",
        model: "new_waker_is_called",
        panics_with: DEADLOCK,
    },
];
