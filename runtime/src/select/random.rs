//! Random numbers for the order in which a select looks at its branches.

use crate::primitive::{AtomicU64, Ordering};
use crate::scheduler::current;
use crate::testing;
use crossbeam_utils::CachePadded;

/// How many sequences there are. Workers use them in turn, so that two of them seldom write the same cache line.
const SEQUENCES: usize = 16;

static STATES: [CachePadded<AtomicU64>; SEQUENCES] =
    [const { CachePadded::new(AtomicU64::new(0x9E37_79B9_7F4A_7C15)) }; SEQUENCES];

/// The sequence of the OS thread that calls.
#[inline(never)]
pub(super) fn sequence() -> &'static AtomicU64 {
    &STATES[current::worker().map_or(0, |worker| worker.index) % SEQUENCES]
}

/// The next number of the sequence, or, in virtual time, of the run. Two OS threads that draw at once may get the same one, which hurts nobody.
#[inline]
pub(super) fn next(sequence: &AtomicU64) -> u32 {
    if let Some(number) = testing::run::below(1 << 32) {
        return number as u32;
    }
    let mut state = sequence.load(Ordering::Relaxed);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    sequence.store(state, Ordering::Relaxed);
    // The upper half is the better one.
    (state >> 32) as u32
}
