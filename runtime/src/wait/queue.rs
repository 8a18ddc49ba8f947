//! The wait queue: who waits for what, in order, and how a wake-up, a value and a waiter that gives up never miss each other.
//!
//! A queue lies *inside* the lock of the object that is waited for (a channel, a lock), beside its condition. The waiters are
//! nodes on the waiters' own stacks, or inside their futures, so waiting allocates nothing:
//!
//! ```text
//!   Mutex { condition, WaitQueue { head, tail } }
//!                                   │
//!                                   ▼
//!                               Waiter { waker, slot, links } ⇄ Waiter ⇄ Waiter
//!                               on A's stack          in B's future     on C's stack
//! ```
//!
//! A waiter is *idle*, then *queued*, then *served* or idle again:
//!
//! | transition | who, under the lock | from, to | ordering of `state` |
//! |---|---|---|---|
//! | [`WaitQueue::enqueue`] | the waiter, in the critical section that found the condition false | idle, queued | Relaxed |
//! | [`WaitQueue::enqueue_first`] | the waiter, served with nothing, likewise | served, queued | Relaxed |
//! | [`WaitQueue::serve`] | who made the condition true for one waiter | queued, served | Release, its last touch |
//! | [`WaitQueue::give_up`] | the waiter, when it no longer wants to wait: its future is dropped | queued, idle | Relaxed |
//! | [`WaitQueue::claim`] | who would serve a waiter of a select that is lost to it: see below | queued, idle | Release, its last touch |
//! | [`Waiter::is_served`], [`Waiter::is_queued`] | the waiter, *without* the lock | reads | Acquire, pairs with `serve` and `claim` |
//!
//! Serving may fill the waiter's *slot*: a value to receive, or take one from it: a value sent. So a channel hands a value over
//! directly, and the receiver need not lock again.
//!
//! # Waiters of a select
//! One who waits in several queues for the first of several things has a waiter in each, with a pointer to its [commit word](super::commit).
//! Such a waiter is served only by who wins that word; otherwise it is *lost*, taken out of the queue, and the next one is served. So a
//! queue that is not empty may yet serve nobody: who decides by it whether to hand something over asks [`WaitQueue::claim`] first.
//!
//! # Property
//! 1. A waiter that enqueues is served if the condition is made true for it later: no wake-up is lost.
//! 2. A waiter is served, or gives up, never both; a value handed to its slot is taken from there or was never handed over.
//! 3. The waiter's memory, and the commit word, are not touched after `is_served` has said true, `is_queued` false, or after `give_up`.
//!
//! # Proof
//! Conditions, enqueueing, serving and giving up are all under one lock, so they have one order; that is (1), as long as nobody
//! looks and enqueues in two critical sections, and (2), as long as a waiter that gives up asks `give_up` what happened. Only
//! `is_served` and `is_queued` look without the lock. They read `state`, which `serve` and `claim` store last, with Release, when they have done
//! with the slot, the links, the word and the waker (moved out before): that is (3). The waker is called after the lock is released, and is
//! owned by the caller. A waiter that `claim` takes out is owed nothing: its select has been served elsewhere, or has aborted, and looks
//! again after it has given up here, under this lock.
//!
//! # What it must never do
//! Call or drop a waker, or drop a value of the user's: that would run foreign code under the lock. (A waker is cloned under it, by the
//! caller of `enqueue`: a `clone` that used the object it waits for would be caught by no executor either.)
//!
//! Models: `tests/models/tests/queue.rs` and, for selects, `tests/models/tests/select.rs`; their mutants: `tests/models/mutants/queue.rs` and
//! `tests/models/mutants/select.rs`.

use super::commit::Commit;
use crate::primitive::{AtomicU8, Ordering, UnsafeCell};
use core::fmt;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::Waker;

/// In no queue.
const IDLE: u8 = 0;
/// In a queue.
const QUEUED: u8 = 1;
/// Out of the queue again: what it waited for has come, and its slot has been used.
const SERVED: u8 = 2;

/// One who waits, with a slot for what is handed over.
pub(crate) struct Waiter<S> {
    state: AtomicU8,
    /// Of the lock's holder while queued, of the waiter otherwise.
    inner: UnsafeCell<Inner<S>>,
    _pinned: PhantomPinned,
}

struct Inner<S> {
    slot: S,
    waker: Option<Waker>,
    /// For a waiter of a select. Set while it is not queued.
    commit: Option<NonNull<Commit>>,
    before: Option<NonNull<Waiter<S>>>,
    after: Option<NonNull<Waiter<S>>>,
}

// SAFETY: a waiter is reached from other threads only through a queue, whose lock orders all access to `inner`; what travels
// through the slot travels between threads, hence the bound. The commit word is an atomic, and outlives the queueing (duty 4 of
// `enqueue_of_select`).
unsafe impl<S: Send> Send for Waiter<S> {}
// SAFETY: as above; without a lock only `state` is read, an atomic.
unsafe impl<S: Send> Sync for Waiter<S> {}

impl<S> Waiter<S> {
    /// A waiter in no queue, with `slot` to hand out or to be filled.
    pub(crate) const fn new(slot: S) -> Self {
        Self {
            state: AtomicU8::new(IDLE),
            inner: UnsafeCell::new(Inner { slot, waker: None, commit: None, before: None, after: None }),
            _pinned: PhantomPinned,
        }
    }

    /// Whether the waiter has been served. Once it has, its slot is its own again.
    #[inline]
    pub(crate) fn is_served(&self) -> bool {
        self.state.load(Ordering::Acquire) == SERVED
    }

    /// Whether the waiter is in a queue. Yes holds only under the queue's lock. No is for good, and then what was done to the slot
    /// came before: Acquire, pairs with `serve`.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.state.load(Ordering::Acquire) == QUEUED
    }

    /// The slot of a waiter that is not queued.
    pub(crate) fn slot(self: Pin<&mut Self>) -> &mut S {
        assert_ne!(self.state.load(Ordering::Acquire), QUEUED, "the slot of a queued waiter is the lock holder's");
        // SAFETY: the waiter is not moved, only its slot is lent, which is not structurally pinned. The exclusive borrow and the
        // state (not queued, read with Acquire) leave no other access to `inner`.
        unsafe { self.get_unchecked_mut().inner.with_mut(|inner| &mut (*inner).slot) }
    }

    /// Its name in the commit word of its select.
    pub(crate) fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Makes a served waiter ready to be queued again.
    pub(crate) fn reset(self: Pin<&mut Self>) {
        debug_assert_ne!(self.state.load(Ordering::Relaxed), QUEUED);
        self.state.store(IDLE, Ordering::Relaxed);
    }
}

impl<S> Drop for Waiter<S> {
    fn drop(&mut self) {
        // A queued waiter that goes away would leave a dangling link: whoever owns it must give up first.
        // Acquire: the slot is about to be dropped, and `serve` may have emptied it.
        if self.state.load(Ordering::Acquire) == QUEUED {
            abort_on_queued_drop();
        }
    }
}

#[cold]
fn abort_on_queued_drop() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("second panic: the process must not go on");
        }
    }
    let _bomb = Bomb;
    panic!("greenbridge: a waiter was dropped while it was queued");
}

/// What a waiter that gives up learns.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GaveUp {
    /// It was still queued, or lost its select's commit: nothing was handed over.
    InTime,
    /// It has been served: what is in the slot counts.
    Served,
}

/// The queue, in order of arrival. Every method is called under the lock of the object that the queue lies in.
pub(crate) struct WaitQueue<S> {
    head: Option<NonNull<Waiter<S>>>,
    tail: Option<NonNull<Waiter<S>>>,
}

// SAFETY: the queue holds addresses of waiters, and touches them only under the lock it lies in, on whatever thread holds that.
unsafe impl<S: Send> Send for WaitQueue<S> {}

impl<S> WaitQueue<S> {
    /// An empty queue.
    pub(crate) const fn new() -> Self {
        Self { head: None, tail: None }
    }

    /// Whether nobody is queued.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Whether somebody waits who can be served. If so, the caller serves in the same critical section: a select may have been won for it.
    #[inline]
    pub(crate) fn claim(&mut self) -> bool {
        let Some(first) = self.head else { return false };
        // SAFETY: a queued waiter is alive, and its `inner` is the lock holder's (duties 2 and 3 of `enqueue`).
        let commit = unsafe { first.as_ref() }.inner.with(|inner| unsafe { (*inner).commit });
        commit.is_none() || self.claim_beyond_selects()
    }

    /// The same when the first waiter is of a select: takes out those that are lost.
    #[cold]
    fn claim_beyond_selects(&mut self) -> bool {
        while let Some(first) = self.head {
            // SAFETY: as in `claim`.
            let waiter = unsafe { first.as_ref() };
            // SAFETY: as in `claim`.
            let Some(commit) = waiter.inner.with(|inner| unsafe { (*inner).commit }) else { return true };
            // SAFETY: the word is alive while the waiter is queued (duty 4 of `enqueue_of_select`).
            if unsafe { commit.as_ref() }.choose(waiter.address()) {
                return true;
            }
            self.unlink(waiter);
            // The last touch: from here on the waiter and its word may be gone.
            waiter.state.store(IDLE, Ordering::Release);
        }
        false
    }

    /// Whether somebody waits who might be served, other than the select of `own`: a moment's truth, for a select that is being queued.
    pub(crate) fn may_serve(&self, own: &Commit) -> bool {
        let mut next = self.head;
        while let Some(node) = next {
            // SAFETY: as in `claim`.
            let (commit, after) =
                unsafe { node.as_ref() }.inner.with(|inner| unsafe { ((*inner).commit, (*inner).after) });
            // SAFETY: as in `claim_beyond_selects`.
            let Some(commit) = commit.map(|commit| unsafe { commit.as_ref() }) else { return true };
            if !core::ptr::eq(commit, own) && commit.is_open() {
                return true;
            }
            next = after;
        }
        false
    }

    /// Puts `waiter` at the end. In the same critical section the caller has found that it must wait. Returns the waker of an
    /// earlier wait that was given up, to be dropped after the lock is released.
    ///
    /// # Safety
    /// 1. The waiter is not queued.
    /// 2. It stays where it is, and is not dropped, until it is served or has given up on this queue.
    /// 3. All calls on this queue are made under one and the same lock.
    pub(crate) unsafe fn enqueue(&mut self, waiter: Pin<&Waiter<S>>, waker: Waker) -> Option<Waker> {
        let node = NonNull::from(waiter.get_ref());
        debug_assert_ne!(waiter.state.load(Ordering::Relaxed), QUEUED);
        // SAFETY: not queued (1), so `inner` is the caller's.
        let old = waiter.inner.with_mut(|inner| unsafe {
            (*inner).before = self.tail;
            (*inner).after = None;
            (*inner).waker.replace(waker)
        });
        match self.tail {
            // SAFETY: a queued waiter is alive (2), and its `inner` is the lock holder's (3).
            Some(tail) => unsafe { tail.as_ref() }.inner.with_mut(|inner| unsafe { (*inner).after = Some(node) }),
            None => self.head = Some(node),
        }
        self.tail = Some(node);
        waiter.state.store(QUEUED, Ordering::Relaxed);
        old
    }

    /// The same for a waiter of the select that `commit` belongs to.
    ///
    /// # Safety
    /// Duties 1 to 3 of [`enqueue`](Self::enqueue), and
    /// 4. the word stays where it is until the waiter is served, has given up, or is seen not to be queued.
    pub(crate) unsafe fn enqueue_of_select(
        &mut self,
        waiter: Pin<&Waiter<S>>,
        waker: Waker,
        commit: &Commit,
    ) -> Option<Waker> {
        // SAFETY: not queued (1), so `inner` is the caller's.
        waiter.inner.with_mut(|inner| unsafe { (*inner).commit = Some(NonNull::from(commit)) });
        // SAFETY: 1, 2, 3: as the caller's.
        unsafe { self.enqueue(waiter, waker) }
    }

    /// Puts `waiter` at the front: one that was served, and comes back with nothing. Otherwise as [`enqueue`](Self::enqueue).
    /// Model: `tests/models/tests/front.rs`.
    ///
    /// # Safety
    /// As for [`enqueue`](Self::enqueue).
    pub(crate) unsafe fn enqueue_first(&mut self, waiter: Pin<&Waiter<S>>, waker: Waker) -> Option<Waker> {
        let node = NonNull::from(waiter.get_ref());
        debug_assert_ne!(waiter.state.load(Ordering::Relaxed), QUEUED);
        // SAFETY: not queued (1), so `inner` is the caller's.
        let old = waiter.inner.with_mut(|inner| unsafe {
            (*inner).before = None;
            (*inner).after = self.head;
            (*inner).waker.replace(waker)
        });
        match self.head {
            // SAFETY: a queued waiter is alive (2), and its `inner` is the lock holder's (3).
            Some(head) => unsafe { head.as_ref() }.inner.with_mut(|inner| unsafe { (*inner).before = Some(node) }),
            None => self.tail = Some(node),
        }
        self.head = Some(node);
        waiter.state.store(QUEUED, Ordering::Relaxed);
        old
    }

    /// Replaces the waker of a queued waiter: a future polled again may have a new one. Returns the old one, to be dropped
    /// after the lock is released.
    pub(crate) fn rewake(&mut self, waiter: Pin<&Waiter<S>>, waker: Waker) -> Option<Waker> {
        debug_assert!(waiter.is_queued());
        // SAFETY: queued, so `inner` is the lock holder's, which the exclusive borrow of the queue stands for.
        waiter.inner.with_mut(|inner| unsafe { (*inner).waker.replace(waker) })
    }

    /// Queues `waiter`, as [`enqueue`](Self::enqueue), or replaces its waker if it is queued already, as [`rewake`](Self::rewake).
    ///
    /// # Safety
    /// As `enqueue`, but for its first duty: if it is queued, then in this queue.
    pub(crate) unsafe fn enqueue_or_rewake(&mut self, waiter: Pin<&Waiter<S>>, waker: &Waker) -> Option<Waker> {
        if waiter.is_queued() {
            return self.rewake(waiter, waker.clone());
        }
        // SAFETY: 1. seen just now, under the lock; 2, 3. the caller's.
        unsafe { self.enqueue(waiter, waker.clone()) }
    }

    /// The slot of the first waiter, if anybody waits.
    pub(crate) fn first(&self) -> Option<&S> {
        // SAFETY: a queued waiter is alive, and its `inner` is the lock holder's (duties 2 and 3 of `enqueue`), whose borrow of the queue
        // lasts as long as that of the slot.
        self.head.map(|first| unsafe { first.as_ref() }.inner.with(|inner| unsafe { &(*inner).slot }))
    }

    /// Serves everybody who waits, and returns their wakers, as [`serve`](Self::serve) does.
    pub(crate) fn serve_all(&mut self, mut hand_over: impl FnMut(&mut S)) -> Vec<Waker> {
        core::iter::from_fn(|| self.serve(&mut hand_over)).map(|((), waker)| waker).collect()
    }

    /// Serves the first waiter: lends its slot to `hand_over`, takes it out of the queue, and returns its waker, which the caller
    /// wakes once it has released the lock. None if nobody waits who can be served: what `hand_over` has captured is dropped then, so
    /// who hands over more than a flag asks [`claim`](Self::claim) first.
    pub(crate) fn serve<R>(&mut self, hand_over: impl FnOnce(&mut S) -> R) -> Option<(R, Waker)> {
        if !self.claim() {
            return None;
        }
        let first = self.head?;
        // SAFETY: a queued waiter is alive, and its `inner` is the lock holder's (duties 2 and 3 of `enqueue`).
        let waiter = unsafe { first.as_ref() };
        // SAFETY: as above.
        let (handed, waker) =
            waiter.inner.with_mut(|inner| unsafe { (hand_over(&mut (*inner).slot), (*inner).waker.take()) });
        self.unlink(waiter);
        // The last touch: from here on the waiter may be gone.
        waiter.state.store(SERVED, Ordering::Release);
        Some((handed, waker.expect("a queued waiter has a waker")))
    }

    /// The waiter stops waiting, unless it has been served.
    pub(crate) fn give_up(&mut self, waiter: Pin<&Waiter<S>>) -> GaveUp {
        if waiter.is_served() {
            return GaveUp::Served;
        }
        // A waiter of a select may have been taken out already.
        if waiter.is_queued() {
            self.unlink(waiter.get_ref());
            waiter.state.store(IDLE, Ordering::Relaxed);
        }
        GaveUp::InTime
    }

    fn unlink(&mut self, waiter: &Waiter<S>) {
        // SAFETY: `waiter` and its neighbours are queued, hence alive, and theirs is the lock holder (duties 2, 3 of `enqueue`).
        waiter.inner.with_mut(|inner| unsafe {
            let (before, after) = ((*inner).before.take(), (*inner).after.take());
            match before {
                Some(before) => before.as_ref().inner.with_mut(|b| (*b).after = after),
                None => self.head = after,
            }
            match after {
                Some(after) => after.as_ref().inner.with_mut(|a| (*a).before = before),
                None => self.tail = before,
            }
        });
    }
}

impl<S> fmt::Debug for Waiter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state.load(Ordering::Relaxed) {
            IDLE => "idle",
            QUEUED => "queued",
            _ => "served",
        };
        f.debug_struct("Waiter").field("state", &state).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for WaitQueue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitQueue").field("empty", &self.is_empty()).finish()
    }
}
