//! A coarse clock that costs a load to read: how long a green thread has waited, for dumps.
//!
//! Nobody reads the world's clock to park. What is stamped into a green thread is [`NOW`], which is brought up to date by those who have time:
//!
//! | who | when |
//! |---|---|
//! | a worker | when it goes to sleep, and when it is up again |
//! | a busy worker | about every 256 turns, when it looks at the timers (`time.rs`) |
//! | the monitor | at each of its looks |
//!
//! So where many turns are made the clock is right to its unit of 8 ms, and while nobody runs nobody parks. It lags only behind a turn that
//! lasts long while all other processors are idle. What was stamped then is older than it seems to be by the length of that turn; so whoever brings the clock
//! up to date by more than [`GAP`] remembers the jump, and a stamp from its beginning is read as one from its end: "at least so long".

use crate::primitive::{AtomicU32, Mutex, Ordering, lock};
use core::mem::MaybeUninit;
use crossbeam_utils::CachePadded;
use std::collections::VecDeque;
use std::time::Duration;

/// A unit is 2^23 nanoseconds, 8.4 ms: 32 bits of them are more than a year.
const SHIFT: u32 = 23;
/// Jumps of more units than this are remembered.
const GAP: u32 = 6;
/// The most jumps that are remembered.
const GAPS: usize = 256;

/// On a line of its own: every park reads it, and it is written a hundred times a second at most.
static NOW: CachePadded<AtomicU32> = CachePadded::new(AtomicU32::new(0));

/// Jumps: from, to.
static JUMPS: Mutex<VecDeque<(u32, u32)>> = Mutex::new(VecDeque::new());

/// A moment on the coarse clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) u32);

/// The moment, as it was when the clock was last brought up to date.
#[inline(always)]
pub(crate) fn stamp() -> Stamp {
    Stamp(NOW.load(Ordering::Relaxed))
}

/// Brings the clock up to date. It costs a few nanoseconds, and no system call.
#[inline]
pub(crate) fn tick() {
    let now = read();
    if now != NOW.load(Ordering::Relaxed) {
        advance(now);
    }
}

#[cold]
fn advance(now: u32) {
    let before = NOW.fetch_max(now, Ordering::Relaxed);
    if before != 0 && now.saturating_sub(before) > GAP {
        let mut jumps = lock(&JUMPS);
        if jumps.len() == GAPS {
            jumps.pop_front();
        }
        jumps.push_back((before, now));
    }
}

/// How old stamps are, seen from one moment.
#[derive(Debug)]
pub(crate) struct Ages {
    now: u32,
    jumps: VecDeque<(u32, u32)>,
}

impl Ages {
    /// Seen from now.
    pub(crate) fn now() -> Self {
        tick();
        Self { now: read(), jumps: lock(&JUMPS).clone() }
    }

    /// How long ago `stamp` was made, at least.
    pub(crate) fn of(&self, stamp: Stamp) -> Duration {
        let jumped = self.jumps.iter().find(|&&(from, _)| from == stamp.0).map_or(stamp.0, |&(_, to)| to);
        Duration::from_nanos(u64::from(self.now.saturating_sub(jumped)) << SHIFT)
    }
}

/// The world's clock, as the kernel last wrote it down. Never 0.
fn read() -> u32 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the pointer is valid; a kernel without this clock leaves zeroes.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr());
        time.assume_init()
    };
    let nanoseconds = time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned();
    // The upper bits go round once in a year of uptime.
    ((nanoseconds >> SHIFT) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_from_before_a_jump_counts_from_its_end() {
        let ages = Ages { now: 1000, jumps: VecDeque::from([(100, 900), (950, 980)]) };
        let units = |units: u64| Duration::from_nanos(units << SHIFT);
        assert_eq!(ages.of(Stamp(100)), units(100));
        assert_eq!(ages.of(Stamp(99)), units(901));
        assert_eq!(ages.of(Stamp(950)), units(20));
        assert_eq!(ages.of(Stamp(1001)), Duration::ZERO);
    }
}
