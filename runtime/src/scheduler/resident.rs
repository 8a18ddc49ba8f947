//! Residents: pinned green threads and the OS thread that keeps them.
//!
//! A green thread is pinned while C is on its stack (a frame of `in_c.rs`) or while it holds a [`PinGuard`]. Suspended, it lives on its
//! worker in one of two ways. *Exclusive*: the worker has no other pinned green thread, and goes on running others, none of which
//! may become pinned there. *Interleaved*: every frame was made by `call_interleaved`, and the worker may keep thousands like it.
//!
//! | wants to be pinned on a worker with | nobody | an exclusive resident | interleaved ones |
//! |---|---|---|---|
//! | `call`, `pin`, ... | stays | moves to a worker without residents | moves |
//! | `call_interleaved` | stays | moves | stays |
//!
//! So C never sees two call chains interleaved on one OS thread, unless both were declared to bear it.
//!
//! # Who may touch what
//! `Worker::residents` belongs to the worker's own OS thread. `pins`, `home` and `residence` of a green thread: see `green/thread.rs`.

use super::current;
use super::in_c::{Frame, Way};
use super::worker::Worker;
use crate::green::switch::Suspended;
use crate::green::thread::{Green, Head, Residence};
use crate::wait::park;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// The bit of `Worker::residents` for the exclusive one; the rest counts the interleaved.
const EXCLUSIVE: u32 = 1 << 31;

impl Worker {
    /// Whether a green thread that is about to call C in `way` must first go to another worker.
    #[inline(always)]
    pub(crate) fn must_move_for(&self, way: Way) -> bool {
        let residents = self.residents.get();
        residents != 0 && (residents & EXCLUSIVE != 0 || way != Way::Interleaved)
    }

    /// Whether this worker keeps anybody.
    #[inline]
    pub(crate) fn is_host(&self) -> bool {
        self.residents.get() != 0
    }

    /// Whether it keeps interleaved ones.
    pub(crate) fn keeps_interleaved(&self) -> bool {
        self.residents.get() & !EXCLUSIVE != 0
    }

    /// A pinned green thread has switched off its stack here.
    #[inline]
    pub(crate) fn settle(&self, residence: Residence) {
        let residents = self.residents.get();
        match residence {
            Residence::Free => {}
            Residence::Exclusive => {
                debug_assert_eq!(residents, 0, "an exclusive resident beside others");
                self.residents.set(residents | EXCLUSIVE);
            }
            Residence::Interleaved => {
                debug_assert!(residents & EXCLUSIVE == 0, "an interleaved resident beside an exclusive one");
                self.residents.set(residents + 1);
            }
        }
    }

    /// A resident is about to be resumed here.
    #[inline]
    pub(crate) fn unsettle(&self, residence: Residence) {
        match residence {
            Residence::Free => {}
            Residence::Exclusive => self.residents.set(self.residents.get() & !EXCLUSIVE),
            Residence::Interleaved => self.residents.set(self.residents.get() - 1),
        }
    }
}

/// How a green thread that suspends now would live on its worker.
#[inline]
pub(crate) fn residence(green: &Head, frame: *const Frame) -> Residence {
    if green.pins.get() > 0 || Frame::any(frame, |way| way != Way::Interleaved) {
        Residence::Exclusive
    } else if frame.is_null() {
        Residence::Free
    } else {
        Residence::Interleaved
    }
}

/// Moves the running green thread, which is not pinned, to a worker without residents.
#[cold]
#[inline(never)]
pub(crate) fn move_away() {
    park::suspend_unpinned(Suspended::ToMove);
}

/// Keeps a green thread on its OS thread. Made by [`pin`].
#[must_use = "the green thread is pinned only as long as the guard lives"]
pub struct PinGuard {
    green: Option<Green>,
    /// The guard belongs to the stack it was made on.
    not_send: PhantomData<*mut ()>,
}

/// Pins the calling green thread to its OS thread until the guard is dropped.
///
/// For state that belongs to the OS thread and must hold across a wait: a thread-local, a `!Send` value, a thread-owned lock.
/// Pins nest: the green thread is free again when the last guard is gone. A pinned green thread is its OS thread's only pinned one:
/// others that want to be pinned there go elsewhere. Green threads that are not pinned still run on that OS thread while this one waits.
///
/// On an OS thread that is not the runtime's, a caller cannot move anyway, and the guard does nothing.
///
/// # Blocking
/// If this OS thread keeps a pinned green thread already, the caller first moves to another one, which may have to be created; at
/// [`Builder::max_threads`](crate::Builder::max_threads) it waits for one.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait without a pin.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// greenbridge_runtime::run(|| {
///     let _pin = greenbridge_runtime::pin();
///     let before = std::thread::current().id();
///     greenbridge_runtime::yield_now();
///     assert_eq!(std::thread::current().id(), before);
/// });
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
pub fn pin() -> PinGuard {
    loop {
        let Some(worker) = current::worker() else { break };
        let Some(green) = worker.green() else { break };
        let (frame, _) = current::stack_of_calls();
        // Already pinned, or nobody else is here.
        if green.pins.get() > 0 || !frame.is_null() || !worker.is_host() {
            green.pins.set(green.pins.get() + 1);
            // SAFETY: it is running, so it is alive.
            let green = unsafe { Green::from_running(NonNull::from(green)) };
            return PinGuard { green: Some(green), not_send: PhantomData };
        }
        move_away();
    }
    PinGuard { green: None, not_send: PhantomData }
}

impl Drop for PinGuard {
    fn drop(&mut self) {
        if let Some(green) = &self.green {
            // Not `Send`, so this is the OS thread that the green thread is pinned to: no access to the count at the same time.
            green.pins.set(green.pins.get() - 1);
        }
    }
}

impl fmt::Debug for PinGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinGuard").field("green", &self.green).finish()
    }
}
