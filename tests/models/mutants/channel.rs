//! The mutants of `runtime/src/sync/channel/shared.rs`.

use super::{DEADLOCK, Mutant};

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "close_forgets_the_receivers",
        wrong: "a receiver that waits when the channel is closed waits for ever",
        text: "while let Some(((), waker)) = state.receivers.serve(|_| ()) {",
        becomes: "while let Some(((), waker)) = None::<((), Waker)> {",
        model: "waiting_receiver_is_told_that_the_last_sender_is_gone",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "close_forgets_the_senders",
        wrong: "a sender that waits for room when the channel is closed waits for ever",
        text: "while let Some(((), waker)) = state.senders.serve(|_| ()) {",
        becomes: "while let Some(((), waker)) = None::<((), Waker)> {",
        model: "waiting_sender_is_told_that_the_last_receiver_is_gone",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "close_takes_the_message",
        wrong: "a sender that met the close while it waited is told that its message was sent",
        text: "while let Some(((), waker)) = state.senders.serve(|_| ()) {",
        becomes: "while let Some((_, waker)) = state.senders.serve(Option::take) {",
        model: "message_in_a_slot_meets_the_close",
        panics_with: "sent, and not received",
    },
    Mutant {
        name: "queues_in_a_closed_channel",
        wrong: "a receiver that comes after the close queues: nobody will wake it",
        text: "        if state.is_closed {
            return Poll::Ready(Err(RecvError));",
        becomes: "        if false {
            return Poll::Ready(Err(RecvError));",
        model: "waiting_receiver_is_told_that_the_last_sender_is_gone",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "looks_at_the_close_first",
        wrong: "a receiver of a closed channel leaves the message that was sent before",
        text: "        if let Some((message, waker)) = state.take() {
            drop(state);
            wake(waker);
            return Poll::Ready(Ok(message));",
        becomes: "        if let Some((message, waker)) = (!state.is_closed).then(|| state.take()).flatten() {
            drop(state);
            wake(waker);
            return Poll::Ready(Ok(message));",
        model: "message_in_the_buffer_meets_the_close",
        panics_with: "sent, and not received",
    },
    Mutant {
        name: "sends_after_the_close",
        wrong: "a message is sent into a channel that is closed, after the last receiver has looked",
        text: "            if state.is_closed {
                return Poll::Ready(Err(SendError(message)));",
        becomes: "            if false {
                return Poll::Ready(Err(SendError(message)));",
        model: "message_in_the_buffer_meets_the_close",
        panics_with: "sent, and not received",
    },
    Mutant {
        name: "last_sender_does_not_close",
        wrong: "the last sender is gone, and the receivers are not told",
        text: "if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {",
        becomes: "if self.senders.fetch_sub(1, Ordering::AcqRel) == 0 {",
        model: "waiting_receiver_is_told_that_the_last_sender_is_gone",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "receive_wakes_no_sender",
        wrong: "the message of a waiting sender is taken, and the sender is not woken",
        text: "        if let Some((message, waker)) = state.take() {
            drop(state);
            wake(waker);",
        becomes: "        if let Some((message, _)) = state.take() {
            drop(state);
            wake(None);",
        model: "room_is_passed_on",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "gives_up_with_its_message",
        wrong: "a receiver whose deadline comes with the message takes that along",
        text: "            let waker = self.lock().put(message, VecDeque::push_front);",
        becomes: "            let waker = { let _ = message; None };",
        model: "one_that_gives_up_meets_the_close",
        panics_with: "sent or not, and received or not",
    },
    Mutant {
        name: "gives_up_without_a_wake",
        wrong: "the message goes to the next receiver, and nobody tells it",
        text: "            let waker = self.lock().put(message, VecDeque::push_front);
            wake(waker);",
        becomes: "            let waker = self.lock().put(message, VecDeque::push_front);
            drop(waker);",
        model: "message_of_one_that_gives_up_goes_to_the_next",
        panics_with: DEADLOCK,
    },
    Mutant {
        name: "gives_back_to_the_end",
        wrong: "a message that comes back is overtaken by those sent after it",
        text: "            let waker = self.lock().put(message, VecDeque::push_front);",
        becomes: "            let waker = self.lock().put(message, VecDeque::push_back);",
        model: "message_of_one_that_gives_up_stays_in_front",
        panics_with: "out of order",
    },
    Mutant {
        name: "messages_outlive_the_last_receiver",
        wrong: "what nobody can receive is kept as long as there is a sender",
        text: "            let left = mem::take(&mut self.lock().messages);",
        becomes: "            let left = VecDeque::<T>::new();",
        model: "waiting_sender_is_told_that_the_last_receiver_is_gone",
        panics_with: "kept for nobody",
    },
];
