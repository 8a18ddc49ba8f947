//! The mutants of `runtime/src/sync/permits.rs`.

use super::{DATA_RACE, DEADLOCK, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "release_does_not_release",
        wrong: "whoever takes the permit from the word does not see what was done before it was given back",
        text: "word + more * ONE, Ordering::Release, Ordering::Relaxed)",
        becomes: "word + more * ONE, Ordering::Relaxed, Ordering::Relaxed)",
        model: "one_permit_lets_one_in_at_a_time",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "take_does_not_acquire",
        wrong: "the same, seen from the other side",
        text: "word - needs * ONE, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Attempt::Taken,",
        becomes: "word - needs * ONE, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Attempt::Taken,",
        model: "one_permit_lets_one_in_at_a_time",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "queueing_does_not_acquire",
        wrong: "a permit that lay in the word is handed on without what was done before it was given back",
        text: "match self.word.compare_exchange_weak(word, becomes, Ordering::Acquire, Ordering::Acquire) {",
        becomes: "match self.word.compare_exchange_weak(word, becomes, Ordering::Relaxed, Ordering::Relaxed) {",
        model: "two_releases_serve_one_that_needs_both",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "serve_does_not_release",
        wrong: "what is left in the word when the queue is empty comes without what was done before",
        text: "self.word.store((free * ONE) | waited_for, Ordering::Release);",
        becomes: "self.word.store((free * ONE) | waited_for, Ordering::Relaxed);",
        model: "permit_left_by_one_that_gave_up_comes_with_what_was_written",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "release_ignores_who_waits",
        wrong: "a lost wake-up: the permit goes to the word, where whoever waits does not look",
        text: "            if Snapshot(word).is_waited_for() {
                return false;",
        becomes: "            if false {
                return false;",
        model: "released_permit_reaches_who_queues",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "queues_unannounced",
        wrong: "a lost wake-up: a release between the look and the queue does not learn that somebody waits",
        text: "(word | WAITED_FOR, Attempt::MustWait)",
        becomes: "(word, Attempt::MustWait)",
        model: "released_permit_reaches_who_queues",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "served_waiter_keeps_what_it_gave_up",
        wrong: "a waiter that gives up after it was served takes its permits along",
        text: "self.release(waiter.slot().needs);",
        becomes: "let _ = waiter.slot().needs;",
        model: "permit_of_one_that_gives_up_reaches_the_next",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "unserved_waiter_gives_back",
        wrong: "over-issue: a waiter that gives up gives back what it has never had",
        text: "let wakers = self.serve(&mut queue, 0);",
        becomes: "let wakers = self.serve(&mut queue, 1);",
        model: "permit_of_one_that_gives_up_reaches_the_next",
        panics_with: "not as many as at first",
    },
    Mutant {
        name: "leaves_without_a_look_behind",
        wrong: "a lost wake-up: the one behind a waiter that gives up needs less than is free, and nobody tells it",
        text: "                let wakers = self.serve(&mut queue, 0);
                drop(queue);
                return wakers.wake();",
        becomes: "                drop(queue);

                return;",
        model: "one_that_gives_up_lets_those_behind_it_pass",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "word_is_open_to_all",
        wrong: "overtaking: a late one takes what is kept for one that needs more",
        text: "if seen.is_waited_for() || seen.free() < needs {
                return Attempt::MustWait;",
        becomes: "if seen.free() < needs {
                return Attempt::MustWait;",
        model: "large_request_is_not_overtaken",
        panics_with: "overtaken",
    },
    Mutant {
        name: "queue_is_jumped",
        wrong: "overtaking, under the lock",
        text: "let (becomes, attempt) = if seen.is_waited_for() || seen.free() < needs {",
        becomes: "let (becomes, attempt) = if seen.free() < needs {",
        model: "large_request_is_not_overtaken",
        panics_with: "overtaken",
    },
    Mutant {
        name: "served_for_nothing",
        wrong: "over-issue: what was handed over stays among the free ones",
        text: "free -= first.needs;",
        becomes: "let _ = first.needs;",
        model: "two_releases_serve_one_that_needs_both",
        panics_with: "a permit too many",
    },
    Mutant {
        name: "served_without_enough",
        wrong: "over-issue: the first is served with what there is",
        text: "let mut free = seen.free() + returned;
        while let Some(first) = queue.first().filter(|first| first.needs <= free) {
            free -= first.needs;",
        becomes: "let mut free = seen.free() + returned;
        while let Some(first) = queue.first().filter(|_| free > 0) {
            free -= first.needs.min(free);",
        model: "two_releases_serve_one_that_needs_both",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "flag_left_behind",
        wrong: "the queue is empty and the word says otherwise: nobody gets a permit by the word again",
        text: "let waited_for = if queue.is_empty() { 0 } else { WAITED_FOR };",
        becomes: "let waited_for = WAITED_FOR;",
        model: "one_that_gives_up_lets_those_behind_it_pass",
        panics_with: "the flag is left behind",
    },
    Mutant {
        name: "close_tells_nobody",
        wrong: "who waits when it is closed waits for ever",
        text: "let wakers = queue.serve_all(|request| request.answer = Answer::Closed);",
        becomes: "let wakers: Vec<Waker> = Vec::new();",
        model: "close_reaches_who_queues",
        panics_with: DEADLOCK,
    },
];
