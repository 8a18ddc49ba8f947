//! The clock that every deadline is compared with.
//!
//! Nobody else asks std for the time of a deadline. Timers count in nanoseconds since the first use of this module, so that a deadline
//! fits into one atomic.
//!
//! In a test the clock may be *virtual* (`testing.rs`): it stands still, and jumps when it is told to.

use crate::primitive::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A moment in nanoseconds since the anchor. Never 0, which stands for "nobody" in `keeper.rs`, nor `u64::MAX`, which is [`NEVER`].
pub(crate) type Moment = u64;

/// In the place of a moment: none. Every moment is earlier.
pub(crate) use super::keeper::NEVER;

/// The first moment: whatever lies before the anchor.
const FIRST: Moment = 1;

/// What moments are counted from.
static ANCHOR: OnceLock<Instant> = OnceLock::new();

/// Where a virtual clock stands; 0: the clock is the world's.
static VIRTUAL: AtomicU64 = AtomicU64::new(0);

/// The time.
#[inline]
pub(crate) fn now() -> Instant {
    match VIRTUAL.load(Ordering::Acquire) {
        0 => Instant::now(),
        moment => anchor() + Duration::from_nanos(moment),
    }
}

/// The deadline of a wait of `timeout` that begins now. None, which is no deadline: the clock cannot count that far.
#[inline]
pub(crate) fn deadline_after(timeout: Duration) -> Option<Instant> {
    now().checked_add(timeout)
}

fn anchor() -> Instant {
    *ANCHOR.get_or_init(Instant::now)
}

/// Lets the clock stand still from now on.
pub(crate) fn make_virtual() {
    VIRTUAL.store(moment_of(Instant::now()), Ordering::Release);
}

/// Whether the clock is virtual.
#[inline]
pub(crate) fn is_virtual() -> bool {
    VIRTUAL.load(Ordering::Relaxed) != 0
}

/// Moves a virtual clock on to `moment`. False: that is never.
pub(crate) fn jump(moment: Moment) -> bool {
    if moment == NEVER {
        return false;
    }
    VIRTUAL.fetch_max(moment, Ordering::AcqRel);
    true
}

/// The time, as a moment.
#[inline]
pub(crate) fn moment() -> Moment {
    moment_of(now())
}

/// `instant` as a moment. What is further away than 584 years is moved to there.
#[inline]
pub(crate) fn moment_of(instant: Instant) -> Moment {
    let since = instant.saturating_duration_since(anchor());
    u64::try_from(since.as_nanos()).unwrap_or(NEVER).clamp(FIRST, NEVER - 1)
}

/// The instant of `moment`; None: never.
pub(crate) fn instant_of(moment: Moment) -> Option<Instant> {
    if moment == NEVER { None } else { anchor().checked_add(Duration::from_nanos(moment)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_back_from_moments() {
        let later = now() + Duration::from_nanos(123_456_789);
        assert_eq!(instant_of(moment_of(later)), Some(later));
        assert_eq!(instant_of(NEVER), None);
    }

    #[test]
    fn what_does_not_fit_is_moved_to_the_ends() {
        if let Some(before) = anchor().checked_sub(Duration::from_secs(1)) {
            assert_eq!(moment_of(before), FIRST);
        }
        if let Some(far) = anchor().checked_add(Duration::from_secs(1 << 40)) {
            assert_eq!(moment_of(far), NEVER - 1);
        }
    }
}
