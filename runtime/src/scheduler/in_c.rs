//! In C: what the scheduler knows of a C call, and what a callback under it may ask for.
//!
//! ```text
//!   call ──► Frame, enter ──► C ──► callback ──► wants to spawn or wake: borrows the processor
//!                                        └─────► wants to wait: leaves C, suspends, enters again
//!        ◄── leave, Frame ◄── C ◄──┘
//! ```
//!
//! While the outermost frame of a green thread is on its stack the worker is *in C*: its processor may be taken at any
//! moment, and nothing of the processor's owner's half may be touched. Calls nested in callbacks only push a frame.
//!
//! # Who may touch what
//! The frames of a stack belong to the code that runs on that stack; `Slots::frame` leads to the innermost one. `tickets`
//! and `processor` of a worker belong to the worker's own OS thread; after a take, `processor` is read by the monitor
//! until the worker's `leave` answers.
//!
//! # What it must never do
//! Touch the slots of an OS thread after a point at which the green thread may have moved: so the frame is popped first, and
//! the processor is fetched last.

use super::current::{self, Slots, slots};
use super::monitor;
use super::status::Leave;
use super::worker::Worker;
use super::{hand_off, resident};
use crate::green::thread::Payload;
use crate::primitive::{Ordering, light_fence};
use crate::seen::{self, Here};
use core::cell::Cell;
use core::fmt;
use core::ptr;
use std::time::{Duration, Instant};

/// How C is called.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// On the green thread's stack; while a callback waits, no other C call chain runs on this OS thread.
    Call,
    /// As `Call`, and the processor is handed on at once.
    Blocking,
    /// On the green thread's stack; other interleaved calls may run on this OS thread while a callback waits.
    Interleaved,
    /// On the OS thread's own stack; a callback that waits blocks the OS thread.
    OnThreadStack,
}

/// The record of one C call, on the caller's stack.
pub(crate) struct Frame {
    way: Way,
    /// Callbacks on this stack when the call began.
    callbacks: usize,
    outer: *const Frame,
    /// The first panic that a callback of this call could not unwind with.
    kept: Cell<Option<Payload>>,
}

impl Frame {
    /// Whether any frame from this one outwards was called in `way`.
    pub(crate) fn any(this: *const Self, way: impl Fn(Way) -> bool) -> bool {
        let mut frame = this;
        // SAFETY: a frame lies on the stack below the code that asks, and so do all outer ones.
        while let Some(inner) = unsafe { frame.as_ref() } {
            if way(inner.way) {
                return true;
            }
            frame = inner.outer;
        }
        false
    }

    /// Whether the innermost callback on this stack is covered: no bare C call lies between it and this frame. C further out that was
    /// called bare stays where it is as long as this frame does.
    pub(crate) fn covers(this: *const Self, callbacks: usize) -> bool {
        // SAFETY: as in `any`.
        match unsafe { this.as_ref() } {
            Some(frame) => callbacks <= frame.callbacks + 1,
            None => callbacks == 0,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("way", &self.way).field("callbacks", &self.callbacks).finish_non_exhaustive()
    }
}

/// Pops the frame and leaves C, also when the closure unwinds.
struct InC<'a> {
    slots: &'a Slots,
    frame: &'a Frame,
    /// The worker to leave C with, if this is the outermost call on its stack.
    outermost: Option<&'a Worker>,
}

impl<'a> InC<'a> {
    #[inline(always)]
    fn push(slots: &'a Slots, frame: &'a Frame, outermost: Option<&'a Worker>) -> Self {
        slots.frame.set(frame);
        Self { slots, frame, outermost }
    }
}

impl Drop for InC<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.slots.callbacks.get() != self.frame.callbacks {
            callback_was_skipped();
        }
        match self.outermost {
            Some(worker) => {
                self.slots.frame.set(ptr::null());
                worker.leave();
            }
            None => self.slots.frame.set(self.frame.outer),
        }
    }
}

/// Dropped while the closure unwinds, and before what is popped then. It has no size: the path without a panic carries nothing.
struct OnlyPanics;

impl Drop for OnlyPanics {
    #[cold]
    fn drop(&mut self) {
        // Panics of Rust are counted; what else unwinds is C's, and may come only where the function was declared `extern "C-unwind"`.
        if !std::thread::panicking() {
            c_unwinds();
        }
    }
}

/// Runs `f` as a C call made in `way`, which is not `Blocking`. If a callback panicked in it, that panic goes on here.
///
/// Never inlined: the address of the slots, held over `f`, must not be shared with the caller's own code, which may run on
/// another OS thread afterwards. Within it the address holds: C frames, and this frame, pin the green thread.
#[doc(hidden)]
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn in_c<R>(way: Way, f: impl FnOnce() -> R) -> R {
    in_c_from(seen::here(), way, f)
}

#[inline(never)]
fn in_c_from<R>(here: Here, way: Way, f: impl FnOnce() -> R) -> R {
    slots(|slots| {
        // SAFETY: null, or this OS thread's worker, which is never freed.
        match unsafe { slots.worker.get().as_ref() } {
            Some(worker) if slots.frame.get().is_null() && worker.obstacles.load(Ordering::Relaxed) == 0 => {
                if worker.enter_unwatched() {
                    return in_c_unwatched(way, f);
                }
                outermost(slots, worker, way, f)
            }
            _ => in_c_slowly_from(here, way, f),
        }
    })
}

/// As [`in_c`] with [`Way::Interleaved`], and tells the monitor which way it is.
#[doc(hidden)]
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn in_c_interleaved<R>(f: impl FnOnce() -> R) -> R {
    in_c(Way::Interleaved, || {
        let _interleaves = Interleaves::begin();
        f()
    })
}

/// While it lives, this OS thread is in an interleaved call. It stays on the stack of the call, which cannot move.
struct Interleaves(Option<&'static Worker>);

impl Interleaves {
    #[inline(always)]
    fn begin() -> Self {
        let worker = current::worker();
        if let Some(worker) = worker {
            worker.interleaves.store(true, Ordering::Relaxed);
        }
        Self(worker)
    }
}

impl Drop for Interleaves {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(worker) = self.0 {
            worker.interleaves.store(false, Ordering::Relaxed);
        }
    }
}

/// The rest of an outermost call, when C has been entered.
#[inline(always)]
fn outermost<R>(slots: &Slots, worker: &Worker, way: Way, f: impl FnOnce() -> R) -> R {
    let frame = Frame { way, callbacks: slots.callbacks.get(), outer: ptr::null(), kept: Cell::new(None) };
    let in_c = InC::push(slots, &frame, Some(worker));
    let only_panics = OnlyPanics;
    let result = f();
    core::mem::forget(only_panics);
    drop(in_c);
    frame.pass_on(result)
}

/// The same after a wake of the monitor: apart, so that the fast path need not keep its arguments over that call.
#[cold]
#[inline(never)]
fn in_c_unwatched<R>(way: Way, f: impl FnOnce() -> R) -> R {
    monitor::wake();
    slots(|slots| {
        // SAFETY: this OS thread's worker, which has just entered C.
        let worker = unsafe { &*slots.worker.get() };
        outermost(slots, worker, way, f)
    })
}

/// The same in any way, and where something is in the way: a nested call, a resident, an OS thread that is no worker. Never inlined, as
/// [`in_c`] is not.
#[doc(hidden)]
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn in_c_slowly<R>(way: Way, f: impl FnOnce() -> R) -> R {
    in_c_slowly_from(seen::here(), way, f)
}

#[cold]
#[inline(never)]
fn in_c_slowly_from<R>(here: Here, way: Way, f: impl FnOnce() -> R) -> R {
    slots(|slots| {
        let outer = slots.frame.get();
        // SAFETY: null, or this OS thread's worker, which is never freed.
        let worker = unsafe { slots.worker.get().as_ref() }.filter(|worker| worker.green().is_some());
        let outermost = worker.filter(|_| outer.is_null());
        if let Some(worker) = outermost {
            // Who holds a pin stays, and blocks the OS thread if a callback waits beside others.
            if worker.must_move_for(way) && worker.green().is_some_and(|green| green.pins.get() == 0) {
                return moved(here, way, f);
            }
            if worker.processor().is_some() {
                worker.enter();
            }
        }
        let frame = Frame { way, callbacks: slots.callbacks.get(), outer, kept: Cell::new(None) };
        let in_c = InC::push(slots, &frame, outermost);
        let hasty = worker.filter(|worker| way == Way::Call && worker.is_hasty());
        if let Some(worker) = hasty.or(worker.filter(|_| way == Way::Blocking)) {
            worker.counts.given_up_for_calls.add(u64::from(hand_off::give_up_processor(worker)));
        }
        let start = hasty.map(|_| Instant::now());
        let stay = seen::c_begins(worker, way, &f, here);
        let only_panics = OnlyPanics;
        let result = f();
        core::mem::forget(only_panics);
        stay.ends();
        drop(in_c);
        if start.is_some_and(|start| start.elapsed() < SHORT_CALL) {
            set_running_hasty(false);
        }
        frame.pass_on(result)
    })
}

/// A call that is over sooner was not worth a hand-off.
const SHORT_CALL: Duration = Duration::from_micros(50);

/// Remembers for the running green thread, which may have moved, whether its C calls are long.
#[inline(never)]
fn set_running_hasty(hasty: bool) {
    if let Some(worker) = current::worker()
        && let Some(green) = worker.green()
    {
        green.hasty.set(hasty);
        worker.set_hasty(hasty);
    }
}

/// Moves to a worker without a resident, and calls from there. Never inlined, and it reads no slot itself: it comes back on
/// another OS thread.
#[cold]
#[inline(never)]
fn moved<R>(here: Here, way: Way, f: impl FnOnce() -> R) -> R {
    resident::move_away();
    in_c_from(here, way, f)
}

impl Frame {
    /// The end of the call: its result, or the panic that was kept.
    #[inline(always)]
    fn pass_on<R>(&self, result: R) -> R {
        match self.kept.take() {
            None => result,
            Some(payload) => {
                drop(result);
                std::panic::resume_unwind(payload)
            }
        }
    }
}

/// Keeps a panic that must not unwind into C, for the innermost C call on this stack. Returns it if there is none that covers
/// this callback: the call was made bare, or C called from a thread of its own.
#[doc(hidden)]
#[inline(never)]
pub fn keep_panic(payload: Payload) -> Result<(), Payload> {
    slots(|slots| {
        let frame = slots.frame.get();
        // The callback that panicked is no longer counted, so the innermost call is its own if the counts agree.
        // SAFETY: null, or a frame further out on this very stack.
        match unsafe { frame.as_ref() } {
            Some(frame) if slots.callbacks.get() == frame.callbacks => {
                // The first one is kept; the message of a later one has been printed by the panic hook.
                match frame.kept.take() {
                    Some(first) => frame.kept.set(Some(first)),
                    None => frame.kept.set(Some(payload)),
                }
                Ok(())
            }
            _ => Err(payload),
        }
    })
}

impl Slots {
    /// Counts a callback in, runs it, and counts it out. The count says at a suspension which C frames are not covered by a way
    /// to call.
    #[doc(hidden)]
    #[inline(always)]
    pub fn in_callback<R>(&self, body: impl FnOnce() -> R) -> R {
        let before = self.callbacks.get();
        self.callbacks.set(before + 1);
        let result = body();
        self.callbacks.set(before);
        result
    }
}

impl Worker {
    /// Enters C with this worker's processor, which it has.
    #[inline]
    pub(crate) fn enter(&self) {
        if self.enter_unwatched() {
            monitor::wake();
        }
    }

    /// The same; if it says true, the caller wakes the monitor.
    #[inline(always)]
    #[must_use]
    fn enter_unwatched(&self) -> bool {
        let ticket = self.tickets.take();
        self.status.enter(ticket);
        light_fence();
        monitor::ASLEEP.load(Ordering::Relaxed)
    }

    /// Leaves C for good: the caller runs Rust code again, and should own a processor.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        if !(self.status.is_entered() && self.status.leave(self.tickets.last()) == Leave::Kept) {
            self.leave_without_processor();
        }
    }

    #[cold]
    #[inline(never)]
    fn leave_without_processor(&self) {
        // It may also have been given up on purpose, or never been there; only a stay that ended just now has lost one.
        if self.processor().is_some() {
            self.lose_processor();
            self.counts.calls_taken.one();
            set_running_hasty(true);
        }
        hand_off::fetch_processor();
    }

    /// Leaves C with the processor, if it still is this worker's.
    #[inline]
    pub(crate) fn try_leave(&self) -> bool {
        if !self.status.is_entered() {
            return self.processor().is_some();
        }
        match self.status.leave(self.tickets.last()) {
            Leave::Kept => true,
            Leave::Taken => {
                self.lose_processor();
                false
            }
        }
    }

    /// Runs `f` with the processor, if this worker has one, or can have it back from C for a moment.
    #[inline]
    pub(crate) fn borrow_processor<R>(&self, f: impl FnOnce(&super::processor::Processor) -> R) -> Option<R> {
        let was_in_c = self.status.is_entered();
        if was_in_c && !self.try_leave() {
            return None;
        }
        let result = self.processor().map(f);
        if was_in_c {
            self.enter();
        }
        result
    }
}

#[cold]
fn callback_was_skipped() -> ! {
    eprintln!(
        "greenbridge: C left a callback without returning from it (longjmp, or a C++ exception): \
         the Rust frames it skipped are lost, and the process cannot go on"
    );
    std::process::abort();
}

#[cold]
fn c_unwinds() -> ! {
    eprintln!(
        "greenbridge: something unwinds out of a C call that is no panic of Rust (a C++ exception, pthread_exit, or a cancellation): \
         Rust cannot catch foreign exceptions, and the process cannot go on"
    );
    std::process::abort();
}

/// Runs `f` on the OS thread's own stack, if the caller is on a green thread's.
///
/// It is called from within [`in_c`] with [`Way::OnThreadStack`], so that nothing in `f` suspends.
#[doc(hidden)]
pub fn on_thread_stack<R>(f: impl FnOnce() -> R + Send) -> R {
    let (frame, _) = current::stack_of_calls();
    // SAFETY: null, or a frame further out on this very stack.
    let outer = unsafe { frame.as_ref() }.map_or(ptr::null(), |frame| frame.outer);
    let green = current::worker().and_then(Worker::green);
    match green {
        // SAFETY: no frame further out has left the green thread's stack; `f` does not suspend, for the innermost frame says so.
        Some(green) if !Frame::any(outer, |way| way == Way::OnThreadStack) => unsafe {
            green.suspender.on_worker_stack(f)
        },
        _ => f(),
    }
}
