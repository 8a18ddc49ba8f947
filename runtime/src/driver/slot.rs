//! A slot of the reactor: the place of one registered file, with those who wait for it.
//!
//! Slots are never freed, only used again for the next file: the kernel hands their addresses back with each event, and an event that
//! comes late must find memory. It finds a closed word, or, at the worst, the file that has the slot by then, which tries once in vain.
//!
//! ```text
//!   Slot: readiness word │ lock: those who wait to read, those who wait to write │ the file's number
//! ```
//!
//! # What it must never do
//! Wake, clone or drop a waker of somebody else's under the lock: that is foreign code. (The caller's own is cloned under it, as everywhere.)

use super::readiness::{Arm, Direction, Directions, Event, Readiness, Seen};
use crate::primitive::{Mutex, lock, lock_briefly};
use crate::wait::queue::{WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Waker};
use std::os::fd::{OwnedFd, RawFd};

/// One slot. On lines of its own: its word is written by whoever has an event, and by whoever waits.
#[repr(align(128))]
pub(crate) struct Slot {
    pub(super) readiness: Readiness,
    list: Mutex<List>,
}

struct List {
    /// Who waits to read, and who to write.
    waiting: [WaitQueue<()>; 2],
    /// What is registered with the kernel; None: the slot is free.
    registered: Option<Registered>,
}

/// The number under which a file is registered with the kernel.
#[derive(Debug)]
pub(super) enum Registered {
    /// The one that the user has for it.
    AsIs(RawFd),
    /// A duplicate: the user's own is registered already, by somebody else who waits for it.
    Duplicate(OwnedFd),
}

impl Slot {
    /// A free slot.
    pub(super) const fn new() -> Self {
        Self {
            readiness: Readiness::new(),
            list: Mutex::new(List { waiting: [WaitQueue::new(), WaitQueue::new()], registered: None }),
        }
    }

    /// Its file is registered.
    pub(super) fn keep(&self, registered: Registered) {
        lock(&self.list).registered = Some(registered);
    }

    /// Closes it. Whoever still waits, which only a future can that was forgotten, is woken.
    pub(super) fn close(&self) -> Option<Registered> {
        let served = self.readiness.close();
        self.serve(served);
        lock(&self.list).registered.take()
    }

    /// Whether anybody waits for its file: a moment's truth.
    pub(super) fn is_awaited(&self) -> bool {
        [Direction::Read, Direction::Write].iter().any(|&direction| self.readiness.is_awaited(direction))
    }

    /// An event has come: wakes all who wait for it.
    #[inline]
    pub(super) fn deliver(&self, event: Event) {
        let served = self.readiness.deliver(event);
        if !served.is_empty() {
            self.serve(served);
        }
    }

    fn serve(&self, directions: Directions) {
        for direction in [Direction::Read, Direction::Write] {
            if directions.has(direction) {
                self.serve_one_way(direction);
            }
        }
    }

    /// Mostly one waits, and then nothing is allocated.
    fn serve_one_way(&self, direction: Direction) {
        let (first, others) = {
            let mut list = lock_briefly(&self.list);
            let queue = &mut list.waiting[direction as usize];
            let first = queue.serve(|()| ());
            let others = if queue.is_empty() { Vec::new() } else { queue.serve_all(|()| ()) };
            // One that has armed since the event was delivered has been served with the others.
            if self.readiness.is_awaited(direction) {
                self.readiness.disarm(direction);
            }
            (first, others)
        };
        first.into_iter().map(|((), waker)| waker).chain(others).for_each(Waker::wake);
    }

    /// Queues `waiter`, whose operation was tried after `seen` and would block, unless it must try again.
    ///
    /// Never inlined, nor is giving up: the caller may go on on another OS thread, and locks have thread-locals of their own.
    #[inline(never)]
    pub(crate) fn arm(
        &self,
        seen: Seen,
        direction: Direction,
        waiter: Pin<&mut Waiter<()>>,
        context: &Context<'_>,
    ) -> Arm {
        let mut list = lock_briefly(&self.list);
        if self.readiness.arm(seen, direction) == Arm::MustTry {
            return Arm::MustTry;
        }
        // SAFETY: 1. in this queue or none: a waiter keeps to one slot and one direction; 2. pinned by its owner, who gives up before it
        // drops it; 3. the slot's lock.
        let old = unsafe { list.waiting[direction as usize].enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(list);
        drop(old);
        Arm::MustWait
    }

    /// `waiter` no longer waits.
    #[inline(never)]
    pub(crate) fn give_up(&self, direction: Direction, waiter: Pin<&Waiter<()>>) {
        let mut list = lock_briefly(&self.list);
        let queue = &mut list.waiting[direction as usize];
        // All who wait are served by each event, so one that has been served owes nobody anything.
        let _ = queue.give_up(waiter);
        if queue.is_empty() {
            self.readiness.disarm(direction);
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}
