//! A barrier: so many callers wait until all of them have come.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::{spawn, sync::Barrier};
//! use std::sync::Arc;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let barrier = Arc::new(Barrier::new(10));
//! let runners: Vec<_> = (0..10)
//!     .map(|_| {
//!         let barrier = Arc::clone(&barrier);
//!         spawn(move || barrier.wait().is_leader())
//!     })
//!     .collect();
//! let leaders = runners.into_iter().filter_map(|runner| runner.join().ok()).filter(|is_leader| *is_leader);
//! assert_eq!(leaders.count(), 1);
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

use super::timed_out::TimedOut;
use crate::driver::clock;
use crate::primitive::{Mutex, lock_briefly};
use crate::wait::What;
use crate::wait::operation::{Operation, Waiting, wait_for, wait_for_until};
use crate::wait::queue::{GaveUp, WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Lets callers go on when so many of them have come, and then can be used again.
///
/// The one that comes last does not wait, and is the *leader* of its round. Those of the next round may come before all of this one have gone
/// on: rounds do not mix.
///
/// # Cancellation
/// Who is cut short has not come: the round still needs as many as if it had never been there. Once the last one has come, the round is
/// complete, whatever becomes of its members.
pub struct Barrier {
    size: usize,
    state: Mutex<State>,
}

struct State {
    /// How many have come in this round: as many as wait.
    arrived: usize,
    waiting: WaitQueue<()>,
}

impl Barrier {
    /// A barrier for rounds of `size`; 0 is as 1: nobody waits.
    pub const fn new(size: usize) -> Self {
        Self { size, state: Mutex::new(State { arrived: 0, waiting: WaitQueue::new() }) }
    }

    /// Waits until all of a round have come.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait; then it has not come.
    #[inline(never)]
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        wait_for(What::Barrier, Arrive(self), ())
    }

    /// As [`wait`](Self::wait), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Errors
    /// If the time is over; then it has not come.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<BarrierWaitResult, TimedOut> {
        wait_for_until(What::Barrier, clock::deadline_after(timeout), Arrive(self), ()).ok_or(TimedOut)
    }

    /// As [`wait`](Self::wait), until `deadline`.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Errors
    /// If the deadline has come; then the caller has not.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<BarrierWaitResult, TimedOut> {
        wait_for_until(What::Barrier, Some(deadline), Arrive(self), ()).ok_or(TimedOut)
    }

    /// As [`wait`](Self::wait), as a future. It comes when it is first polled.
    ///
    /// # Cancellation
    /// A future that is dropped before the round is complete has not come.
    pub async fn wait_async(&self) -> BarrierWaitResult {
        Waiting::new(Arrive(self), ()).await
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrived = lock_briefly(&self.state).arrived;
        f.debug_struct("Barrier").field("size", &self.size).field("arrived", &arrived).finish()
    }
}

/// What a round brings to one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl BarrierWaitResult {
    /// Whether the caller came last: true for exactly one of a round.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

struct Arrive<'a>(&'a Barrier);

impl Operation for Arrive<'_> {
    type Slot = ();
    type Output = BarrierWaitResult;

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<BarrierWaitResult> {
        let mut state = lock_briefly(&self.0.state);
        if waiter.is_served() {
            waiter.reset();
            return Poll::Ready(BarrierWaitResult { is_leader: false });
        }
        if !waiter.is_queued() {
            if state.arrived + 1 >= self.0.size {
                state.arrived = 0;
                let wakers = state.waiting.serve_all(|()| ());
                drop(state);
                wakers.into_iter().for_each(Waker::wake);
                return Poll::Ready(BarrierWaitResult { is_leader: true });
            }
            state.arrived += 1;
        }
        // SAFETY: 1. in this queue, if at all; 2. pinned by its owner, who gives up before it drops it; 3. the barrier's lock.
        let old = unsafe { state.waiting.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let mut state = lock_briefly(&self.0.state);
            if state.waiting.give_up(waiter.as_ref()) == GaveUp::InTime {
                state.arrived -= 1;
            }
        }
    }
}
