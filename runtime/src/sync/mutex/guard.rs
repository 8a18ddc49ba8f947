//! What a holder has: the value, or a part of it, until it is dropped.
//!
//! The lock belongs to no OS thread. Its word says that somebody holds it, not who, and a guard refers to nothing else. So a green thread
//! may be suspended with a guard and go on elsewhere, a guard may be kept in a future over an `await`, or sent to somebody else, who
//! unlocks; `std::sync::MutexGuard` can do none of that.

use super::Mutex;
use super::raw::RawMutex;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// The value of a [`Mutex`] that the owner of the guard holds. It unlocks when it is dropped.
///
/// It may be held over a wait, and sent to another thread if the value may.
#[must_use = "the lock is released when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// What it stands for. It takes away the automatic `Send` and `Sync`, which are argued below.
    _value: PhantomData<(&'a mut T, *const ())>,
}

// SAFETY: whoever gets the guard gets `&mut T`, and is the one to unlock, which any thread may do: the lock belongs to none. The rest
// of the guard is a reference to the lock, and through it nobody reaches the value until the guard is gone.
unsafe impl<T: ?Sized + Send> Send for MutexGuard<'_, T> {}
// SAFETY: a shared guard lends `&T`.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The guard of one that has locked `mutex`.
    #[inline]
    pub(in crate::sync) fn of(mutex: &'a Mutex<T>) -> Self {
        Self { mutex, _value: PhantomData }
    }

    /// The lock that `guard` holds.
    pub fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.mutex
    }

    /// Makes a guard of a part of the value. If `part` panics, it unlocks.
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::sync::{Mutex, MutexGuard};
    ///
    /// let pair = Mutex::new((1, "one"));
    /// let mut number = MutexGuard::map(pair.lock(), |pair| &mut pair.0);
    /// *number += 1;
    /// assert!(pair.try_lock().is_none());
    /// drop(number);
    /// assert_eq!(pair.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(mut guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U> {
        let part = NonNull::from(part(&mut guard));
        MappedMutexGuard::of(guard.into_mutex().raw(), part)
    }

    /// Makes a guard of a part of the value, if there is such a part.
    ///
    /// # Errors
    /// With the guard as it was, if there is none.
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        match part(&mut guard).map(NonNull::from) {
            Some(part) => Ok(MappedMutexGuard::of(guard.into_mutex().raw(), part)),
            None => Err(guard),
        }
    }

    /// The lock, still held.
    pub(in crate::sync) fn into_mutex(self) -> &'a Mutex<T> {
        ManuallyDrop::new(self).mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for the guard, and the loan is part of the guard's.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

/// A part of the value of a [`Mutex`] that the owner of the guard holds: made by [`MutexGuard::map`]. It unlocks when it is dropped.
///
/// A [`Condvar`](crate::sync::Condvar) does not take it: while the lock is released in a wait, somebody else may change the value so that the part
/// does not exist any more. [`Condvar::wait_for_part`](crate::sync::Condvar::wait_for_part) waits with the whole guard, and returns one of a part.
#[must_use = "the lock is released when the guard is dropped"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    raw: &'a RawMutex,
    value: NonNull<T>,
    /// What it stands for; so that `T` cannot be taken for a type with longer lifetimes.
    _value: PhantomData<&'a mut T>,
}

// SAFETY: as for `MutexGuard`; of the whole value, only this part is reached through it.
unsafe impl<T: ?Sized + Send> Send for MappedMutexGuard<'_, T> {}
// SAFETY: a shared guard lends `&T`.
unsafe impl<T: ?Sized + Sync> Sync for MappedMutexGuard<'_, T> {}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// The guard of one that has locked `raw`, and reaches `value` by that for `'a` or until it unlocks.
    #[inline]
    pub(in crate::sync) fn of(raw: &'a RawMutex, value: NonNull<T>) -> Self {
        Self { raw, value, _value: PhantomData }
    }

    /// Makes a guard of a part of the part. If `part` panics, it unlocks.
    pub fn map<U: ?Sized>(mut guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U> {
        let part = NonNull::from(part(&mut guard));
        MappedMutexGuard::of(ManuallyDrop::new(guard).raw, part)
    }

    /// Makes a guard of a part of the part, if there is such a part.
    ///
    /// # Errors
    /// With the guard as it was, if there is none.
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        match part(&mut guard).map(NonNull::from) {
            Some(part) => Ok(MappedMutexGuard::of(ManuallyDrop::new(guard).raw, part)),
            None => Err(guard),
        }
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a part of a value whose lock is held for the guard; the loan is part of the guard's.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ?Sized> Drop for MappedMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.raw.unlock();
    }
}

/// A guard shows what it guards.
macro_rules! shows_its_value {
    ($($guard:ident),*) => { $(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&**self, f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&**self, f)
            }
        }
    )* };
}
shows_its_value!(MutexGuard, MappedMutexGuard);
