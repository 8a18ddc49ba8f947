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
//! `Worker::obstacles` belongs to the worker's own OS thread. `pins`, `home` and `residence` of a green thread: see `green/thread.rs`.

use super::current;
use super::in_c::{Frame, Way};
use super::runtime::runtime;
use super::worker::Worker;
use crate::green::switch::Suspended;
use crate::green::thread::{Green, Head, Residence};
use crate::primitive::Ordering;
use crate::seen;
use crate::wait::park;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

/// The bit of `Worker::obstacles` for an exclusive resident.
const EXCLUSIVE: u32 = 1 << 31;
/// The bit for a worker that owns no processor.
pub(crate) const NO_PROCESSOR: u32 = 1 << 30;
/// The bit for a green thread whose last C call lost its processor: see [`Worker::set_hasty`].
const HASTY: u32 = 1 << 29;
/// The bit for a timeline or a report that is being made: see `seen.rs`.
const WATCHED: u32 = 1 << 28;
/// The rest counts interleaved residents.
const INTERLEAVED: u32 = WATCHED - 1;
/// Residents of either kind.
const RESIDENTS: u32 = EXCLUSIVE | INTERLEAVED;

impl Worker {
    /// Whether a green thread that is about to call C in `way` must first go to another worker.
    #[inline]
    pub(crate) fn must_move_for(&self, way: Way) -> bool {
        let residents = self.obstacles.load(Ordering::Relaxed) & RESIDENTS;
        residents != 0 && (residents & EXCLUSIVE != 0 || way != Way::Interleaved)
    }

    /// Whether this worker keeps anybody.
    #[inline]
    pub(crate) fn is_host(&self) -> bool {
        self.obstacles.load(Ordering::Relaxed) & RESIDENTS != 0
    }

    /// How many it keeps: a moment's truth.
    pub(crate) fn residents(&self) -> usize {
        let obstacles = self.obstacles.load(Ordering::Relaxed);
        (obstacles & INTERLEAVED) as usize + usize::from(obstacles & EXCLUSIVE != 0)
    }

    /// Whether it is in an interleaved call, or keeps such residents: a moment's truth. Of these calls there are many, and most of their time is
    /// their callbacks'; so a processor is not taken from them as soon as from others. Each hand-off might make an OS thread, which would then
    /// keep some of them.
    pub(crate) fn is_interleaved(&self) -> bool {
        self.interleaves.load(Ordering::Relaxed) || self.obstacles.load(Ordering::Relaxed) & INTERLEAVED != 0
    }

    /// Whether it keeps an exclusive one.
    pub(crate) fn keeps_exclusive(&self) -> bool {
        self.obstacles.load(Ordering::Relaxed) & EXCLUSIVE != 0
    }

    /// Whether the running green thread hands its processor on at once when it calls C. Its last call was so long that the monitor
    /// took the processor, so this one may well be, too; a short one makes it patient again.
    #[inline]
    pub(crate) fn set_hasty(&self, hasty: bool) {
        let watched = if seen::is_watched() { WATCHED } else { 0 };
        self.change_obstacles(|obstacles| {
            (if hasty { obstacles | HASTY } else { obstacles & !HASTY }) & !WATCHED | watched
        });
    }

    /// Lets the C calls of the running green thread be told: see `seen.rs`.
    #[cfg(feature = "trace")]
    pub(crate) fn watch(&self) {
        self.change_obstacles(|obstacles| obstacles | WATCHED);
    }

    /// What [`set_hasty`](Self::set_hasty) has set.
    pub(crate) fn is_hasty(&self) -> bool {
        self.obstacles.load(Ordering::Relaxed) & HASTY != 0
    }

    /// A pinned green thread has switched off its stack here.
    #[inline]
    pub(crate) fn settle(&self, residence: Residence) {
        debug_assert!(residence != Residence::Exclusive || !self.is_host(), "an exclusive resident beside others");
        self.change_obstacles(|obstacles| match residence {
            Residence::Free => obstacles,
            Residence::Exclusive => obstacles | EXCLUSIVE,
            Residence::Interleaved => obstacles + 1,
        });
    }

    /// A resident is about to be resumed here.
    #[inline]
    pub(crate) fn unsettle(&self, residence: Residence) {
        self.change_obstacles(|obstacles| match residence {
            Residence::Free => obstacles,
            Residence::Exclusive => obstacles & !EXCLUSIVE,
            Residence::Interleaved => obstacles - 1,
        });
    }

    /// For the worker's own OS thread, the only one that writes: hence no read-modify-write.
    #[inline(always)]
    pub(crate) fn change_obstacles(&self, change: impl FnOnce(u32) -> u32) {
        self.obstacles.store(change(self.obstacles.load(Ordering::Relaxed)), Ordering::Relaxed);
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
///
/// # Panics
/// If there can never be one: see `limit.rs`. In a callback under a bare C call: its frames must not move.
#[cold]
#[inline(never)]
pub(crate) fn move_away() {
    let Some(green) = park::running() else { return };
    if current::stack_of_calls().1 != 0 {
        park::waiting_under_bare_call();
    }
    park::suspend_unpinned(Suspended::Move);
    // SAFETY: it is running this very function.
    if unsafe { green.as_ref() }.refused.replace(false) {
        no_room("this green thread needs an OS thread of its own");
    }
}

/// An OS thread more would let the caller go on; `why` says so.
#[cold]
pub(crate) fn no_room(why: &str) -> ! {
    let runtime = runtime();
    let (threads, ..) = runtime.spares.counts();
    let max_threads = runtime.settings.max_threads;
    match runtime.spares.refusal() {
        Some(error) if threads < max_threads => panic!(
            "{why}, the system makes no more than the {threads} that there are ({error}), these are kept by green threads that wait in a \
             callback or with a pin, and nothing that could end those waits is running: raise the limit on threads (`ulimit -u`, the \
             cgroup's pids.max) or on memory (`ulimit -v`)"
        ),
        _ => panic!(
            "{why}, all {max_threads} that Builder::max_threads (GREENBRIDGE_MAX_THREADS) allows are kept by green threads that wait in a \
             callback or with a pin, and nothing that could end those waits is running: raise the limit"
        ),
    }
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
/// # Panics
/// If it waits for an OS thread at that limit, and nothing that runs could ever free one.
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
    // After a move the worker is another one, so it is asked for again.
    while let Some(green) = current::worker().and_then(Worker::green) {
        if may_stay(green) {
            green.pins.set(green.pins.get() + 1);
            // SAFETY: it is running, so it is alive.
            let green = unsafe { Green::from_running(NonNull::from(green)) };
            return PinGuard { green: Some(green), not_send: PhantomData };
        }
        move_away();
    }
    PinGuard { green: None, not_send: PhantomData }
}

/// Whether the running green thread may be pinned where it is: it is pinned already, or nobody else is here.
fn may_stay(green: &Head) -> bool {
    let (frame, _) = current::stack_of_calls();
    green.pins.get() > 0 || !frame.is_null() || !current::worker().is_some_and(Worker::is_host)
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
