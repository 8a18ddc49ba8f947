//! A read-write lock: many read a value at the same time, or one writes it.
//!
//! Reading pays only if it takes long or waits: for short sections a mutex is as good, and cheaper.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::{spawn, sync::RwLock};
//! use std::sync::Arc;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let words = Arc::new(RwLock::new(vec!["green"]));
//! let writer = {
//!     let words = Arc::clone(&words);
//!     spawn(move || words.write().push("thread"))
//! };
//! assert!(writer.join().is_ok());
//! assert_eq!(words.read().join(" "), "green thread");
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

mod guard;

pub use guard::{MappedRwLockWriteGuard, RwLockReadGuard, RwLockWriteGuard};

use super::acquire::{acquire, acquire_async, acquire_until};
use super::permits::{Attempt, Closed, Permits};
use crate::driver::clock;
use crate::wait::What;
use core::cell::UnsafeCell;
use core::fmt;
use std::time::{Duration, Instant};

/// Of a lock that nobody holds, so many permits are free. Who reads holds one, who writes all.
const ALL: usize = (u32::MAX >> 3) as usize;

/// A value that many may read at the same time, or one may write.
///
/// # Fairness
/// Order of arrival: readers that come while a writer waits go behind it, and a writer goes behind the readers and writers that came
/// before it. So neither waits for ever while those before it finish. Readers next to each other in the queue are let in together.
///
/// It follows that who reads must not read again before it has released the first guard: a writer that comes between the two waits for
/// the first, and the second for the writer.
///
/// # Panics
/// A panic while a guard is held releases it. The lock is not poisoned: others find the value as it was left.
///
/// # Cancellation
/// A wait that is cut short, or whose future is dropped, has locked nothing, and lets those behind it in.
pub struct RwLock<T: ?Sized> {
    permits: Permits,
    value: UnsafeCell<T>,
}

// SAFETY: the lock owns the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: guards lend the value to several threads at the same time to read (`T: Sync`), and to one of any to write (`T: Send`).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A lock with `value` in it, which nobody holds.
    pub const fn new(value: T) -> Self {
        Self { permits: Permits::new(ALL), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks to read, and waits until nobody writes first.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        never_closed(acquire(&self.permits, 1, What::Read));
        self.reading()
    }

    /// Locks to write, and waits until nobody reads or writes first.
    ///
    /// # Blocking
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        never_closed(acquire(&self.permits, ALL, What::Write));
        self.writing()
    }

    /// Locks to read, if nobody writes, or waits.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        (self.permits.try_acquire(1) == Attempt::Taken).then(|| self.reading())
    }

    /// Locks to write, if nobody reads or writes.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        (self.permits.try_acquire(ALL) == Attempt::Taken).then(|| self.writing())
    }

    /// As [`read`](Self::read), for no longer than `timeout`; a time that the clock cannot count is no limit. None: the time is over.
    ///
    /// # Blocking
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn try_read_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        self.read_until(clock::deadline_after(timeout))
    }

    /// As [`read`](Self::read), until `deadline`. None: it has come.
    ///
    /// # Blocking
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn try_read_until(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        self.read_until(Some(deadline))
    }

    /// As [`write`](Self::write), for no longer than `timeout`; a time that the clock cannot count is no limit. None: the time is over.
    ///
    /// # Blocking
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn try_write_for(&self, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        self.write_until(clock::deadline_after(timeout))
    }

    /// As [`write`](Self::write), until `deadline`. None: it has come.
    ///
    /// # Blocking
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn try_write_until(&self, deadline: Instant) -> Option<RwLockWriteGuard<'_, T>> {
        self.write_until(Some(deadline))
    }

    #[inline]
    #[track_caller]
    fn read_until(&self, deadline: Option<Instant>) -> Option<RwLockReadGuard<'_, T>> {
        never_closed(acquire_until(&self.permits, 1, What::Read, deadline)?);
        Some(self.reading())
    }

    #[inline]
    #[track_caller]
    fn write_until(&self, deadline: Option<Instant>) -> Option<RwLockWriteGuard<'_, T>> {
        never_closed(acquire_until(&self.permits, ALL, What::Write, deadline)?);
        Some(self.writing())
    }

    /// As [`read`](Self::read), as a future.
    ///
    /// # Cancellation
    /// A future that is dropped before it is done has locked nothing, and has lost its place.
    pub async fn read_async(&self) -> RwLockReadGuard<'_, T> {
        never_closed(acquire_async(&self.permits, 1).await);
        self.reading()
    }

    /// As [`write`](Self::write), as a future.
    ///
    /// # Cancellation
    /// As [`read_async`](Self::read_async).
    pub async fn write_async(&self) -> RwLockWriteGuard<'_, T> {
        never_closed(acquire_async(&self.permits, ALL).await);
        self.writing()
    }

    /// The value, without locking: the exclusive borrow says that nobody holds the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// With one permit of the caller's.
    fn reading(&self) -> RwLockReadGuard<'_, T> {
        // SAFETY: one permit is held, so nobody has all of them.
        unsafe { RwLockReadGuard::new(&self.permits, &self.value) }
    }

    /// With all permits the caller's.
    fn writing(&self) -> RwLockWriteGuard<'_, T> {
        // SAFETY: all permits are held, so nobody else has any.
        unsafe { RwLockWriteGuard::new(&self.permits, &self.value) }
    }
}

fn never_closed(acquired: Result<(), Closed>) {
    acquired.expect("nobody closes the permits of a lock");
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lock = f.debug_struct("RwLock");
        match self.try_read() {
            Some(value) => lock.field("value", &&*value),
            None => lock.field("value", &format_args!("<locked>")),
        };
        lock.finish()
    }
}
