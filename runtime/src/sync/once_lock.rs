//! A value that is made once.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::{spawn, sync::OnceLock};
//!
//! static ANSWER: OnceLock<u32> = OnceLock::new();
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! // Making it may wait; so do those that ask meanwhile.
//! let asking: Vec<_> = (0..4).map(|_| spawn(|| *ANSWER.get_or_init(|| spawn(|| 42).join().unwrap_or(0)))).collect();
//! assert!(asking.into_iter().all(|asking| matches!(asking.join(), Ok(42))));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

use super::once::Once;
use super::timed_out::TimedOut;
use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

/// A place for a value that is put there once, by whoever comes first.
///
/// # Panics
/// A function that panics, fails, or is cut short by a [cancellation](crate::cancel) has made no value: the first of those that wait makes one
/// with its own. Nothing is poisoned.
///
/// The function may wait. It must not use the place that it makes the value for: that is a panic, not a wait for ever, but in the `_async`
/// forms.
///
/// # Cancellation
/// Who waits may be cut short at any time.
pub struct OnceLock<T> {
    once: Once,
    /// Filled before the `Once` is completed, by the one who runs its function; only read afterwards.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: shared, it lends shared references to several threads (`T: Sync`), and takes a value from one that another may drop
// (`T: Send`). The value is written by one at a time, the `Once` says who.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}
// What a panic leaves behind is a place without a value.
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// A place without a value.
    pub const fn new() -> Self {
        Self { once: Once::new(), value: UnsafeCell::new(None) }
    }

    /// The value, if it has been made.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.once.is_completed() {
            return None;
        }
        // SAFETY: completed, so nobody writes to it any more but by `&mut self`.
        unsafe { &*self.value.get() }.as_ref()
    }

    /// The value, if it has been made.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// The value. If there is none, `f` makes it; if it is being made, waits for it.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// With the panic of `f`. In a callback under a bare C call, if it would have to wait. In a function that makes this very value.
    #[inline]
    #[track_caller]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        let Ok(value) = self.get_or_try_init(|| Ok::<T, Infallible>(f()));
        value
    }

    /// As [`get_or_init`](Self::get_or_init), with an `f` that may fail.
    ///
    /// # Blocking
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Errors
    /// Those of `f`; there is no value then.
    ///
    /// # Panics
    /// As [`get_or_init`](Self::get_or_init).
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        match self.get() {
            Some(value) => Ok(value),
            None => self.make(f),
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn make<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        // SAFETY: in the function that the `Once` runs.
        self.once.try_call(|| f().map(|value| unsafe { self.put(value) }))?;
        Ok(self.made())
    }

    /// As [`get_or_init`](Self::get_or_init), as a future that makes the value with a future. `f` is called if and when it is its turn.
    ///
    /// # Panics
    /// With the panic of `f`, or of its future.
    ///
    /// # Cancellation
    /// Dropped, it drops the future that makes the value, and the next one has its turn.
    pub async fn get_or_init_async<F: Future<Output = T>>(&self, f: impl FnOnce() -> F) -> &T {
        let Ok(value) = self.get_or_try_init_async(|| async { Ok::<T, Infallible>(f().await) }).await;
        value
    }

    /// As [`get_or_init_async`](Self::get_or_init_async), with a future that may fail.
    ///
    /// # Errors
    /// Those of the future; there is no value then.
    ///
    /// # Panics
    /// As [`get_or_init_async`](Self::get_or_init_async).
    ///
    /// # Cancellation
    /// As [`get_or_init_async`](Self::get_or_init_async).
    pub async fn get_or_try_init_async<E, F>(&self, f: impl FnOnce() -> F) -> Result<&T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if self.get().is_none() {
            // SAFETY: in the function that the `Once` runs.
            self.once.try_call_async(|| async { f().await.map(|value| unsafe { self.put(value) }) }).await?;
        }
        Ok(self.made())
    }

    /// Makes `value` the value.
    ///
    /// # Blocking
    /// If it is being made: as [`get_or_init`](Self::get_or_init).
    ///
    /// # Errors
    /// With `value`, if there is one already.
    ///
    /// # Panics
    /// As [`get_or_init`](Self::get_or_init).
    #[inline(never)]
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("one function is run once"));
        value.map_or(Ok(()), Err)
    }

    /// Waits until another caller has made the value.
    ///
    /// # Blocking
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait. In a function that makes this very value.
    #[inline(never)]
    #[track_caller]
    pub fn wait(&self) -> &T {
        self.once.wait();
        self.made()
    }

    /// As [`wait`](Self::wait), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Errors
    /// If the time is over.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<&T, TimedOut> {
        self.once.wait_timeout(timeout).map(|()| self.made())
    }

    /// As [`wait`](Self::wait), until `deadline`.
    ///
    /// # Blocking
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Errors
    /// If the deadline has come.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<&T, TimedOut> {
        self.once.wait_deadline(deadline).map(|()| self.made())
    }

    /// As [`wait`](Self::wait), as a future.
    ///
    /// # Cancellation
    /// It may be dropped at any time.
    pub async fn wait_async(&self) -> &T {
        self.once.wait_async().await;
        self.made()
    }

    /// Takes the value out: the place is as new.
    pub fn take(&mut self) -> Option<T> {
        core::mem::take(self).into_inner()
    }

    /// The value, if it has been made.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// # Safety
    /// The caller is the function that the `Once` runs.
    unsafe fn put(&self, value: T) {
        // SAFETY: one at a time (the caller), and nobody reads it before the `Once` is completed.
        unsafe { *self.value.get() = Some(value) };
    }

    fn made(&self) -> &T {
        self.get().expect("a `Once` that is completed has a value beside it")
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> Self {
        let made = Self::new();
        made.get_or_init(|| value);
        made
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        self.get().cloned().map_or_else(Self::new, Self::from)
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lock = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => lock.field(value),
            None => lock.field(&format_args!("<none>")),
        };
        lock.finish()
    }
}
