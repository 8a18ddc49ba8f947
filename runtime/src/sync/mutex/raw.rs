//! The mutex without what it protects: who holds it, who waits, and who is handed it.
//!
//! A word says how things stand; a queue beside it, under a small lock of its own (*the queue's lock*), holds those that wait.
//!
//! ```text
//!        lock                      found held: queue                unlock                     unlock of others
//!  0 ───────────► LOCKED ─────────────────────────► LOCKED ───────────────────► WOKEN ◄─────────────────► LOCKED
//!    ◄───────────                                   WAITERS        │            (WAITERS)    they barge   WOKEN
//!       unlock                                         ▲           │               │                      (WAITERS)
//!                                                      │           │ the first     │ the woken one           │ the woken one
//!                                                      │           │ is impatient  ▼ finds it free           │ finds it held
//!                                                      │           ▼            LOCKED                       │
//!                                                      │        LOCKED          (WAITERS)                    │
//!                                                      │        its own now                                  │
//!                                                      └─────────────────────────────────────────────────────┘
//!                                                              first in the queue again, impatient now
//! ```
//!
//! The lock *barges*: an unlock with waiters frees it and wakes the first, and whoever comes in between may take it. That keeps a
//! lock busy while the woken one is on its way, which takes much longer than a short critical section does. The rule against starvation:
//! one that was woken and finds the lock held goes back to the *front*, impatient now, and the next unlock *hands the lock over* to
//! it, without freeing it. At most one waiter is on its way at any time.
//!
//! | transition | who | from, to | ordering |
//! |---|---|---|---|
//! | [`try_lock`](RawMutex::try_lock) | anybody | not `LOCKED`, `LOCKED` | Acquire, pairs with *Unlock* and *Wake* |
//! | *Unlock*, in [`unlock`](RawMutex::unlock) | the holder, unless somebody waits and nobody is on his way | `LOCKED`, not | Release |
//! | *Wake*, in `unlock_to_waiter` | the holder, under the queue's lock: the first is patient | `LOCKED`, `WOKEN` | Release |
//! | *HandOver*, ibid. | the same: the first is impatient | stays `LOCKED` | by `serve` of the waiter |
//! | *Queue*, in `lock_or_queue` | who must wait, under the queue's lock | `LOCKED`, and `WAITERS` | Relaxed: publishes nothing |
//! | *Arrive*, ibid. and in `arrive` | the woken one | `WOKEN`, `LOCKED`; or off, and `WAITERS` | Acquire, as `try_lock` |
//! | *PassOn*, in `pass_on` | the woken one, under the queue's lock: it gives up | `WOKEN` off, or another is woken | Relaxed |
//! | *Leave* | the holder of the queue's lock, when nobody waits any more | `WAITERS` off | Relaxed |
//!
//! # Property
//! 1. Mutual exclusion: one holder at a time, and it sees what those before it did.
//! 2. No wake-up is lost: as long as somebody waits, the lock is held or somebody is on his way.
//! 3. Who gives up, at whatever moment, takes neither the lock nor a wake-up with him.
//! 4. Everybody who waits gets the lock, provided that holders unlock and woken ones come: each of those before him loses one race
//!    at most.
//!
//! # Proof
//! (1) Only a change of `LOCKED` from off to on makes a holder, or *HandOver*, which leaves it on and ends the tenure of the caller.
//! Every change from on to off is Release, every one from off to on Acquire, and the word is never just stored, so each holder
//! sees what the one before it did. *HandOver* publishes by the waiter's state.
//!
//! (2) is an invariant of the word: `WAITERS` implies `LOCKED` or `WOKEN`. *Queue* sets `WAITERS` in a word with `LOCKED`, by
//! compare-and-swap. *Unlock* clears `LOCKED` only in a word without `WAITERS`, or with `WOKEN`. *Wake* sets `WOKEN`. *Arrive* clears
//! `WOKEN` only as it sets `LOCKED` or finds it set, and *PassOn* only where `LOCKED` is set or nobody waits. `WOKEN` means that one waiter
//! has been served, and has not arrived or passed it on yet: so somebody acts. And `WAITERS` is set as long as the queue is not empty:
//! it changes only under the queue's lock, together with the queue.
//!
//! *Wake* and *HandOver* swap the word, after they have looked at the queue, rather than compare and swap. That is sound, because the
//! word cannot change in between: `LOCKED` is the caller's; `WAITERS` belongs to the queue's lock, which the caller has; `WOKEN` is off, so
//! nobody can arrive. The waiter is served before the swap, so it may run at once. It finds the word `LOCKED` and with `WAITERS`, so a
//! woken one goes on to the queue's lock, and so does the unlock of one that was handed the lock: both after the swap.
//!
//! (3) A waiter gives up under the queue's lock, or after it has been served; then [`WaitQueue::give_up`] says so, or its state, and
//! it does what the table says: unlock what it was handed, or *PassOn*.
//!
//! (4) The queue is in order of arrival; a woken one leaves it and comes back to its front. So only the first can have lost a race.
//!
//! # What it must never do
//! Wake or drop a waker under the queue's lock.
//!
//! Model: `tests/models/tests/mutex.rs`; its mutants: `tests/models/mutants/mutex.rs`.

use crate::primitive::{AtomicU32, Mutex, Ordering, lock_briefly};
use crate::wait::queue::{GaveUp, WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Somebody holds the lock.
const LOCKED: u32 = 1;
/// Somebody is in the queue.
const WAITERS: u32 = 2;
/// One who was in the queue has been woken, and has not looked yet.
const WOKEN: u32 = 4;

const _: () = assert!(LOCKED ^ WAITERS ^ WOKEN == 7, "the bits are disjoint");

/// What a waiter brings, and is told.
#[derive(Debug)]
pub(crate) struct Claim {
    /// It was woken, and found the lock held.
    is_impatient: bool,
    /// The lock has been handed over to it.
    is_owner: bool,
}

impl Claim {
    /// Of one that comes.
    pub(crate) const fn new() -> Self {
        Self { is_impatient: false, is_owner: false }
    }
}

/// What became of an attempt to lock.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The caller holds the lock.
    Locked,
    /// Somebody else does.
    Held,
}

/// The word, at one moment.
#[derive(Clone, Copy)]
struct Snapshot(u32);

impl Snapshot {
    fn is_locked(self) -> bool {
        self.0 & LOCKED != 0
    }

    /// Whether the unlock concerns one that waits: somebody does, and nobody is on his way.
    fn must_wake(self) -> bool {
        self.0 & (WAITERS | WOKEN) == WAITERS
    }
}

/// A lock that protects nothing yet.
pub(crate) struct RawMutex {
    word: AtomicU32,
    waiters: Mutex<WaitQueue<Claim>>,
}

impl RawMutex {
    /// A lock that nobody holds.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(0), waiters: Mutex::new(WaitQueue::new()) }
    }

    /// Locks it if nobody holds it, also past those that wait.
    #[inline]
    pub(crate) fn try_lock(&self) -> Attempt {
        // One instruction whatever the other bits are, where a compare-and-swap would have to be repeated.
        let before = Snapshot(self.word.fetch_or(LOCKED, Ordering::Acquire));
        if before.is_locked() { Attempt::Held } else { Attempt::Locked }
    }

    /// Whether somebody holds it, for whoever only wants to know.
    #[inline]
    pub(crate) fn is_locked(&self) -> bool {
        self.snapshot().is_locked()
    }

    /// Whether somebody is in the queue, for whoever only wants to know.
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.snapshot().0 & WAITERS != 0
    }

    /// Unlocks it. The caller holds it, and does not any more.
    #[inline]
    pub(crate) fn unlock(&self) {
        let mut now = self.snapshot();
        while !now.must_wake() {
            match self.word.compare_exchange_weak(now.0, now.0 & !LOCKED, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => now = Snapshot(other),
            }
        }
        self.unlock_to_waiter();
    }

    /// Unlocks it for the first that waits.
    #[cold]
    #[inline(never)]
    fn unlock_to_waiter(&self) {
        let mut waiters = lock_briefly(&self.waiters);
        let served = waiters.serve(|claim| {
            claim.is_owner = claim.is_impatient;
            claim.is_owner
        });
        let rest = if waiters.is_empty() { 0 } else { WAITERS };
        let next = match &served {
            Some((true, _)) => LOCKED | rest,
            Some((false, _)) => WOKEN | rest,
            None => 0,
        };
        self.word.swap(next, Ordering::Release);
        drop(waiters);
        if let Some((_, waker)) = served {
            waker.wake();
        }
    }

    /// Locks it, or queues `waiter`, or renews its waker if it is queued.
    #[inline(never)]
    pub(crate) fn poll_lock(&self, mut waiter: Pin<&mut Waiter<Claim>>, context: &Context<'_>) -> Poll<()> {
        if waiter.is_served() && self.arrive(waiter.as_mut()) == Attempt::Locked {
            return Poll::Ready(());
        }
        // Cloned before anything is decided: it is not ours, and may panic.
        let waker = context.waker().clone();
        let mut waiters = lock_briefly(&self.waiters);
        if waiter.is_queued() {
            let old = waiters.rewake(waiter.as_ref(), waker);
            drop(waiters);
            drop(old);
            return Poll::Pending;
        }
        // Served: it has been woken, or it is now, since it looked above.
        let is_woken = waiter.is_served();
        if is_woken && waiter.as_mut().slot().is_owner {
            drop(waiters);
            return self.poll_lock(waiter, context);
        }
        if self.lock_or_queue(if is_woken { WOKEN } else { 0 }) == Attempt::Locked {
            drop(waiters);
            finish(waiter);
            return Poll::Ready(());
        }
        // SAFETY: 1. not queued, seen under the lock; 2. pinned by its owner, who gives up before it drops it; 3. the queue's lock.
        let old = unsafe {
            if is_woken {
                waiters.enqueue_first(waiter.as_ref(), waker)
            } else {
                waiters.enqueue(waiter.as_ref(), waker)
            }
        };
        drop(waiters);
        drop(old);
        Poll::Pending
    }

    /// A waiter that has been served takes the lock that it was handed, or tries to get it.
    fn arrive(&self, mut waiter: Pin<&mut Waiter<Claim>>) -> Attempt {
        let claim = waiter.as_mut().slot();
        if !claim.is_owner {
            let now = self.snapshot();
            let locked = (now.0 | LOCKED) & !WOKEN;
            if now.is_locked()
                || self.word.compare_exchange(now.0, locked, Ordering::Acquire, Ordering::Relaxed).is_err()
            {
                claim.is_impatient = true;
                return Attempt::Held;
            }
        }
        finish(waiter);
        Attempt::Locked
    }

    /// Locks, or announces one that waits; either way the bits `done` are over. Under the queue's lock.
    fn lock_or_queue(&self, done: u32) -> Attempt {
        let mut now = self.snapshot();
        loop {
            let (next, attempt) = if now.is_locked() {
                ((now.0 & !done) | WAITERS, Attempt::Held)
            } else {
                ((now.0 & !done) | LOCKED, Attempt::Locked)
            };
            match self.word.compare_exchange_weak(now.0, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return attempt,
                Err(other) => now = Snapshot(other),
            }
        }
    }

    /// A waiter goes away. What it has been given goes to the next.
    pub(crate) fn give_up(&self, mut waiter: Pin<&mut Waiter<Claim>>) {
        if waiter.is_queued() {
            let mut waiters = lock_briefly(&self.waiters);
            if waiters.give_up(waiter.as_ref()) == GaveUp::InTime {
                if waiters.is_empty() {
                    self.word.fetch_and(!WAITERS, Ordering::Relaxed);
                }
                return;
            }
        }
        if waiter.is_served() {
            let is_owner = waiter.as_mut().slot().is_owner;
            finish(waiter);
            if is_owner { self.unlock() } else { self.pass_on() }
        }
    }

    /// The one that was woken does not come: it is somebody else's turn.
    fn pass_on(&self) {
        let mut waiters = lock_briefly(&self.waiters);
        let waker = self.wake_another(&mut waiters);
        drop(waiters);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wake_another(&self, waiters: &mut WaitQueue<Claim>) -> Option<Waker> {
        let mut now = self.snapshot();
        while now.is_locked() || waiters.is_empty() {
            // The holder wakes somebody when it unlocks, or there is nobody.
            match self.word.compare_exchange_weak(now.0, now.0 & !WOKEN, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return None,
                Err(other) => now = Snapshot(other),
            }
        }
        let ((), waker) = waiters.serve(|_| ())?;
        if waiters.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
        Some(waker)
    }

    #[inline]
    fn snapshot(&self) -> Snapshot {
        Snapshot(self.word.load(Ordering::Relaxed))
    }
}

/// Makes a waiter that is not queued as good as new.
fn finish(mut waiter: Pin<&mut Waiter<Claim>>) {
    *waiter.as_mut().slot() = Claim::new();
    waiter.reset();
}

impl fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot(now) = self.snapshot();
        f.debug_struct("RawMutex")
            .field("is_locked", &(now & LOCKED != 0))
            .field("has_waiters", &(now & WAITERS != 0))
            .field("is_woken", &(now & WOKEN != 0))
            .finish()
    }
}
