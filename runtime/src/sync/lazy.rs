//! A value that is made when it is first used.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::LazyLock;
//!
//! static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| "green thread".split(' ').collect());
//!
//! assert_eq!(WORDS.len(), 2);
//! ```

use super::once_lock::OnceLock;
use core::fmt;
use core::ops::Deref;

/// A value that its function makes at the first use. Others that use it meanwhile wait.
///
/// # Blocking
/// While it is made by another: a green thread waits alone, also in a callback from C; any other OS thread blocks.
///
/// # Panics
/// A use panics with the panic of the function; the next one calls it again. For that the function is an `Fn`: one that gives away what it owns,
/// which std's `LazyLock` takes and is then poisoned by a panic, belongs into [`OnceLock::get_or_init`].
///
/// A use in the function itself panics. So does one in a callback under a bare C call, if it would have to wait.
///
/// # Cancellation
/// A use that is cut short, while it waits or makes the value, has made none; the next one calls the function again.
pub struct LazyLock<T, F = fn() -> T> {
    value: OnceLock<T>,
    make: F,
}

impl<T, F: Fn() -> T> LazyLock<T, F> {
    /// A value that `make` makes when it is used.
    pub const fn new(make: F) -> Self {
        Self { value: OnceLock::new(), make }
    }

    /// Makes the value, if there is none yet, and returns it: what using it does. It is called as `LazyLock::force(&lazy)`.
    ///
    /// # Blocking
    /// See [`LazyLock`].
    ///
    /// # Panics
    /// See [`LazyLock`].
    #[inline]
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        this.value.get_or_init(&this.make)
    }
}

impl<T, F> LazyLock<T, F> {
    /// The value, if it has been made. It is called as `LazyLock::get(&lazy)`.
    #[inline]
    pub fn get(this: &Self) -> Option<&T> {
        this.value.get()
    }

    /// The value, if it has been made. It is called as `LazyLock::get_mut(&mut lazy)`.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        this.value.get_mut()
    }
}

impl<T, F: Fn() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lazy = f.debug_tuple("LazyLock");
        match Self::get(self) {
            Some(value) => lazy.field(value),
            None => lazy.field(&format_args!("<not made>")),
        };
        lazy.finish()
    }
}
