//! One wait on a condition variable, from the lock that is held to the lock that is held again.
//!
//! ```text
//!   Holding ──► Waiting ──► Relocking ──► Done
//!      queues,     │ notified,  │ locked
//!      unlocks     │ or late    │
//!      ▼           ▼            ▼
//!    drop:       drop:        drop: gives up the lock;
//!    unlocks     a notification goes to the next
//! ```
//!
//! It queues *before* it unlocks. So whoever changes the condition under the lock comes either before, and then the caller has seen
//! it, or after, and then finds the waiter: no notification is lost.

use super::{Condvar, Notice};
use crate::sync::mutex::raw::{Claim, RawMutex};
use crate::wait::queue::Waiter;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Where a wait stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The lock is held, and nothing has begun.
    Holding,
    /// Queued, and the lock released.
    Waiting,
    /// No longer queued, for this reason; on its way to the lock.
    Relocking(Notice),
    /// The lock is the caller's.
    Done,
}

/// A wait under way.
pub(super) struct Waiting<'a> {
    condvar: &'a Condvar,
    raw: &'a RawMutex,
    stage: Stage,
    notice: Waiter<Notice>,
    claim: Waiter<Claim>,
}

impl<'a> Waiting<'a> {
    /// A wait by one that holds `raw`, and whose guard has been taken apart.
    pub(super) fn new(condvar: &'a Condvar, raw: &'a RawMutex) -> Self {
        Self {
            condvar,
            raw,
            stage: Stage::Holding,
            notice: Waiter::new(Notice::None),
            claim: Waiter::new(Claim::new()),
        }
    }

    /// Waits for a notification; without the lock, when it is ready.
    pub(super) fn poll_notified(mut self: Pin<&mut Self>, context: &Context<'_>) -> Poll<()> {
        match self.stage {
            Stage::Holding => {
                let raw = self.raw;
                self.condvar.enqueue(self.notice(), context.waker());
                self.set_stage(Stage::Waiting);
                raw.unlock();
                Poll::Pending
            }
            Stage::Waiting if self.condvar.renew(self.notice(), context.waker()) => Poll::Pending,
            Stage::Waiting => {
                let notice = *self.as_mut().notice_mut().slot();
                self.set_stage(Stage::Relocking(notice));
                Poll::Ready(())
            }
            Stage::Relocking(_) | Stage::Done => Poll::Ready(()),
        }
    }

    /// Does not wait for a notification any longer. Returns one that came all the same.
    pub(super) fn stop(mut self: Pin<&mut Self>) -> Notice {
        if self.stage == Stage::Waiting {
            let notice = self.condvar.give_up(self.as_mut().notice_mut());
            self.as_mut().set_stage(Stage::Relocking(notice));
        }
        match self.stage {
            Stage::Relocking(notice) => notice,
            Stage::Holding | Stage::Waiting | Stage::Done => Notice::None,
        }
    }

    /// Waits for the lock, once it waits for no notification any more.
    pub(super) fn poll_lock(mut self: Pin<&mut Self>, context: &Context<'_>) -> Poll<()> {
        if matches!(self.stage, Stage::Relocking(_)) {
            let raw = self.raw;
            core::task::ready!(raw.poll_lock(self.as_mut().claim_mut(), context));
            self.set_stage(Stage::Done);
        }
        Poll::Ready(())
    }

    fn set_stage(self: Pin<&mut Self>, stage: Stage) {
        // SAFETY: `stage` is not structurally pinned.
        unsafe { self.get_unchecked_mut() }.stage = stage;
    }

    fn notice(&self) -> Pin<&Waiter<Notice>> {
        // SAFETY: structurally pinned, and only reached when the whole is pinned: from the poll functions, and from `Drop`.
        unsafe { Pin::new_unchecked(&self.notice) }
    }

    fn notice_mut(self: Pin<&mut Self>) -> Pin<&mut Waiter<Notice>> {
        // SAFETY: structurally pinned: it is moved nowhere, and `Drop` treats it as pinned.
        unsafe { self.map_unchecked_mut(|waiting| &mut waiting.notice) }
    }

    fn claim_mut(self: Pin<&mut Self>) -> Pin<&mut Waiter<Claim>> {
        // SAFETY: as above.
        unsafe { self.map_unchecked_mut(|waiting| &mut waiting.claim) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // SAFETY: pinned if it was ever polled, and not moved in here.
        let mut this = unsafe { Pin::new_unchecked(self) };
        match this.stage {
            Stage::Holding => this.raw.unlock(),
            Stage::Waiting | Stage::Relocking(_) => {
                let (condvar, raw) = (this.condvar, this.raw);
                let notice = this.as_mut().stop();
                raw.give_up(this.claim_mut());
                if notice == Notice::One {
                    condvar.notify_one();
                }
            }
            Stage::Done => {}
        }
    }
}

impl fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("stage", &self.stage).finish_non_exhaustive()
    }
}
