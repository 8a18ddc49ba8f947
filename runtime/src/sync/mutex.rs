//! A lock around a value.
//!
//! [`Mutex`] waits wherever its caller stands: on a green thread only that waits, also in a callback from C; an OS thread blocks; and
//! [`lock_async`](Mutex::lock_async) is a future of any executor. `std::sync::Mutex` works on a green thread, too, and is a little cheaper, but
//! whoever waits for it blocks a worker, and its guard must not be held over a wait: take it for a few instructions, and this one for
//! everything else.
//!
//! # Fairness
//! The lock barges: when it is unlocked, the one that has waited longest is woken, but whoever comes before it arrives may have the
//! lock. One that was woken and found the lock held waits on as the first, and the next unlock hands the lock over to it. So of a
//! thousand that want the lock all the time, each gets it: nobody is overtaken by one that waits behind him, and each of those before
//! him loses one race at most. No clock is involved. (Go hands over to one that has waited for more than a millisecond. Here the
//! hand-over costs a switch and no more, since the one that is handed the lock runs next; it pays to be strict.)
//!
//! A green thread that is woken still needs a processor to arrive. One that never waits keeps its own, whatever it does there, and on a
//! runtime with a single processor it keeps everybody from running.
//!
//! # Panics under the lock
//! There is no poisoning. A panic while the lock is held releases it, and so does a cancellation; the next one finds the value as it was
//! left. Code that may leave it half changed does what std's lock does for it: keep a flag beside the value, set while the change is
//! under way.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::Mutex;
//! use std::sync::Arc;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let sum = Arc::new(Mutex::new(0));
//! let adders: Vec<_> = (1..=10)
//!     .map(|n| {
//!         let sum = Arc::clone(&sum);
//!         greenbridge_runtime::spawn(move || {
//!             let mut sum = sum.lock();
//!             greenbridge_runtime::yield_now(); // It may be held over a wait.
//!             *sum += n;
//!         })
//!     })
//!     .collect();
//! for adder in adders {
//!     adder.join().expect("no panic");
//! }
//! assert_eq!(*sum.lock(), 55);
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

mod future;
mod guard;
mod owned;
pub(super) mod raw;

pub use future::{LockFuture, LockOwnedFuture};
pub use guard::{MappedMutexGuard, MutexGuard};
pub use owned::OwnedMutexGuard;

use crate::driver::clock;
use crate::wait::What;
use crate::wait::operation::{Operation, wait_for, wait_for_until};
use crate::wait::queue::Waiter;
use core::cell::UnsafeCell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use raw::{Attempt, Claim, RawMutex};
use std::time::{Duration, Instant};

/// A lock around a value, for one holder at a time. Its [module](self) says how it is shared out.
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a shared lock by one holder at a time, as if it were sent to it; and `into_inner` and the
// drop happen wherever the lock has been moved to. `RawMutex` may be shared as it is.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above. `T` need not be `Sync`, for no two holders see it at once.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// Makes an unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { raw: RawMutex::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the value out. Nobody can hold the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, and waits first until nobody else holds the lock. The guard unlocks when it is dropped.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks. One that holds the lock already waits for
    /// ever.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    ///
    /// # Cancellation
    /// A wait that is cut short has not locked.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if self.raw.try_lock() == Attempt::Held {
            lock_slowly(&self.raw);
        }
        MutexGuard::of(self)
    }

    /// Locks if nobody holds the lock, whoever waits for it.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        (self.raw.try_lock() == Attempt::Locked).then(|| MutexGuard::of(self))
    }

    /// As [`lock`](Self::lock), for at most `timeout`; without an end, if that is more than the clock can count. None: somebody
    /// else held the lock all the time.
    ///
    /// # Blocking
    /// As [`lock`](Self::lock).
    ///
    /// # Panics
    /// As [`lock`](Self::lock); and on a green thread if the runtime has not been started.
    ///
    /// # Cancellation
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    /// ```
    /// use greenbridge_runtime::sync::Mutex;
    /// use std::time::Duration;
    ///
    /// let lock = Mutex::new(());
    /// let held = lock.try_lock_for(Duration::from_secs(1));
    /// assert!(held.is_some());
    /// assert!(lock.try_lock_for(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_lock_for(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        let is_mine = self.raw.try_lock() == Attempt::Locked || {
            let deadline = clock::deadline_after(timeout);
            lock_slowly_until(&self.raw, deadline) == Attempt::Locked
        };
        is_mine.then(|| MutexGuard::of(self))
    }

    /// As [`try_lock_for`](Self::try_lock_for), until `deadline`. With one that has passed, it tries once.
    ///
    /// # Blocking
    /// As [`lock`](Self::lock).
    ///
    /// # Panics
    /// As [`try_lock_for`](Self::try_lock_for).
    ///
    /// # Cancellation
    /// As [`lock`](Self::lock).
    #[inline]
    #[track_caller]
    pub fn try_lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        let is_mine =
            self.raw.try_lock() == Attempt::Locked || lock_slowly_until(&self.raw, Some(deadline)) == Attempt::Locked;
        is_mine.then(|| MutexGuard::of(self))
    }

    /// As [`lock`](Self::lock), as a future.
    ///
    /// # Cancellation
    /// A future that is dropped before it is done has not locked, and if it was its turn, it is the next one's. One that has been woken
    /// is to be polled, or dropped: as long as it is kept and not polled, those behind it wait.
    pub fn lock_async(&self) -> LockFuture<'_, T> {
        LockFuture::new(self)
    }

    /// The value of a lock that nobody can hold.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Whether somebody holds the lock at this moment: for reports.
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    pub(super) fn raw(&self) -> &RawMutex {
        &self.raw
    }
}

/// A lock that is waited for.
#[derive(Debug)]
pub(super) struct Lock<'a>(pub(super) &'a RawMutex);

impl Operation for Lock<'_> {
    type Slot = Claim;
    type Output = ();

    fn poll(&self, waiter: Pin<&mut Waiter<Claim>>, context: &Context<'_>) -> Poll<()> {
        self.0.poll_lock(waiter, context)
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<Claim>>) {
        self.0.give_up(waiter);
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn lock_slowly(raw: &RawMutex) {
    if spin(raw) == Attempt::Held {
        wait_for(What::Lock, Lock(raw), Claim::new());
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn lock_slowly_until(raw: &RawMutex, deadline: Option<Instant>) -> Attempt {
    if spin(raw) == Attempt::Locked {
        return Attempt::Locked;
    }
    match wait_for_until(What::Lock, deadline, Lock(raw), Claim::new()) {
        Some(()) => Attempt::Locked,
        None => Attempt::Held,
    }
}

/// Looks for a while whether the lock becomes free.
fn spin(raw: &RawMutex) -> Attempt {
    for _ in 0..SPINS {
        if raw.has_waiters() {
            break;
        }
        if !raw.is_locked() && raw.try_lock() == Attempt::Locked {
            return Attempt::Locked;
        }
        core::hint::spin_loop();
    }
    Attempt::Held
}

/// How often a lock that is held is looked at before its caller queues.
const SPINS: u32 = 40;

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => debug.field("value", &&*guard),
            None => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish_non_exhaustive()
    }
}
