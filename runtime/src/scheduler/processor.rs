//! A processor: the right to run green threads, with the run queue that comes with it.
//!
//! # Who may touch what
//! The *owner* is the worker that runs the processor, or is in C with it; after a take, the monitor; between a hand-over and
//! the wake of the new worker, whoever hands it over; while it is idle, nobody. Only the owner calls the methods of [`Owned`].
//! `next`, `stealer`, `worker`, `sleeper`, `turns` and `look_at` are for everyone.

use super::time::Watch;
use super::worker::Worker;
use crate::green::thread::{Head, Ready};
use crate::metrics::count::OfProcessor;
use crate::primitive::{AtomicPtr, AtomicU32, Ordering, UnsafeCell};
use crate::stack::StackCache;
use core::fmt;
use core::ptr::{self, NonNull};
use crossbeam_deque as deque;

/// After this many turns from `next` in a row the run queue has its turn, so that two green threads that wake each other
/// do not keep a third from running.
const NEXT_IN_A_ROW: u32 = 32;

/// Every so many turns the injector comes before everything else: Go's number, a prime.
pub(crate) const INJECTOR_EVERY: u32 = 61;

/// How many ids a processor takes from the common counter at once.
const IDS: u64 = 1024;

/// On lines of its own: they lie side by side, and the end of one is written on every turn. Two lines, because some CPUs fetch them
/// in pairs.
#[repr(align(128))]
pub(crate) struct Processor {
    pub(crate) index: usize,
    /// The green thread just made ready: it runs before the run queue, on this processor if it can.
    next: AtomicPtr<Head>,
    pub(crate) stealer: deque::Stealer<Ready>,
    /// The worker that owns it, for the monitor.
    pub(crate) worker: AtomicPtr<Worker>,
    /// The worker that sleeps beside it while it is idle.
    pub(crate) sleeper: AtomicPtr<Worker>,
    /// Counts turns, so that the monitor sees whether one has lasted.
    pub(crate) turns: AtomicU32,
    /// The turn before which it looks at the timers next. Who arms one may bring it forward.
    pub(crate) look_at: AtomicU32,
    /// Written by the owner.
    pub(crate) counts: OfProcessor,
    owned: UnsafeCell<Owned>,
}

/// The unsynchronised half.
pub(crate) struct Owned {
    pub(crate) queue: deque::Worker<Ready>,
    pub(crate) stacks: StackCache,
    /// Turns so far: says when the injector comes first.
    pub(crate) tick: u32,
    /// How far its looks at the timers are apart.
    pub(crate) watch: Watch,
    /// Whether the last turn ended in a yield: then the injector comes first, too.
    pub(crate) yielded: bool,
    /// Turns taken from `next` in a row.
    next_in_a_row: u32,
    /// Where the last steal began.
    pub(crate) victim: usize,
    /// Whether the worker that gets this processor starts as a searcher, counted in the idle set.
    pub(crate) searching: bool,
    ids: core::ops::Range<u64>,
}

// SAFETY: `owned` is touched by the owner alone, and each change of owner is ordered: by the status word (a take), by the
// `assigned` word of the new worker (a hand-over), or by the lock of the idle set.
unsafe impl Sync for Processor {}

impl Processor {
    pub(crate) fn new(index: usize) -> Self {
        let queue = deque::Worker::new_fifo();
        Self {
            index,
            next: AtomicPtr::new(ptr::null_mut()),
            stealer: queue.stealer(),
            worker: AtomicPtr::new(ptr::null_mut()),
            sleeper: AtomicPtr::new(ptr::null_mut()),
            turns: AtomicU32::new(0),
            look_at: AtomicU32::new(0),
            counts: OfProcessor::default(),
            owned: UnsafeCell::new(Owned {
                queue,
                stacks: StackCache::new(),
                tick: 0,
                watch: Watch::new(),
                yielded: false,
                next_in_a_row: 0,
                victim: index,
                searching: false,
                ids: 0..0,
            }),
        }
    }

    /// Lends the owner's half.
    ///
    /// # Safety
    /// The caller is the owner, and `f` does not suspend and does not come back here.
    #[inline(always)]
    pub(crate) unsafe fn owned<R>(&self, f: impl FnOnce(&mut Owned) -> R) -> R {
        // SAFETY: by contract nobody else touches it now.
        self.owned.with_mut(|owned| f(unsafe { &mut *owned }))
    }

    /// Whether it looks at the timers before the turn `tick`.
    #[inline(always)]
    pub(crate) fn must_look(&self, tick: u32) -> bool {
        // Not for equality: it may have been brought forward to a turn that is over by now.
        tick.wrapping_sub(self.look_at.load(Ordering::Relaxed)).cast_signed() >= 0
    }

    /// Puts `ready` into `next`, and returns the one that was there. For the owner.
    #[inline]
    pub(crate) fn put_next(&self, ready: Ready) -> Option<Ready> {
        let new = ready.into_raw().as_ptr();
        // Others only ever empty it, so an empty one stays empty until this store.
        if self.next.load(Ordering::Relaxed).is_null() {
            self.next.store(new, Ordering::Release);
            return None;
        }
        Self::from_next(self.next.swap(new, Ordering::AcqRel))
    }

    /// Puts `ready` before all others, and the one that was there into the queue. Wakes nobody: the processor is about to change hands.
    ///
    /// # Safety
    /// The caller is the owner.
    pub(crate) unsafe fn put_first(&self, ready: Ready) {
        if let Some(other) = self.put_next(ready) {
            // SAFETY: by contract.
            unsafe { self.owned(|owned| owned.queue.push(other)) };
        }
    }

    /// Takes `next`, for the owner or for a thief.
    #[inline]
    pub(crate) fn take_next(&self) -> Option<Ready> {
        if self.next.load(Ordering::Relaxed).is_null() {
            return None;
        }
        Self::from_next(self.next.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    fn from_next(head: *mut Head) -> Option<Ready> {
        // SAFETY: `next` holds null or what `put_next` left there, and a swap gives it to one taker.
        NonNull::new(head).map(|head| unsafe { Ready::from_raw(head) })
    }

    /// Whether `next` is taken: a moment's truth.
    #[inline]
    pub(crate) fn has_next(&self) -> bool {
        !self.next.load(Ordering::Relaxed).is_null()
    }

    /// How many green threads wait in its queue or in `next`, and how many turns there have been: a moment's truth.
    pub(crate) fn load(&self) -> (usize, u32) {
        (self.stealer.len() + usize::from(self.has_next()), self.turns.load(Ordering::Relaxed))
    }

    /// The worker that owns it: a moment's truth.
    pub(crate) fn owner(&self) -> Option<usize> {
        // SAFETY: null, or a worker; those are never freed.
        let worker = unsafe { self.worker.load(Ordering::Relaxed).as_ref() }?;
        // One from which it was taken may still be written there, or not know it yet.
        worker.processor().filter(|owned| ptr::eq(*owned, self)).map(|_| worker.index)
    }

    /// Whether green threads wait in its queue or in `next`: a moment's truth.
    pub(crate) fn has_work(&self) -> bool {
        self.has_next() || !self.stealer.is_empty()
    }

    /// Whether nobody waits for this processor in particular, so that a yield need not switch. Then the yield counts as a turn; when that
    /// is one before which the processor looks at the timers, it must switch all the same.
    ///
    /// # Safety
    /// The caller is the owner.
    #[inline]
    pub(crate) unsafe fn is_alone(&self) -> bool {
        // SAFETY: by contract. The owner's own view of the queue needs no fence.
        if self.has_next() || unsafe { self.owned(|owned| !owned.queue.is_empty()) } {
            return false;
        }
        // SAFETY: as above.
        let tick = unsafe {
            self.owned(|owned| {
                owned.tick = owned.tick.wrapping_add(1);
                owned.tick
            })
        };
        !self.must_look(tick)
    }

    /// The next green thread of its own: `next`, unless that has been first for long, then the queue.
    ///
    /// # Safety
    /// The caller is the owner.
    #[inline]
    pub(crate) unsafe fn pop(&self) -> Option<Ready> {
        // SAFETY: by contract; nothing in the closure suspends.
        unsafe {
            self.owned(|owned| {
                if self.has_next() {
                    owned.next_in_a_row += 1;
                    if owned.next_in_a_row > NEXT_IN_A_ROW {
                        owned.next_in_a_row = 0;
                        if let Some(ready) = owned.queue.pop() {
                            return Some(ready);
                        }
                    }
                    if let Some(next) = self.take_next() {
                        return Some(next);
                    }
                }
                owned.next_in_a_row = 0;
                owned.queue.pop()
            })
        }
    }

    /// A fresh id, for one more green thread.
    ///
    /// # Safety
    /// The caller is the owner.
    #[inline]
    pub(crate) unsafe fn next_id(&self, refill: impl FnOnce(u64) -> u64) -> u64 {
        self.counts.spawned.one();
        // SAFETY: by contract.
        unsafe {
            self.owned(|owned| {
                owned.ids.next().unwrap_or_else(|| {
                    let first = refill(IDS);
                    owned.ids = first + 1..first + IDS;
                    first
                })
            })
        }
    }
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor")
            .field("index", &self.index)
            .field("has_work", &self.has_work())
            .finish_non_exhaustive()
    }
}
