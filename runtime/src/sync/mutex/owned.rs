//! A guard that keeps its lock alive.

use super::future::LockOwnedFuture;
use super::raw::Attempt;
use super::{Mutex, lock_slowly};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A guard without a lifetime: it keeps the [`Mutex`], so it may go where a [`MutexGuard`](super::MutexGuard) cannot, into a message or a
/// green thread that has just been spawned.
///
/// # Examples
/// ```
/// use greenbridge_runtime::sync::Mutex;
/// use std::sync::Arc;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let list = Arc::new(Mutex::new(vec![1]));
/// let mut guard = Arc::clone(&list).lock_owned();
/// let adds = greenbridge_runtime::spawn(move || guard.push(2));
/// assert_eq!(list.lock().len(), 2);
/// # drop(adds);
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[must_use = "the lock is released when the guard is dropped"]
pub struct OwnedMutexGuard<T: ?Sized> {
    mutex: Arc<Mutex<T>>,
    /// It takes away the automatic `Sync`, which would not ask whether `T` is.
    _value: PhantomData<*const ()>,
}

// SAFETY: as for `MutexGuard`. The lock, and with it the value, may be dropped wherever the last guard is, which `T: Send` allows.
unsafe impl<T: ?Sized + Send> Send for OwnedMutexGuard<T> {}
// SAFETY: a shared guard lends `&T`. `Send` as well: the lock that it keeps may be reached through it.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedMutexGuard<T> {}

impl<T: ?Sized> Mutex<T> {
    /// As [`lock`](Self::lock), with a guard that keeps the lock alive.
    ///
    /// # Blocking
    /// As [`lock`](Self::lock).
    ///
    /// # Panics
    /// As [`lock`](Self::lock).
    ///
    /// # Cancellation
    /// As [`lock`](Self::lock).
    #[inline]
    #[track_caller]
    pub fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        if self.raw.try_lock() == Attempt::Held {
            lock_slowly(&self.raw);
        }
        OwnedMutexGuard::of(self)
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the lock alive.
    #[inline]
    pub fn try_lock_owned(self: Arc<Self>) -> Option<OwnedMutexGuard<T>> {
        (self.raw.try_lock() == Attempt::Locked).then(|| OwnedMutexGuard::of(self))
    }

    /// As [`lock_async`](Self::lock_async), with a guard that keeps the lock alive.
    ///
    /// # Cancellation
    /// As [`lock_async`](Self::lock_async).
    pub fn lock_owned_async(self: Arc<Self>) -> LockOwnedFuture<T> {
        LockOwnedFuture::new(self)
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The guard of one that has locked `mutex`.
    #[inline]
    pub(super) fn of(mutex: Arc<Mutex<T>>) -> Self {
        Self { mutex, _value: PhantomData }
    }

    /// The lock that `guard` holds.
    pub fn mutex(guard: &Self) -> &Arc<Mutex<T>> {
        &guard.mutex
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for the guard, and the loan is part of the guard's.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
