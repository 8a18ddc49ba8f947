//! Waiting for permits: what the semaphore and the read-write lock have in common.

use super::permits::{Attempt, Closed, Permits, Request};
use crate::wait::What;
use crate::wait::operation::{Operation, Waiting, wait_for, wait_for_until};
use crate::wait::queue::Waiter;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::time::Instant;

struct Acquire<'a>(&'a Permits);

impl Operation for Acquire<'_> {
    type Slot = Request;
    type Output = Result<(), Closed>;

    #[inline]
    fn poll(&self, waiter: Pin<&mut Waiter<Request>>, context: &Context<'_>) -> Poll<Self::Output> {
        self.0.poll(waiter, context)
    }

    #[inline]
    fn give_up(&self, waiter: Pin<&mut Waiter<Request>>) {
        self.0.give_up(waiter);
    }
}

/// Takes permits, and waits for them wherever the caller is.
///
/// # Panics
/// As every wait.
#[inline]
#[track_caller]
pub(super) fn acquire(permits: &Permits, needs: usize, what: What) -> Result<(), Closed> {
    match permits.try_acquire(needs) {
        Attempt::Taken => Ok(()),
        Attempt::Closed => Err(Closed),
        Attempt::MustWait => wait_for(what, Acquire(permits), Request::new(needs)),
    }
}

/// The same until `deadline`: None if that has come first.
///
/// # Panics
/// As every wait.
#[track_caller]
pub(super) fn acquire_until(
    permits: &Permits,
    needs: usize,
    what: What,
    deadline: Option<Instant>,
) -> Option<Result<(), Closed>> {
    match permits.try_acquire(needs) {
        Attempt::Taken => Some(Ok(())),
        Attempt::Closed => Some(Err(Closed)),
        Attempt::MustWait => wait_for_until(what, deadline, Acquire(permits), Request::new(needs)),
    }
}

/// The same as a future.
pub(super) async fn acquire_async(permits: &Permits, needs: usize) -> Result<(), Closed> {
    match permits.try_acquire(needs) {
        Attempt::Taken => Ok(()),
        Attempt::Closed => Err(Closed),
        Attempt::MustWait => Waiting::new(Acquire(permits), Request::new(needs)).await,
    }
}
