//! Waits wherever the caller is.
//!
//! | the caller is | it waits by |
//! |---|---|
//! | on a green thread | switching away |
//! | in a callback from C, or in the closure of a way to call | leaving C, switching away, pinned; entering C again |
//! | ... under `call_on_thread_stack`, or of a `call` beside interleaved residents | blocking the OS thread, the processor handed on |
//! | on a green thread that unwinds (std counts panics per OS thread) | the same |
//! | on an OS thread that the runtime did not make | blocking that thread |
//! | in a callback under a bare C call, on a green thread | not at all: a panic that names `call` |
//!
//! # What it must never do
//! Hold anything that belongs to the OS thread over a switch, unless the green thread is pinned.

use crate::green::switch::Suspended;
use crate::green::thread::{Head, Residence};
use crate::scheduler::current;
use crate::scheduler::in_c::{Frame, Way};
use crate::scheduler::{hand_off, limit, resident};
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};
use crossbeam_utils::sync::{Parker, Unparker};
use std::sync::Arc;
use std::task::Wake;

/// What became of an attempt to switch away.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switched {
    /// The green thread was away, and has been resumed.
    Resumed,
    /// It cannot switch from here: to wait, block the OS thread.
    MustBlock,
    /// It cannot even wait: C below it was called bare.
    MayNot,
}

/// The green thread that runs on this OS thread.
#[inline(never)]
pub(crate) fn running() -> Option<NonNull<Head>> {
    current::worker()?.green().map(NonNull::from)
}

/// Switches the running green thread, which is `green`, away, C frames or not, if it may.
#[inline(never)]
pub(crate) fn switch(green: NonNull<Head>, why: Suspended) -> Switched {
    let (frame, callbacks) = current::stack_of_calls();
    // SAFETY: it is running this very function.
    let green = unsafe { green.as_ref() };
    if !frame.is_null() || callbacks != 0 {
        return switch_in_callback(green, frame, callbacks, why);
    }
    // std counts the panics of an OS thread: while one unwinds here, nothing else may run on it.
    if std::thread::panicking() {
        return Switched::MustBlock;
    }
    if green.pins.get() > 0 {
        green.residence.set(Residence::Exclusive);
    }
    // SAFETY: no frame of ours, so this is the green thread's own stack.
    unsafe { green.suspender.suspend(why) };
    Switched::Resumed
}

/// The same with C, or the closure of a way to call, on the stack.
#[inline(never)]
fn switch_in_callback(green: &Head, frame: *const Frame, callbacks: usize, why: Suspended) -> Switched {
    if std::thread::panicking() || Frame::any(frame, |way| way == Way::OnThreadStack) {
        return Switched::MustBlock;
    }
    if !Frame::covers(frame, callbacks) {
        return Switched::MayNot;
    }
    let worker = current::worker().expect("a green thread runs on a worker");
    let residence = resident::residence(green, frame);
    // An exclusive call nested in an interleaved one cannot move away from the other residents, and must not share with them.
    if residence == Residence::Exclusive && worker.is_host() {
        return Switched::MustBlock;
    }
    let errno = errno();
    worker.try_leave();
    green.residence.set(residence);
    green.in_callback.set(true);
    // The call is long because its callback waits, and that holds nobody up.
    green.hasty.set(false);
    current::set_stack_of_calls(ptr::null(), 0);
    // SAFETY: no frame lies on the worker's stack, so this is the green thread's own.
    unsafe { green.suspender.suspend(why) };
    // Pinned, so this is the same OS thread, and `worker` still its worker.
    current::set_stack_of_calls(frame, callbacks);
    if worker.processor().is_some() {
        worker.enter();
    }
    set_errno(errno);
    Switched::Resumed
}

#[cold]
pub(crate) fn waiting_under_bare_call() -> ! {
    panic!(
        "a callback from C must wait here, but C was called bare, so its frames would not be kept on this OS thread: \
         wrap the C call in `greenbridge::call(|| ...)` (or another way to call: docs/which-call.md)"
    );
}

/// Switches the running green thread away from a place where no C is on its stack.
pub(crate) fn suspend_unpinned(why: Suspended) {
    let worker = current::worker().expect("only a green thread suspends");
    let green = worker.green().expect("only a green thread suspends");
    // SAFETY: no C frame, hence this is the green thread's own stack.
    unsafe { green.suspender.suspend(why) };
}

/// Wakes an OS thread that waits.
struct ThreadWaker(Unparker);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits by blocking the OS thread. A worker hands its processor on first.
#[cold]
#[inline(never)]
pub(crate) fn wait_on_thread<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    if let Poll::Ready(value) = poll(&mut Context::from_waker(Waker::noop())) {
        return value;
    }
    let parker = Parker::new();
    let waker = Waker::from(Arc::new(ThreadWaker(parker.unparker().clone())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = poll(&mut context) {
            return value;
        }
        match current::worker() {
            Some(worker) => {
                hand_off::give_up_processor(worker);
                limit::WORKERS.while_in(|| parker.park());
            }
            None => limit::OTHERS.while_in(|| parker.park()),
        }
    }
}

/// The errno of this OS thread.
fn errno() -> i32 {
    // SAFETY: a valid address of this OS thread's errno.
    unsafe { *libc::__errno_location() }
}

/// Sets the errno of this OS thread.
fn set_errno(errno: i32) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}
