//! Timers: a deadline, and a `Waker` to be woken when it has come.
//!
//! ```text
//!   Timer ── (shard, key) ──► shard 0: earliest │ lock: deadline, number ─► Waker     one shard for each processor
//!                             shard 1: earliest │ lock: ...
//! ```
//!
//! A shard is std's `BTreeMap` under a lock, in the order of the deadlines: arming and disarming are O(log n) without any unsafe, and
//! a disarmed timer leaves nothing behind. A timer is armed in the shard of the processor that its owner runs on, so processors do not
//! meet at one lock. `earliest` repeats the first deadline outside of the lock: whoever looks whether anything is due reads a word
//! of each shard.
//!
//! What fires timers, and how it learns of a new one, is the scheduler's business: `scheduler/time.rs`.
//!
//! # What it must never do
//! Wake, clone or drop a waker under a lock: that is foreign code.
//!
//! # Alternatives
//! A timing wheel arms in constant time, but has a resolution, and somebody must turn it; a binary heap cannot disarm without leaving
//! the dead inside (async-io takes the map, too). In a map of a million either takes about a microsecond (the row `timers`).

use super::clock::{self, Moment, NEVER};
use crate::primitive::{AtomicU64, Mutex, Ordering, lock_briefly};
use crate::scheduler::runtime::runtime;
use crate::scheduler::{current, time};
use core::fmt;
use core::task::Waker;
use crossbeam_utils::CachePadded;
use std::collections::BTreeMap;
use std::time::Instant;

/// What a timer is found by. The number tells timers of one deadline apart, in the order in which they were armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    deadline: Moment,
    number: u64,
}

/// All timers that are armed.
pub(crate) struct Timers {
    shards: Box<[CachePadded<Shard>]>,
}

struct Shard {
    /// The first deadline, or [`NEVER`]. Written under the lock.
    earliest: AtomicU64,
    list: Mutex<List>,
}

struct List {
    timers: BTreeMap<Key, Waker>,
    next_number: u64,
    /// How many were due and taken.
    fired: u64,
}

impl Timers {
    /// No timer, in `shards` shards.
    pub(crate) fn new(shards: usize) -> Self {
        let shard = |_| {
            CachePadded::new(Shard {
                earliest: AtomicU64::new(NEVER),
                list: Mutex::new(List { timers: BTreeMap::new(), next_number: 0, fired: 0 }),
            })
        };
        Self { shards: (0..shards).map(shard).collect() }
    }

    /// The first deadline of all; [`NEVER`] if no timer is armed. Exact when nothing runs.
    #[inline]
    pub(crate) fn earliest(&self) -> Moment {
        self.shards.iter().map(|shard| shard.earliest()).min().unwrap_or(NEVER)
    }

    /// The first deadline in one shard.
    #[inline]
    pub(crate) fn earliest_in(&self, shard: usize) -> Moment {
        self.shards[shard].earliest()
    }

    /// Whether any timer is armed. Exact when nothing runs.
    #[inline]
    pub(crate) fn some_armed(&self) -> bool {
        self.shards.iter().any(|shard| shard.earliest() != NEVER)
    }

    /// Takes a timer of `shard` whose deadline has come at `now`, the first.
    pub(crate) fn take_due(&self, shard: usize, now: Moment) -> Option<Waker> {
        let shard = &self.shards[shard];
        if shard.earliest() > now {
            return None;
        }
        let mut list = lock_briefly(&shard.list);
        let first = list.timers.first_entry().filter(|first| first.key().deadline <= now)?;
        let waker = first.remove();
        shard.renew_earliest(&list);
        list.fired += 1;
        Some(waker)
    }

    /// How many timers were due and taken.
    pub(crate) fn fired(&self) -> u64 {
        self.shards.iter().map(|shard| lock_briefly(&shard.list).fired).sum()
    }

    /// How many shards there are.
    #[inline]
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }
}

impl Shard {
    #[inline]
    fn earliest(&self) -> Moment {
        self.earliest.load(Ordering::Relaxed)
    }

    /// The first timer has changed.
    fn renew_earliest(&self, list: &List) {
        let earliest = list.timers.first_key_value().map_or(NEVER, |(first, _)| first.deadline);
        self.earliest.store(earliest, Ordering::Relaxed);
    }

    /// Adds a timer. True: it is the first in this shard now, and whoever keeps the time must learn of it.
    fn insert(&self, deadline: Moment, waker: Waker) -> (Key, bool) {
        let mut list = lock_briefly(&self.list);
        let key = Key { deadline, number: list.next_number };
        list.next_number += 1;
        list.timers.insert(key, waker);
        let is_first = deadline < self.earliest();
        if is_first {
            self.earliest.store(deadline, Ordering::Relaxed);
        }
        (key, is_first)
    }

    /// Removes a timer, if it is still there.
    fn remove(&self, key: Key) -> Option<Waker> {
        let mut list = lock_briefly(&self.list);
        let waker = list.timers.remove(&key)?;
        if key.deadline == self.earliest() {
            self.renew_earliest(&list);
        }
        Some(waker)
    }

    /// Whether a timer is there, and whether it would wake `waker`.
    fn would_wake(&self, key: Key, waker: &Waker) -> bool {
        lock_briefly(&self.list).timers.get(&key).is_some_and(|old| old.will_wake(waker))
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("shards", &self.shards()).field("some_armed", &self.some_armed()).finish()
    }
}

/// A timer, armed or not. Disarmed when it is dropped.
pub(crate) struct Timer {
    armed: Option<(&'static Shard, Key)>,
}

impl Timer {
    /// A timer that is not armed.
    pub(crate) const fn new() -> Self {
        Self { armed: None }
    }

    /// Arms it: `waker` is woken once `deadline` has come. One that is armed for that very waker and deadline is left alone.
    ///
    /// Never inlined, nor is disarming: a caller may go on on another OS thread, and locks and allocators have thread-locals of their own.
    ///
    /// # Panics
    /// If the runtime has not been started.
    #[inline(never)]
    pub(crate) fn arm(&mut self, deadline: Instant, waker: &Waker) {
        let deadline = clock::moment_of(deadline);
        if let Some((shard, key)) = self.armed
            && key.deadline == deadline
            && shard.would_wake(key, waker)
        {
            return;
        }
        self.disarm();
        let runtime = runtime();
        let home = home(runtime.timers.shards());
        let shard = &*runtime.timers.shards[home];
        let (key, is_first) = shard.insert(deadline, waker.clone());
        self.armed = Some((shard, key));
        if is_first {
            time::armed(runtime, home, deadline);
        }
    }

    /// Disarms it, if it is armed. The waker may just have been woken, or be about to be.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        if let Some((shard, key)) = self.armed.take() {
            Self::remove(shard, key);
        }
    }

    #[inline(never)]
    fn remove(shard: &Shard, key: Key) {
        let waker = shard.remove(key);
        drop(waker);
    }
}

/// The shard of the caller: that of the processor that its worker has, or had. OS threads that are no workers share the first.
fn home(shards: usize) -> usize {
    current::worker().map_or(0, |worker| worker.last.get() % shards)
}

impl Drop for Timer {
    #[inline]
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("armed", &self.armed.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(timers: &Timers) -> &Shard {
        &timers.shards[0]
    }

    #[test]
    fn due_timers_come_out_in_order_and_no_others() {
        let timers = Timers::new(1);
        for deadline in [30, 10, 20, 10] {
            let _ = shard(&timers).insert(deadline, Waker::noop().clone());
        }
        assert_eq!(timers.earliest(), 10);
        let mut due = Vec::new();
        while timers.take_due(0, 20).is_some() {
            due.push(timers.earliest());
        }
        assert_eq!(due, [10, 20, 30]);
        assert!(timers.take_due(0, 29).is_none() && timers.some_armed());
        assert!(timers.take_due(0, 30).is_some() && !timers.some_armed());
    }

    #[test]
    fn only_the_first_of_a_shard_is_news() {
        let timers = Timers::new(1);
        let news = [20, 30, 20, 10].map(|deadline| shard(&timers).insert(deadline, Waker::noop().clone()).1);
        assert_eq!(news, [true, false, false, true]);
    }

    #[test]
    fn what_is_removed_leaves_the_next_as_the_first() {
        let timers = Timers::new(1);
        let (first, _) = shard(&timers).insert(10, Waker::noop().clone());
        let (second, _) = shard(&timers).insert(20, Waker::noop().clone());
        assert!(shard(&timers).remove(first).is_some());
        assert!(shard(&timers).remove(first).is_none());
        assert_eq!(timers.earliest(), 20);
        assert!(shard(&timers).remove(second).is_some());
        assert!(!timers.some_armed());
    }
}
