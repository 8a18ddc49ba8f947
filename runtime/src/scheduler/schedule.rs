//! Where a ready green thread goes.
//!
//! | it is | it goes to |
//! |---|---|
//! | pinned | its worker's inbox, or the queue beside it; that worker is woken by name |
//! | woken, by code that owns a processor or can borrow one | `next` of that processor; the one that was there goes to the run queue |
//! | new, or it yielded | the back of the run queue |
//! | woken or made anywhere else | the injector |
//!
//! A push to a run queue or the injector is followed by `wake_one`; a push to `next` is not: the green thread that made the other
//! one ready is about to wait, more often than not, and then `next` runs on a warm core. If it does not wait, the monitor notices.

use super::inbox::Delivery;
use super::processor::Processor;
use super::runtime::{Runtime, runtime};
use super::worker::Worker;
use super::{current, hand_off, monitor};
use crate::green::thread::{Ready, Residence};
use crate::primitive::{Ordering, light_fence};

/// Which end of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before all others: it was just woken.
    Next,
    /// Behind all others: it is new, or has had its turn.
    Back,
}

/// Puts `ready` where it belongs.
///
/// Never inlined: the queues use thread-locals of their own, which must not be cached in a function that suspends.
#[inline(never)]
pub(crate) fn schedule(ready: Ready, place: Place) {
    ready.stamp.is_ready();
    if let Some(home) = ready.home.get() {
        return deliver(home, ready);
    }
    let runtime = runtime();
    let Some(worker) = current::worker() else { return inject(runtime, ready) };
    // As `borrow_processor`, written out: through a closure that may not be called, a channel's round trip takes 4 % longer.
    if worker.status.is_entered() {
        if !worker.try_leave() {
            return inject(runtime, ready);
        }
        if let Some(processor) = worker.processor() {
            push(runtime, processor, ready, place);
        }
        worker.enter();
        return;
    }
    match worker.processor() {
        Some(processor) => push(runtime, processor, ready, place),
        None => inject(runtime, ready),
    }
}

/// Pushes to a processor of the caller's.
#[inline]
pub(crate) fn push(runtime: &'static Runtime, processor: &Processor, ready: Ready, place: Place) {
    let displaced = match place {
        Place::Next => {
            processor.counts.woken.one();
            let displaced = processor.put_next(ready);
            if displaced.is_none() {
                // Pairs with the heavy fences of the monitor, and of a worker whose processor becomes idle.
                light_fence();
                // SAFETY: the caller owns the processor.
                let runs_next = || unsafe { processor.owned(|owned| owned.watch.runs_next()) };
                if runtime.idle.some_idle() && monitor::ASLEEP.load(Ordering::Relaxed) && !runs_next() {
                    monitor::wake();
                }
                return;
            }
            displaced
        }
        Place::Back => Some(ready),
    };
    if let Some(ready) = displaced {
        // SAFETY: the caller owns the processor.
        unsafe { processor.owned(|owned| owned.queue.push(ready)) };
        hand_off::wake_one(runtime);
    }
}

/// Pushes to the injector.
pub(crate) fn inject(runtime: &'static Runtime, ready: Ready) {
    runtime.injector.push(ready);
    hand_off::wake_one(runtime);
}

/// Delivers a pinned green thread to the worker that keeps it.
#[cold]
pub(crate) fn deliver(home: &'static Worker, ready: Ready) {
    let delivery = match ready.residence.get() {
        Residence::Exclusive => home.inbox.put(ready.into_raw()),
        // Of these there may be many: interleaved residents, and guests that have waited to move here.
        Residence::Interleaved | Residence::Free => {
            home.pinned.push(ready);
            home.inbox.ring()
        }
    };
    if delivery == Delivery::MustUnpark {
        home.unpark();
    }
}
