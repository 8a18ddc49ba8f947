//! A wait group: waiting until a number of others have finished.
//!
//! To wait for green threads whose values one wants, join them.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::{spawn, sync::WaitGroup};
//! use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let (group, sum) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
//! for n in 0..10 {
//!     let (member, sum) = (group.enter(), Arc::clone(&sum));
//!     spawn(move || {
//!         sum.fetch_add(n, Ordering::Relaxed);
//!         drop(member);
//!     });
//! }
//! group.wait();
//! assert_eq!(sum.load(Ordering::Relaxed), 45);
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

use super::timed_out::TimedOut;
use crate::driver::clock;
use crate::primitive::{Mutex, lock_briefly};
use crate::wait::What;
use crate::wait::operation::{Operation, Waiting, wait_for, wait_for_until};
use crate::wait::queue::{WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Counts those who work, and lets others wait until nobody does. Clones are the same group.
///
/// [`enter`](Self::enter) counts by a value that counts out when it is dropped: by a panic too, and if the green thread that it was given to is
/// cancelled, even before it has run. [`add`](Self::add) and [`done`](Self::done) are Go's, for those who count otherwise.
///
/// A group may be used again. Who waits is let go when the count has come to 0, even if it has risen again before it looks; so enter
/// before you wait, as in Go. What was done before the members counted out has been done for who waited.
///
/// # Cancellation
/// A wait that is cut short, or whose future is dropped, leaves the group as it was.
#[derive(Clone)]
pub struct WaitGroup(Arc<Group>);

struct Group(Mutex<State>);

struct State {
    count: usize,
    /// Nobody waits while the count is 0.
    waiting: WaitQueue<()>,
}

impl WaitGroup {
    /// A group in which nobody works.
    pub fn new() -> Self {
        Self(Arc::new(Group(Mutex::new(State { count: 0, waiting: WaitQueue::new() }))))
    }

    /// Counts one in, until the value that it returns is dropped.
    pub fn enter(&self) -> WaitGroupMember {
        self.add(1);
        WaitGroupMember(self.clone())
    }

    /// Counts `more` in, to be counted out by [`done`](Self::done).
    ///
    /// # Panics
    /// If there were more than a `usize` counts.
    #[track_caller]
    pub fn add(&self, more: usize) {
        let mut state = lock_briefly(&self.0.0);
        let count = state.count.checked_add(more);
        if let Some(count) = count {
            state.count = count;
        }
        drop(state);
        assert!(count.is_some(), "a WaitGroup has too many members");
    }

    /// Counts one out; the last one lets those go who wait.
    ///
    /// # Panics
    /// If all have been counted out already.
    #[track_caller]
    pub fn done(&self) {
        let mut state = lock_briefly(&self.0.0);
        let Some(count) = state.count.checked_sub(1) else {
            drop(state);
            panic!("a WaitGroup was told `done` more often than it was told to `add`");
        };
        state.count = count;
        if count == 0 {
            let wakers = state.waiting.serve_all(|()| ());
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// How many are counted in now.
    pub fn count(&self) -> usize {
        lock_briefly(&self.0.0).count
    }

    /// Waits until all have been counted out; not at all, if nobody is counted in.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn wait(&self) {
        wait_for(What::WaitGroup, WaitForAll(&self.0), ());
    }

    /// As [`wait`](Self::wait), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Errors
    /// If the time is over.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        wait_for_until(What::WaitGroup, clock::deadline_after(timeout), WaitForAll(&self.0), ()).ok_or(TimedOut)
    }

    /// As [`wait`](Self::wait), until `deadline`.
    ///
    /// # Blocking
    /// As [`wait`](Self::wait).
    ///
    /// # Errors
    /// If the deadline has come.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        wait_for_until(What::WaitGroup, Some(deadline), WaitForAll(&self.0), ()).ok_or(TimedOut)
    }

    /// As [`wait`](Self::wait), as a future.
    ///
    /// # Cancellation
    /// It may be dropped at any time.
    pub async fn wait_async(&self) {
        Waiting::new(WaitForAll(&self.0), ()).await;
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// One who works, counted out of its [`WaitGroup`] when this is dropped. A clone counts one more.
#[must_use = "a member that is not kept is counted out at once"]
#[derive(Debug)]
pub struct WaitGroupMember(WaitGroup);

impl Clone for WaitGroupMember {
    fn clone(&self) -> Self {
        self.0.enter()
    }
}

impl Drop for WaitGroupMember {
    fn drop(&mut self) {
        self.0.done();
    }
}

struct WaitForAll<'a>(&'a Group);

impl Operation for WaitForAll<'_> {
    type Slot = ();
    type Output = ();

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<()> {
        let mut state = lock_briefly(&self.0.0);
        if state.count == 0 || waiter.is_served() {
            return Poll::Ready(());
        }
        // SAFETY: 1. in this queue, if at all; 2. pinned by its owner, who gives up before it drops it; 3. the group's lock.
        let old = unsafe { state.waiting.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let _ = lock_briefly(&self.0.0).waiting.give_up(waiter.as_ref());
        }
    }
}
