//! Ticks at regular times, and what becomes of those that were missed.

use super::Sleep;
use crate::driver::clock;
use crate::wait::{What, wait};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Ticks every `period`, the first time at once.
///
/// # Panics
/// If `period` is zero.
///
/// # Examples
/// ```
/// use greenbridge_runtime::time;
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// greenbridge_runtime::run(|| {
///     let period = Duration::from_millis(1);
///     let mut interval = time::interval(period);
///     let first = interval.tick();
///     assert_eq!(interval.tick(), first + period);
///     assert!(time::now() >= first + period);
/// });
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(clock::now(), period)
}

/// Ticks every `period`, the first time at `start`.
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "the period of an interval must not be zero");
    Interval { period, missed: MissedTicks::Burst, sleep: Sleep::until(Some(start)) }
}

/// What an [`Interval`] does after a tick that came so late that the next one was due as well.
///
/// A tick that is merely late does not move the ones after it. (tokio's `MissedTickBehavior` calls a tick missed when it is five milliseconds
/// late; here it is missed when a whole period has gone by.)
///
/// ```text
///   on time  │ 1      2      3      4      5      6
///   work     │ ──  ─────────────────── ...
///   Burst    │ 1   2                   345     6        as many ticks as periods
///   Delay    │ 1   2                   3      4         a period after the late one
///   Skip     │ 1   2                   3   4      5     in the old rhythm, without the missed ones
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTicks {
    /// The missed ticks follow at once, until it has caught up.
    #[default]
    Burst,
    /// The next tick comes a whole period after the late one, and the others after that.
    Delay,
    /// The missed ticks are left out; the next one comes when it would have come anyway.
    Skip,
}

impl MissedTicks {
    /// When the tick after `tick` comes, which was taken at `now`. None: never.
    fn after(self, tick: Instant, now: Instant, period: Duration) -> Option<Instant> {
        let next = tick.checked_add(period)?;
        if now < next {
            return Some(next);
        }
        match self {
            MissedTicks::Burst => Some(next),
            MissedTicks::Delay => now.checked_add(period),
            MissedTicks::Skip => {
                let into_period = (now - tick).as_nanos() % period.as_nanos();
                let into_period = Duration::new(
                    u64::try_from(into_period / 1_000_000_000).ok()?,
                    u32::try_from(into_period % 1_000_000_000).ok()?,
                );
                now.checked_add(period - into_period)
            }
        }
    }
}

/// Ticks at regular times: made by [`interval()`].
///
/// # Cancellation
/// A tick that is given up has not been taken: it comes again.
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    missed: MissedTicks,
    /// Until the next tick.
    sleep: Sleep,
}

impl Interval {
    /// The same, with another way to treat ticks that were missed. The default is [`MissedTicks::Burst`].
    #[must_use]
    pub fn missed_ticks(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// Waits for the next tick, and returns the moment at which it was due.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait; and if it would have to wait and the runtime has not been started.
    #[inline(never)]
    #[track_caller]
    pub fn tick(&mut self) -> Instant {
        wait(What::Time, |context| self.poll_tick(context))
    }

    /// As [`tick`](Self::tick), as a future.
    pub fn tick_async(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// Looks whether the next tick has come, and takes it; else wakes the task of `context` when it has.
    pub fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.sleep).poll(context));
        let Some(tick) = self.sleep.deadline() else { return Poll::Pending };
        self.sleep.move_to(self.missed.after(tick, clock::now(), self.period));
        Poll::Ready(tick)
    }

    /// The next tick comes a period from now.
    pub fn reset(&mut self) {
        self.sleep.move_to(clock::deadline_after(self.period));
    }

    /// The next tick comes at `deadline`, and the others after that.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.sleep.reset(deadline);
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}

/// The future of a tick: made by [`Interval::tick_async`].
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Instant> {
        self.interval.poll_tick(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    #[test]
    fn a_tick_that_is_merely_late_moves_nothing() {
        let tick = clock::now();
        for late in [0, 1, 9] {
            for missed in [MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip] {
                let next = missed.after(tick, tick + Duration::from_millis(late), PERIOD);
                assert_eq!(next, Some(tick + PERIOD), "{missed:?}");
            }
        }
    }

    #[test]
    fn the_three_ways_to_treat_missed_ticks() {
        let tick = clock::now();
        for late in [10, 25, 30] {
            let now = tick + Duration::from_millis(late);
            assert_eq!(MissedTicks::Burst.after(tick, now, PERIOD), Some(tick + PERIOD));
            assert_eq!(MissedTicks::Delay.after(tick, now, PERIOD), Some(now + PERIOD));
            let next = tick + Duration::from_millis(late / 10 * 10 + 10);
            assert_eq!(MissedTicks::Skip.after(tick, now, PERIOD), Some(next));
        }
    }

    #[test]
    fn a_tick_beyond_the_clock_never_comes() {
        let tick = clock::now();
        assert_eq!(MissedTicks::Burst.after(tick, tick, Duration::MAX), None);
    }
}
