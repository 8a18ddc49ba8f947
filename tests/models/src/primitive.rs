//! The names of the runtime's `primitive`, from loom.

pub use loom::cell::UnsafeCell;
pub use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub use loom::sync::{Condvar, Mutex, MutexGuard};

use crate::witness;

/// Locks `mutex`, and counts it.
#[track_caller]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    witness::count_lock();
    mutex.lock().expect("loom's locks are never poisoned")
}

/// Locks `mutex`: loom does not spin.
#[track_caller]
pub fn lock_briefly<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    lock(mutex)
}

/// Waits on `condvar`.
#[track_caller]
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).expect("loom's locks are never poisoned")
}

/// The cheap half of the pair. A full fence here: the model takes for granted that the two halves act as two full
/// fences do.
pub fn light_fence() {
    fence(Ordering::SeqCst);
}

/// The dear half of the pair.
pub fn heavy_fence() {
    fence(Ordering::SeqCst);
}

/// A number that tells this thread of the model from every other one alive; never 0.
pub fn thread_token() -> usize {
    loom::thread_local!(static ADDRESS: u8 = 0);
    ADDRESS.with(|a| core::ptr::from_ref(a).addr())
}
