//! The atomics facade: the one place that names `core::sync::atomic`.
//!
//! A protocol module imports its atomics, locks and cells from here and from nowhere else, so that the models (package
//! `greenbridge-models`) can compile the very file that ships against loom's versions of the same names. Whatever loom lacks
//! gets a function of its own here: the asymmetric fences, and the token that tells OS threads apart.

pub use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub use std::sync::{Condvar, Mutex, MutexGuard};

use core::sync::atomic::compiler_fence;
use std::sync::PoisonError;

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

/// Waits on `condvar`; like [`lock`], it ignores poison.
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Set once it is known that this process may use `membarrier`; while it is unset, [`light_fence`] is a full fence.
static ASYMMETRIC: AtomicBool = AtomicBool::new(false);

/// Registers this process for the expedited `membarrier`. Called once, before the first worker exists.
pub(crate) fn prepare_fences() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: membarrier takes no pointers; a kernel that lacks the command answers with an error.
        let registered = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) };
        ASYMMETRIC.store(registered == 0, Ordering::Relaxed);
    }
}

/// The cheap half of a pair of fences: orders a store before a later load, provided that the other side uses
/// [`heavy_fence`]. Where the kernel offers `membarrier` it costs no instruction, and the heavy side pays for both.
///
/// The idea is that of folly's `asymmetricThreadFenceLight`.
#[inline(always)]
pub fn light_fence() {
    if ASYMMETRIC.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The dear half: every other thread of the process behaves as if it had run a full fence at one point within this call.
#[cold]
pub fn heavy_fence() {
    fence(Ordering::SeqCst);
    #[cfg(target_os = "linux")]
    if ASYMMETRIC.load(Ordering::Relaxed) {
        // SAFETY: as in `prepare_fences`.
        let done = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) };
        assert_eq!(done, 0, "membarrier failed after it had been registered");
    }
}

/// A number that tells this OS thread from every other one alive; never 0.
pub fn thread_token() -> usize {
    std::thread_local!(static ADDRESS: u8 = const { 0 });
    ADDRESS.with(|a| core::ptr::from_ref(a).addr())
}
