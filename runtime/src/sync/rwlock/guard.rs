//! The guards of a read-write lock: whoever holds one may use the value.
//!
//! A guard holds a pointer and not a reference, because the value may change hands before the guard's own life ends: a function that is
//! given a guard may drop it half way.
//!
//! A green thread may move to another OS thread while it holds a guard, and guards may be sent, unlike std's:
//!
//! | guard | is `Send` if `T` is | is `Sync` if `T` is |
//! |---|---|---|
//! | [`RwLockReadGuard`] | `Sync` | `Sync` |
//! | [`RwLockWriteGuard`] | `Send` and `Sync`: it can be downgraded there, while others read here | `Sync` |
//! | [`MappedRwLockWriteGuard`] | `Send` | `Sync` |

use super::ALL;
use crate::sync::permits::Permits;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// Permits of a lock, released when they are dropped.
#[derive(Debug)]
struct Held<'a> {
    permits: &'a Permits,
    count: usize,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.permits.release(self.count);
    }
}

/// The value is locked to be read, by this and others, until they are dropped.
#[must_use = "a guard that is not kept unlocks at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    value: NonNull<T>,
    held: Held<'a>,
    borrows: PhantomData<&'a T>,
}

/// The value is locked to be written, until this is dropped.
#[must_use = "a guard that is not kept unlocks at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    value: NonNull<T>,
    held: Held<'a>,
    borrows: PhantomData<&'a mut T>,
}

/// A part of the value is locked to be written, and with it the whole, until this is dropped.
#[must_use = "a guard that is not kept unlocks at once"]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized> {
    value: NonNull<T>,
    held: Held<'a>,
    borrows: PhantomData<&'a mut T>,
}

// SAFETY: it is a shared reference to the value; the permits may be released anywhere.
unsafe impl<T: ?Sized + Sync> Send for RwLockReadGuard<'_, T> {}
// SAFETY: it lends shared references only.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: it is an exclusive reference to the value (`Send`), and may become a shared one, while other threads get theirs (`Sync`).
unsafe impl<T: ?Sized + Send + Sync> Send for RwLockWriteGuard<'_, T> {}
// SAFETY: shared, it lends shared references only.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}
// SAFETY: it is an exclusive reference to the part.
unsafe impl<T: ?Sized + Send> Send for MappedRwLockWriteGuard<'_, T> {}
// SAFETY: shared, it lends shared references only.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

fn pointer<T: ?Sized>(value: &UnsafeCell<T>) -> NonNull<T> {
    NonNull::new(value.get()).expect("a cell is somewhere")
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// # Safety
    /// One permit of the lock is the caller's, and becomes the guard's.
    pub(super) unsafe fn new(permits: &'a Permits, value: &'a UnsafeCell<T>) -> Self {
        Self { value: pointer(value), held: Held { permits, count: 1 }, borrows: PhantomData }
    }

    /// A guard of a part of the value. It is called as `RwLockReadGuard::map(guard, part)`.
    pub fn map<U: ?Sized>(this: Self, part: impl FnOnce(&T) -> &U) -> RwLockReadGuard<'a, U> {
        let value = NonNull::from(part(&this));
        RwLockReadGuard { value, held: this.held, borrows: PhantomData }
    }

    /// A guard of a part of the value, if it has that part.
    ///
    /// # Errors
    /// The guard as it was, if `part` returns None.
    pub fn filter_map<U: ?Sized>(
        this: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<RwLockReadGuard<'a, U>, Self> {
        match part(&this).map(NonNull::from) {
            Some(value) => Ok(RwLockReadGuard { value, held: this.held, borrows: PhantomData }),
            None => Err(this),
        }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// # Safety
    /// All permits of the lock are the caller's, and become the guard's.
    pub(super) unsafe fn new(permits: &'a Permits, value: &'a UnsafeCell<T>) -> Self {
        Self { value: pointer(value), held: Held { permits, count: ALL }, borrows: PhantomData }
    }

    /// From now on only reads, and lets the readers in that wait next. Nobody writes in between.
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let mut held = this.held;
        held.count = 1;
        held.permits.release(ALL - 1);
        RwLockReadGuard { value: this.value, held, borrows: PhantomData }
    }

    /// A guard of a part of the value, which cannot be downgraded. It is called as `RwLockWriteGuard::map(guard, part)`.
    pub fn map<U: ?Sized>(mut this: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedRwLockWriteGuard<'a, U> {
        let value = NonNull::from(part(&mut this));
        MappedRwLockWriteGuard { value, held: this.held, borrows: PhantomData }
    }

    /// A guard of a part of the value, if it has that part.
    ///
    /// # Errors
    /// The guard as it was, if `part` returns None.
    pub fn filter_map<U: ?Sized>(
        mut this: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        match part(&mut this).map(NonNull::from) {
            Some(value) => Ok(MappedRwLockWriteGuard { value, held: this.held, borrows: PhantomData }),
            None => Err(this),
        }
    }
}

impl<'a, T: ?Sized> MappedRwLockWriteGuard<'a, T> {
    /// A guard of a part of the part. It is called as `MappedRwLockWriteGuard::map(guard, part)`.
    pub fn map<U: ?Sized>(mut this: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedRwLockWriteGuard<'a, U> {
        let value = NonNull::from(part(&mut this));
        MappedRwLockWriteGuard { value, held: this.held, borrows: PhantomData }
    }

    /// A guard of a part of the part, if it has that.
    ///
    /// # Errors
    /// The guard as it was, if `part` returns None.
    pub fn filter_map<U: ?Sized>(
        mut this: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        match part(&mut this).map(NonNull::from) {
            Some(value) => Ok(MappedRwLockWriteGuard { value, held: this.held, borrows: PhantomData }),
            None => Err(this),
        }
    }
}

/// What all guards can do.
macro_rules! guards {
    ($($guard:ident),*) => { $(
        impl<T: ?Sized> Deref for $guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                // SAFETY: its permits keep those away who write, or it is the one who does; and then this borrow keeps it from that.
                unsafe { self.value.as_ref() }
            }
        }

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )* };
}
guards!(RwLockReadGuard, RwLockWriteGuard, MappedRwLockWriteGuard);

/// What those that write can do beside it.
macro_rules! write_guards {
    ($($guard:ident),*) => { $(
        impl<T: ?Sized> DerefMut for $guard<'_, T> {
            #[inline]
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: all permits of the lock are its own, so nobody else uses the value.
                unsafe { self.value.as_mut() }
            }
        }
    )* };
}
write_guards!(RwLockWriteGuard, MappedRwLockWriteGuard);
