//! Whether a read lets others go first, because there will be something to read by then.
//!
//! Who has sent and reads at once mostly finds nothing: the peer has not had its turn yet. That read costs a system call, a wait and an event. If the
//! peer is a green thread of this process, or answers soon, it is better to go to the back of the run queue first. Whether that
//! pays is learned from what it has come to before:
//!
//! | so far | the next read |
//! |---|---|
//! | none has had to wait | is tried at once |
//! | the last had to wait | fetches events, so that those whom they wake go first, goes to the back of the queue, and is tried |
//! | the last was let go to the back, and had something to read | goes to the back, and is tried: the peer is in the queue, too |
//! | it went to the back, and had to wait all the same | again the second; if that is as wrong, 1 is tried at once before the next guess, then 3, 7, and at last 63 |
//!
//! In a round trip between two green threads neither side waits then, and no event is fetched: two sends and two receives are all its system
//! calls. A peer that takes long costs one turn in 64 reads.
//!
//! It is a guess, and nothing rests on it: two that read the same file may confuse it.

use crate::primitive::{AtomicU32, Ordering};
use core::fmt;

/// So many reads are tried at once, after guesses that were wrong.
const LONGEST_PAUSE: u8 = 63;

/// What a read does before it is tried.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Nothing.
    Try,
    /// It goes to the back of the run queue.
    LetOthersGo,
    /// It fetches events, and then the same.
    FetchAndLetOthersGo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    phase: Phase,
    /// Reads that are tried at once before the next guess.
    pause: u8,
    /// The pause after the next wrong guess.
    next_pause: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// No read has had to wait.
    Ready = 0,
    /// The last one had to.
    Waited = 1,
    /// The last one was let go to the back.
    Guessed = 2,
}

/// What the reads of a file have come to.
pub(crate) struct Expectation {
    word: AtomicU32,
}

impl Expectation {
    /// Of a file that nobody has read.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(0) }
    }

    /// Before a read is tried.
    #[inline]
    pub(crate) fn advise(&self) -> Advice {
        match self.word.load(Ordering::Relaxed) {
            0 => Advice::Try,
            word => self.guess(State::unpack(word)),
        }
    }

    fn guess(&self, state: State) -> Advice {
        let (next, advice) = match state {
            State { pause: 1.., .. } => (State { pause: state.pause - 1, ..state }, Advice::Try),
            State { phase: Phase::Ready, .. } => (state, Advice::Try),
            State { phase: Phase::Waited, .. } => {
                (State { phase: Phase::Guessed, ..state }, Advice::FetchAndLetOthersGo)
            }
            // It has not had to wait since.
            State { phase: Phase::Guessed, .. } => (State { next_pause: 0, ..state }, Advice::LetOthersGo),
        };
        self.word.store(next.pack(), Ordering::Relaxed);
        advice
    }

    /// The read that was tried must wait.
    pub(crate) fn must_wait(&self) {
        let state = State::unpack(self.word.load(Ordering::Relaxed));
        let next = match state.phase {
            Phase::Guessed => {
                let next_pause = (2 * state.next_pause + 1).min(LONGEST_PAUSE);
                State { phase: Phase::Waited, pause: state.next_pause, next_pause }
            }
            Phase::Ready | Phase::Waited => State { phase: Phase::Waited, ..state },
        };
        self.word.store(next.pack(), Ordering::Relaxed);
    }
}

impl State {
    const fn pack(self) -> u32 {
        u32::from_le_bytes([self.phase as u8, self.pause, self.next_pause, 0])
    }

    const fn unpack(word: u32) -> Self {
        let [phase, pause, next_pause, _] = word.to_le_bytes();
        let phase = match phase {
            0 => Phase::Ready,
            1 => Phase::Waited,
            _ => Phase::Guessed,
        };
        Self { phase, pause, next_pause }
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        State::unpack(self.word.load(Ordering::Relaxed)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_that_never_wait_are_tried_at_once() {
        let reads = Expectation::new();
        assert!((0..100).all(|_| reads.advise() == Advice::Try));
    }

    #[test]
    fn where_the_guess_is_right_no_more_events_are_fetched() {
        let reads = Expectation::new();
        assert_eq!(reads.advise(), Advice::Try);
        reads.must_wait();
        assert_eq!(reads.advise(), Advice::FetchAndLetOthersGo);
        assert!((0..100).all(|_| reads.advise() == Advice::LetOthersGo));
    }

    #[test]
    fn where_the_guess_is_wrong_it_becomes_rare() {
        let reads = Expectation::new();
        let guesses = (0..1000).filter(|_| {
            let advice = reads.advise();
            reads.must_wait();
            advice != Advice::Try
        });
        // The second, the third, the fifth and so on up to the 129th, and then one of 64.
        assert_eq!(guesses.count(), 8 + (1000 - 129) / 64);
    }

    #[test]
    fn one_right_guess_makes_the_pauses_short_again() {
        let reads = Expectation::new();
        for _ in 0..200 {
            let _ = reads.advise();
            reads.must_wait();
        }
        while reads.advise() == Advice::Try {}
        assert_eq!(reads.advise(), Advice::LetOthersGo);
        reads.must_wait();
        assert_eq!(reads.advise(), Advice::FetchAndLetOthersGo);
        reads.must_wait();
        assert_eq!(reads.advise(), Advice::Try);
        assert_eq!(reads.advise(), Advice::FetchAndLetOthersGo);
    }
}
