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

use super::{Waits, Wakes, What, cancel, loader};
use crate::driver::clock;
#[cfg(feature = "faults")]
use crate::faults;
use crate::green::switch::Suspended;
use crate::green::thread::{Green, Head, Residence};
use crate::primitive::{Mutex, Ordering, lock};
use crate::scheduler::blocked::Seat;
use crate::scheduler::in_c::{Frame, Way};
use crate::scheduler::worker::Worker;
use crate::scheduler::{current, deadlock, hand_off, resident, runtime, wake};
use core::panic::Location;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};
use crossbeam_utils::sync::{Parker, Unparker};
use std::sync::Arc;
use std::task::Wake;
use std::time::Instant;

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
    #[cfg(feature = "tokio")]
    let _left = crate::tokio::Left::before_switch(green);
    if !frame.is_null() || callbacks != 0 {
        return switch_in_callback(green, frame, callbacks, why);
    }
    // std counts the panics of an OS thread: while one unwinds here, nothing else may run on it.
    if std::thread::panicking() {
        return Switched::MustBlock;
    }
    if green.pins.get() > 0 {
        // A pin made in a callback may outlive the interleaved call, on a worker that keeps others.
        if current::worker().is_some_and(Worker::is_host) {
            return Switched::MustBlock;
        }
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
    if current::is_on_signal_stack() {
        waiting_in_signal_handler();
    }
    let worker = current::worker().expect("a green thread runs on a worker");
    let residence = resident::residence(green, frame);
    // An exclusive call nested in an interleaved one cannot move away from the other residents, and must not share with them.
    if residence == Residence::Exclusive && worker.is_host() {
        return Switched::MustBlock;
    }
    worker.counts.callbacks_waited.one();
    let errno = errno();
    worker.try_leave();
    green.residence.set(residence);
    green.in_callback.set(true);
    // The call is long because its callback waits, and that holds nobody up.
    green.hasty.set(false);
    current::set_stack_of_calls(ptr::null(), 0);
    // SAFETY: no frame lies on the worker's stack, so this is the green thread's own.
    unsafe { green.suspender.suspend(why) };
    // Pinned, so this is the same OS thread, and `worker` still its worker. Others have run here.
    worker.interleaves.store(residence == Residence::Interleaved, Ordering::Relaxed);
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

/// The next signal would be handled on the very stack that the callback waits on.
#[cold]
fn waiting_in_signal_handler() -> ! {
    panic!("a callback from a signal handler must wait here, but nothing can wait on an alternate signal stack");
}

/// Switches the running green thread away from a place where no C is on its stack.
pub(crate) fn suspend_unpinned(why: Suspended) {
    let green = running().expect("only a green thread suspends");
    // SAFETY: it is running.
    let green = unsafe { green.as_ref() };
    #[cfg(feature = "tokio")]
    let _left = crate::tokio::Left::before_switch(green);
    // SAFETY: no C frame, hence this is its own stack.
    unsafe { green.suspender.suspend(why) };
}

/// Parks the running green thread until its permit is given, and takes the permit.
#[track_caller]
pub(crate) fn wait_for_permit(green: NonNull<Head>) {
    let waits = Waits { what: What::Permit, at: Location::caller() };
    // SAFETY: it is running this very function.
    let head = unsafe { green.as_ref() };
    let mut wakes = Wakes::of(head);
    while head.permit.swap(NO_PERMIT, Ordering::Acquire) != PERMIT {
        wakes.are_taken = true;
        if head.state.take_notification() {
            continue;
        }
        cancel::check_green(head);
        head.waits.set(waits);
        match switch(green, Suspended::Park) {
            Switched::Resumed => {}
            Switched::MustBlock => return block_for_permit(head, waits),
            Switched::MayNot => waiting_under_bare_call(),
        }
    }
}

/// Gives the permit of `green`, and wakes it.
pub(crate) fn give_permit(green: &Green) {
    // Release: pairs with the Acquire in `wait_for_permit`. The wake is not left out when the permit was there: the green thread may be
    // about to take it.
    if green.permit.swap(PERMIT, Ordering::AcqRel) == BLOCKED {
        let key = ptr::from_ref::<Head>(green).addr();
        if let Some((_, waker)) = lock(&BLOCKED_FOR_PERMIT).iter().find(|(blocked, _)| *blocked == key) {
            waker.wake_by_ref();
        }
    } else {
        wake::wake(green);
    }
}

/// No permit.
const NO_PERMIT: u8 = 0;
/// The next `park` returns.
const PERMIT: u8 = 1;
/// None, and the green thread blocks its OS thread for one: it is in the list.
const BLOCKED: u8 = 2;

/// The green threads that block for their permit: rare, so a list will do.
static BLOCKED_FOR_PERMIT: Mutex<Vec<(usize, Waker)>> = Mutex::new(Vec::new());

#[cold]
fn block_for_permit(green: &Head, waits: Waits) {
    let key = ptr::from_ref(green).addr();
    wait_on_thread(waits, |context| {
        let mut list = lock(&BLOCKED_FOR_PERMIT);
        list.retain(|(blocked, _)| *blocked != key);
        if green.permit.compare_exchange(NO_PERMIT, BLOCKED, Ordering::AcqRel, Ordering::Acquire) == Err(PERMIT) {
            green.permit.store(NO_PERMIT, Ordering::Relaxed);
            return Poll::Ready(());
        }
        list.push((key, context.waker().clone()));
        Poll::Pending
    });
}

/// Wakes an OS thread that waits.
struct ThreadWaker {
    unparker: Unparker,
    seat: Seat,
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.seat.call();
        #[cfg(feature = "faults")]
        faults::delay(faults::Site::Wake);
        self.unparker.unpark();
    }
}

/// Waits by blocking the OS thread. A worker hands its processor on first.
///
/// # Panics
/// In a child that was forked from a process with a runtime, if it would have to wait: nobody is there to wake it.
#[cold]
#[inline(never)]
pub(crate) fn wait_on_thread<T>(waits: Waits, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    wait_on_thread_until(waits, None, poll).expect("without a deadline it waits until it is ready")
}

/// The same until `deadline`: None if that has come first.
#[cold]
#[inline(never)]
pub(crate) fn wait_on_thread_until<T>(
    waits: Waits,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    if let Poll::Ready(value) = poll(&mut Context::from_waker(Waker::noop())) {
        return Some(value);
    }
    runtime::refuse_in_forked_child();
    let parker = Parker::new();
    let worker = current::worker();
    let green = worker.and_then(Worker::green).map_or(ptr::null(), ptr::from_ref);
    let thread = Arc::new(ThreadWaker { unparker: parker.unparker().clone(), seat: Seat::new() });
    let waker = Waker::from(Arc::clone(&thread));
    let mut context = Context::from_waker(&waker);
    // In C before this, the worker stays in C, with or without a processor.
    let was_in_c = worker.is_some_and(|worker| worker.status.is_entered());
    if let Some(worker) = worker {
        worker.refused.store(false, Ordering::Relaxed);
    }
    // Also when the wait is cut short.
    let _observes_as_before = ObservesAsBefore;
    loop {
        thread.seat.look();
        if let Poll::Ready(value) = poll(&mut context) {
            return Some(value);
        }
        if deadline.is_some_and(|deadline| clock::now() >= deadline) {
            return None;
        }
        // After each poll, which may have waited itself.
        cancel::observe_with(&waker);
        cancel::check();
        if let Some(worker) = worker {
            if worker.refused.load(Ordering::Acquire) {
                resident::no_room("this wait blocks its OS thread, and what runs besides needs another one");
            }
            worker.counts.given_up_for_waits.add(u64::from(hand_off::give_up_processor(worker)));
        }
        match deadline {
            None => {
                let _seated = thread.seat.sit(green, waits, &waker);
                deadlock::suspect();
                park_patiently(&parker, &thread.seat);
            }
            Some(deadline) => parker.park_timeout(deadline.saturating_duration_since(clock::now())),
        }
        #[cfg(feature = "faults")]
        faults::delay(faults::Site::Woken);
        if let Some(worker) = worker.filter(|_| !was_in_c) {
            worker.try_leave();
        }
    }
}

/// Blocks until somebody has called the caller. If it holds up another OS thread by something that must not be held meanwhile, it refuses.
fn park_patiently(parker: &Parker, seat: &Seat) {
    let mut patience = loader::PATIENCE;
    loop {
        parker.park_timeout(patience);
        if seat.is_called() {
            return;
        }
        if loader::is_held_up_by_caller() {
            waiting_under_the_loaders_lock();
        }
        patience *= 2;
    }
}

#[cold]
fn waiting_under_the_loaders_lock() -> ! {
    panic!(
        "this wait is made while the loader runs a constructor or a destructor (dlopen, dlclose), and holds up an OS thread that needs the \
         loader's lock to begin: enter when dlopen has returned, or let another thread of C's do it"
    );
}

/// Parks the calling OS thread, which is not the runtime's. As `std::thread::park` it may come back early; and it observes cancellation.
#[allow(clippy::disallowed_methods, reason = "off the runtime's own threads, the OS thread is the one that parks")]
pub(crate) fn park_thread() {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    if current::scopes().is_null() {
        return std::thread::park();
    }
    cancel::observe_with(&Waker::from(Arc::new(Unpark(std::thread::current()))));
    let _observes_as_before = ObservesAsBefore;
    cancel::check();
    std::thread::park();
    cancel::check();
}

/// Lets cancellations wake the caller as before the wait.
struct ObservesAsBefore;

impl Drop for ObservesAsBefore {
    fn drop(&mut self) {
        cancel::observe_as_before();
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
