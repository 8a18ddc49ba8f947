//! The mutants of `bridge/src/capi/owed.rs`.

use super::{DATA_RACE, DEADLOCK, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "owe_does_not_release",
        wrong: "who is notified does not see what the notifier did before, if another one had pushed the event",
        text: "link.owed.fetch_add(1, Ordering::AcqRel) != 0",
        becomes: "link.owed.fetch_add(1, Ordering::Acquire) != 0",
        model: "two_notifications_of_one_event_are_both_made",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "settle_does_not_acquire",
        wrong: "the same, from the side of the relay",
        text: "self.owed.swap(0, Ordering::AcqRel)",
        becomes: "self.owed.swap(0, Ordering::Release)",
        model: "two_notifications_of_one_event_are_both_made",
        panics_with: DATA_RACE,
    },
    Mutant {
        name: "push_does_not_release",
        wrong: "the relay takes an event and does not see its link: the rest of the list is lost",
        text: "compare_exchange(head, event, Ordering::Release, Ordering::Relaxed)",
        becomes: "compare_exchange(head, event, Ordering::Relaxed, Ordering::Relaxed)",
        model: "two_events_are_both_notified",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "take_before_hear",
        wrong: "a push between the two rings a bell that the relay takes for the old one: it sleeps on it",
        text: "let bell = self.bell.load(Ordering::Acquire);
        let head = self.head.swap(ptr::null_mut(), Ordering::Acquire);",
        becomes: "let head = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        let bell = self.bell.load(Ordering::Acquire);",
        model: "two_notifications_of_one_event_are_both_made",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "bell_does_not_ring",
        wrong: "the wake-up finds a relay that is about to sleep, and is lost",
        text: "self.bell.fetch_add(1, Ordering::Release);",
        becomes: "self.bell.fetch_add(0, Ordering::Release);",
        model: "two_notifications_of_one_event_are_both_made",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "nobody_wakes",
        wrong: "the relay sleeps on",
        text: "Owed::MustWake
    }",
        becomes: "Owed::Counted
    }",
        model: "two_notifications_of_one_event_are_both_made",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "everyone_pushes",
        wrong: "an event that is in the list already is pushed again, and its link is overwritten",
        text: "link.owed.fetch_add(1, Ordering::AcqRel) != 0",
        becomes: "link.owed.fetch_add(1, Ordering::AcqRel) > 7",
        model: "two_notifications_of_one_event_are_both_made",
        panics_with: "twice",
    },
    Mutant {
        name: "settle_in_two_steps",
        wrong: "what is owed between the look and the emptying is lost",
        text: "let owed = self.owed.swap(0, Ordering::AcqRel);",
        becomes: "let owed = self.owed.load(Ordering::Acquire); self.owed.store(0, Ordering::Release);",
        model: "two_notifications_of_one_event_are_both_made",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "next_after_settle",
        wrong: "the event is pushed again before its link is read: the rest of the list is lost",
        text: "let next = self.next.load(Ordering::Relaxed);
        let owed = self.owed.swap(0, Ordering::AcqRel);",
        becomes: "let owed = self.owed.swap(0, Ordering::AcqRel);
        let next = self.next.load(Ordering::Relaxed);",
        model: "event_that_is_notified_while_it_is_settled_loses_nothing",
        panics_with: DEADLOCK,
    },
];
