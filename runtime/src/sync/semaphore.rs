//! A semaphore: so many permits, which are taken and given back.
//!
//! It limits how many do something at the same time. For one at a time, with a value, take a mutex; to pass values on, a
//! [`channel`](super::channel).
//!
//! # Examples
//! At most two at a time:
//! ```
//! use greenbridge_runtime::{spawn, sync::Semaphore};
//! use std::sync::Arc;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let seats = Arc::new(Semaphore::new(2));
//! let guests: Vec<_> = (0..10)
//!     .map(|n| {
//!         let seats = Arc::clone(&seats);
//!         spawn(move || seats.acquire().map(|_seat| n))
//!     })
//!     .collect();
//! let served: u32 = guests.into_iter().filter_map(|guest| guest.join().ok()?.ok()).sum();
//! assert_eq!((served, seats.available_permits()), (45, 2));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

mod error;
mod permit;

pub use error::{AcquireError, AcquireTimeoutError, TryAcquireError};
pub use permit::{OwnedSemaphorePermit, SemaphorePermit};

use super::acquire::{acquire, acquire_async, acquire_until};
use super::permits::{Attempt, Closed, Permits};
use crate::driver::clock;
use crate::wait::What;
use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Hands out permits, in order of arrival.
///
/// # Fairness
/// First come, first served: a request is never overtaken, however large it is. One for more permits than are free keeps those
/// that came later waiting, until it has been served or gives up. One for more permits than there will ever be waits for ever.
///
/// Taking and giving back while nobody waits is one atomic operation each.
///
/// # Cancellation
/// A request that is cut short, or whose future is dropped, has taken nothing; permits that it was just being handed go to the next.
/// Permits are given back when they are dropped, in a panic too.
pub struct Semaphore {
    permits: Permits,
}

impl Semaphore {
    /// The most permits that may be free.
    pub const MAX_PERMITS: usize = Permits::MAX;

    /// A semaphore with so many permits.
    ///
    /// # Panics
    /// If they are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    pub const fn new(permits: usize) -> Self {
        Self { permits: Permits::new(permits) }
    }

    /// Takes a permit, and waits for it first.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        acquire(&self.permits, 1, What::Permits)?;
        Ok(self.permit(1))
    }

    /// Takes `count` permits at once, and waits until there are so many first.
    ///
    /// # Blocking
    /// As [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire); and if `count` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[inline(never)]
    #[track_caller]
    pub fn acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        acquire(&self.permits, within_range(count), What::Permits)?;
        Ok(self.permit(count))
    }

    /// Takes a permit, if there is one, and nobody waits.
    ///
    /// # Errors
    /// If there is none, or others came first; or the semaphore is closed.
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits, if there are so many, and nobody waits.
    ///
    /// # Errors
    /// If there are too few, or others came first; or the semaphore is closed.
    ///
    /// # Panics
    /// If `count` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[inline]
    pub fn try_acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        match self.permits.try_acquire(within_range(count)) {
            Attempt::Taken => Ok(self.permit(count)),
            Attempt::MustWait => Err(TryAcquireError::NoPermits),
            Attempt::Closed => Err(TryAcquireError::Closed),
        }
    }

    /// As [`acquire`](Self::acquire), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// If the semaphore is closed, or the time is over.
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    #[inline(never)]
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.acquire_many_until(1, clock::deadline_after(timeout))
    }

    /// As [`acquire`](Self::acquire), until `deadline`.
    ///
    /// # Blocking
    /// As [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// If the semaphore is closed, or the deadline has come.
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    #[inline(never)]
    #[track_caller]
    pub fn acquire_deadline(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.acquire_many_until(1, Some(deadline))
    }

    /// As [`acquire_many`](Self::acquire_many), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// If the semaphore is closed, or the time is over.
    ///
    /// # Panics
    /// As [`acquire_many`](Self::acquire_many).
    #[inline(never)]
    #[track_caller]
    pub fn acquire_many_timeout(
        &self,
        count: u32,
        timeout: Duration,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.acquire_many_until(count, clock::deadline_after(timeout))
    }

    /// As [`acquire_many`](Self::acquire_many), until `deadline`.
    ///
    /// # Blocking
    /// As [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// If the semaphore is closed, or the deadline has come.
    ///
    /// # Panics
    /// As [`acquire_many`](Self::acquire_many).
    #[inline(never)]
    #[track_caller]
    pub fn acquire_many_deadline(
        &self,
        count: u32,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.acquire_many_until(count, Some(deadline))
    }

    #[inline]
    #[track_caller]
    fn acquire_many_until(
        &self,
        count: u32,
        deadline: Option<Instant>,
    ) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        match acquire_until(&self.permits, within_range(count), What::Permits, deadline) {
            Some(Ok(())) => Ok(self.permit(count)),
            Some(Err(Closed)) => Err(AcquireTimeoutError::Closed),
            None => Err(AcquireTimeoutError::Timeout),
        }
    }

    /// As [`acquire`](Self::acquire), as a future.
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Cancellation
    /// A future that is dropped before it is done has taken nothing, and has lost its place.
    pub async fn acquire_async(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many_async(1).await
    }

    /// As [`acquire_many`](Self::acquire_many), as a future.
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Panics
    /// If `count` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Cancellation
    /// As [`acquire_async`](Self::acquire_async).
    pub async fn acquire_many_async(&self, count: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        acquire_async(&self.permits, within_range(count)).await?;
        Ok(self.permit(count))
    }

    /// As [`acquire`](Self::acquire), for a permit that keeps the semaphore and may go anywhere.
    ///
    /// # Blocking
    /// As [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Panics
    /// As [`acquire`](Self::acquire).
    #[inline(never)]
    #[track_caller]
    pub fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_many`](Self::acquire_many), for permits that keep the semaphore and may go anywhere.
    ///
    /// # Blocking
    /// As [`acquire`](Self::acquire).
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Panics
    /// As [`acquire_many`](Self::acquire_many).
    #[inline(never)]
    #[track_caller]
    pub fn acquire_many_owned(self: Arc<Self>, count: u32) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many(count)?.forget();
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    /// As [`try_acquire`](Self::try_acquire), for a permit that keeps the semaphore and may go anywhere.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Self::try_acquire_many), for permits that keep the semaphore and may go anywhere.
    ///
    /// # Errors
    /// As [`try_acquire_many`](Self::try_acquire_many).
    ///
    /// # Panics
    /// As [`try_acquire_many`](Self::try_acquire_many).
    pub fn try_acquire_many_owned(self: Arc<Self>, count: u32) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many(count)?.forget();
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    /// As [`acquire_owned`](Self::acquire_owned), as a future.
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Cancellation
    /// As [`acquire_async`](Self::acquire_async).
    pub async fn acquire_owned_async(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned_async(1).await
    }

    /// As [`acquire_many_owned`](Self::acquire_many_owned), as a future.
    ///
    /// # Errors
    /// If the semaphore is closed.
    ///
    /// # Panics
    /// As [`acquire_many_async`](Self::acquire_many_async).
    ///
    /// # Cancellation
    /// As [`acquire_async`](Self::acquire_async).
    pub async fn acquire_many_owned_async(self: Arc<Self>, count: u32) -> Result<OwnedSemaphorePermit, AcquireError> {
        acquire_async(&self.permits, within_range(count)).await?;
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    /// Adds permits.
    ///
    /// # Panics
    /// If more than [`MAX_PERMITS`](Self::MAX_PERMITS) would be free.
    pub fn add_permits(&self, count: usize) {
        self.permits.release(count);
    }

    /// Takes up to `at_most` of the free permits away for good, and says how many it found.
    pub fn forget_permits(&self, at_most: usize) -> usize {
        self.permits.forget(at_most)
    }

    /// How many permits are free now.
    pub fn available_permits(&self) -> usize {
        self.permits.free()
    }

    /// Closes it: who waits, and who comes later, gets an error. Permits that are held remain good. False: it was closed already.
    pub fn close(&self) -> bool {
        self.permits.close()
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    fn permit(&self, count: u32) -> SemaphorePermit<'_> {
        SemaphorePermit::new(self, count)
    }
}

/// The count as the permits count, which is enough for every `u32` but on a machine of 32 bits.
#[inline]
fn within_range(count: u32) -> usize {
    let count = count as usize;
    assert!(count <= Permits::MAX, "more permits than `MAX_PERMITS`");
    count
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}
