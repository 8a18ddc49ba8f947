//! The atomics facade: the one place that names `core::sync::atomic`.
//!
//! A protocol module imports its atomics, locks and cells from here and from nowhere else, so that the models (package
//! `greenbridge-models`) can compile the very file that ships against loom's versions of the same names. Whatever loom lacks
//! gets a function of its own here: the asymmetric fences, and the token that tells OS threads apart.

pub use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub use std::sync::{Condvar, Mutex, MutexGuard};

use std::sync::{PoisonError, TryLockError};

/// A cell in the shape of loom's: the pointer is lent to a closure, so that a model sees when an access begins and ends.
#[derive(Debug)]
pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Makes a cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Lends the pointer for reading.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Lends the pointer for writing.
    #[inline(always)]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Locks `mutex`. Poison is ignored: no user code runs under a lock of the runtime, so no half-made change can be seen.
#[inline]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks `mutex` as [`lock`] does, and spins for a while before it blocks: for critical sections of a few instructions that
/// several OS threads enter all the time. std's lock spins only until the first one blocks, and from then on everybody does.
#[inline]
pub fn lock_briefly<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.try_lock() {
        Ok(guard) => guard,
        Err(_) => lock_contended(mutex),
    }
}

#[cold]
fn lock_contended<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    for round in 0..SPIN_ROUNDS {
        // Each try takes the cache line from the holder, so there are few of them.
        (0..SPINS << round.min(3)).for_each(|_| core::hint::spin_loop());
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
    }
    lock(mutex)
}

/// How often [`lock_briefly`] tries again before it blocks: in all about five microseconds, a futex's round trip.
const SPIN_ROUNDS: u32 = 24;
/// How many spins come before the first try; later ones have up to eight times as many.
const SPINS: u32 = 4;

/// Waits on `condvar`; like [`lock`], it ignores poison.
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// The cheap half of a pair of fences: orders a store before a later load, provided that the other side uses
/// [`heavy_fence`]. It costs no instruction; the heavy side pays for both.
///
/// The idea is that of folly's `asymmetricThreadFenceLight`.
#[inline(always)]
pub fn light_fence() {
    #[cfg(target_os = "linux")]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(target_os = "linux"))]
    fence(Ordering::SeqCst);
}

/// The dear half: every other thread of the process behaves as if it had run a full fence at one point within this call.
#[cold]
pub fn heavy_fence() {
    fence(Ordering::SeqCst);
    #[cfg(target_os = "linux")]
    {
        // SAFETY: membarrier takes no pointers.
        let done = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) };
        assert_eq!(done, 0, "membarrier failed after it had been registered");
    }
}

/// Makes [`heavy_fence`] work, once, before anybody relies on it.
///
/// # Errors
/// The kernel is older than Linux 4.14, or a sandbox forbids `membarrier`.
pub(crate) fn prepare_fences() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: membarrier takes no pointers; a kernel that lacks the command answers with an error.
        let registered =
            unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) };
        if registered != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A number that tells this OS thread from every other one alive: an address, so never among the first few numbers.
#[allow(clippy::disallowed_methods, reason = "the address of a thread-local is the token, and nothing is kept in it")]
pub fn thread_token() -> usize {
    std::thread_local!(static ADDRESS: u8 = const { 0 });
    ADDRESS.with(|a| core::ptr::from_ref(a).addr())
}
