//! How long green threads wait from ready to running: a histogram of samples.
//!
//! Every 64th time that a green thread becomes ready (by a wake, or by being spawned) the moment is noted in its control block, and its next
//! turn puts the difference into the histogram of its worker. That costs each wake a subtraction and each turn a comparison, on lines that are
//! in cache already, and each sample two looks at the clock. A green thread that yields, and one that finds that it has been woken before it
//! could park, is not sampled.

use super::count::Count;
use crate::driver::clock::{self, Moment};
use core::cell::Cell;
use std::time::Duration;

/// How many buckets there are.
const BUCKETS: usize = 32;
/// The first bucket is for what is shorter than two to the power of this, in nanoseconds; each further one is twice as long.
const FIRST: u32 = 6;
/// Every so many times that a green thread becomes ready are sampled.
const EVERY: u32 = 64;
/// What samples are measured in, in nanoseconds.
const UNIT: u64 = 16;

/// What a green thread knows of its samples: up to [`EVERY`], how often it must become ready until the next one; beyond that, when it became
/// ready. It belongs to whoever holds the `Ready`.
///
/// Four bytes, which the control block has to spare.
#[derive(Debug)]
pub(crate) struct Stamp(Cell<u32>);

impl Stamp {
    /// That of the green thread `id`: of 64 new ones, one is sampled.
    #[inline(always)]
    pub(crate) const fn new(id: u64) -> Self {
        Self(Cell::new(id as u32 % EVERY + 1))
    }

    /// It becomes ready. Before it is published.
    #[inline(always)]
    pub(crate) fn is_ready(&self) {
        self.0.set(self.0.get().wrapping_sub(1));
        if self.0.get() == 0 {
            self.sample();
        }
    }

    #[cold]
    #[inline(never)]
    fn sample(&self) {
        self.0.set(units(clock::moment()).max(EVERY + 2));
    }

    /// It runs, on the worker with these `latencies`.
    #[inline(always)]
    pub(crate) fn runs(&self, latencies: &Latencies) {
        if self.0.get() > EVERY {
            latencies.add(self.0.replace(EVERY));
        }
    }
}

/// A moment in units of [`UNIT`]; what is further apart than 68 s is taken for less.
const fn units(moment: Moment) -> u32 {
    (moment / UNIT) as u32
}

/// The samples of a worker.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    buckets: [Count; BUCKETS],
    nanoseconds: Count,
}

impl Latencies {
    #[cold]
    #[inline(never)]
    fn add(&self, ready: u32) {
        let nanoseconds = u64::from(units(clock::moment()).wrapping_sub(ready)) * UNIT;
        self.buckets[bucket(nanoseconds)].one();
        self.nanoseconds.add(nanoseconds);
    }
}

/// Which bucket is for `nanoseconds`.
fn bucket(nanoseconds: u64) -> usize {
    let bits = u64::BITS - (nanoseconds >> FIRST).leading_zeros();
    (bits as usize).min(BUCKETS - 1)
}

/// Durations, counted in buckets that double in length: below 64 ns, below 128 ns, and so on to 69 s, and one for all that is longer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    nanoseconds: u64,
}

impl Histogram {
    /// Adds the samples of a worker.
    pub(super) fn add(&mut self, latencies: &Latencies) {
        for (sum, count) in self.buckets.iter_mut().zip(&latencies.buckets) {
            *sum += count.read();
        }
        self.nanoseconds += latencies.nanoseconds.read();
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }

    /// The buckets: how many durations were shorter than the bound of this bucket, and not than that of the one before. The last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        self.buckets.iter().enumerate().map(|(index, &count)| (bound(index), count))
    }

    /// A bound below which the share `part` of the durations lie, `part` being from 0 to 1: 0.99 for all but the longest hundredth. It is at
    /// most twice too high. None: there are none, or it lies beyond the last bound.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let wanted = part.clamp(0.0, 1.0) * self.count() as f64;
        let mut sum = 0;
        let (index, _) = self.buckets.iter().enumerate().find(|&(_, &count)| {
            sum += count;
            count > 0 && sum as f64 >= wanted
        })?;
        bound(index)
    }

    /// What has come after `earlier`, a histogram of the same program.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut later = self.clone();
        for (count, before) in later.buckets.iter_mut().zip(&earlier.buckets) {
            *count = count.saturating_sub(*before);
        }
        later.nanoseconds = later.nanoseconds.saturating_sub(earlier.nanoseconds);
        later
    }
}

/// What durations of the bucket `index` are shorter than.
fn bound(index: usize) -> Option<Duration> {
    (index < BUCKETS - 1).then(|| Duration::from_nanos(1 << (FIRST as usize + index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &nanoseconds in durations {
            histogram.buckets[bucket(nanoseconds)] += 1;
            histogram.nanoseconds += nanoseconds;
        }
        histogram
    }

    #[test]
    fn each_duration_is_below_the_bound_of_its_bucket_and_not_of_the_one_before() {
        for nanoseconds in [0, 1, 63, 64, 65, 127, 128, 1_000_000, (1 << 36) - 1, 1 << 36, u64::MAX] {
            let index = bucket(nanoseconds);
            let duration = Duration::from_nanos(nanoseconds);
            assert!(bound(index).is_none_or(|bound| duration < bound), "{nanoseconds}");
            assert!(index == 0 || bound(index - 1).is_some_and(|bound| duration >= bound), "{nanoseconds}");
        }
    }

    #[test]
    fn quantiles_are_bounds_of_buckets() {
        let histogram = of(&[10, 70, 70, 1000]);
        assert_eq!((histogram.count(), histogram.sum()), (4, Duration::from_nanos(1150)));
        assert_eq!(histogram.quantile(0.0), Some(Duration::from_nanos(64)));
        assert_eq!(histogram.quantile(0.5), Some(Duration::from_nanos(128)));
        assert_eq!(histogram.quantile(1.0), Some(Duration::from_nanos(1024)));
        assert_eq!(of(&[]).quantile(0.5), None);
        assert_eq!(of(&[u64::MAX]).quantile(0.5), None);
    }

    #[test]
    fn one_of_64_new_green_threads_is_sampled_and_then_every_64th_time() {
        let sampled = |id, times: usize| {
            let stamp = Stamp::new(id);
            let latencies = Latencies::default();
            (0..times).for_each(|_| {
                stamp.is_ready();
                stamp.runs(&latencies);
            });
            latencies.buckets.iter().map(Count::read).sum::<u64>()
        };
        assert_eq!((0..640).map(|id| sampled(id, 1)).sum::<u64>(), 10);
        assert_eq!(sampled(0, 65), 2);
        assert_eq!(sampled(63, 64), 1);
    }

    #[test]
    fn a_difference_leaves_what_came_after() {
        assert_eq!(of(&[1, 100, 200]).since(&of(&[1, 100])), of(&[200]));
    }
}
