//! Waiting: one way for every blocking operation, wherever the caller stands.
//!
//! A blocking operation is a poll function, as of a future: it looks, and if it must wait it leaves a `Waker` where it will be found.
//! [`wait`] calls it until it is ready, [`wait_until`] until a deadline. The same poll function serves as the future's. What waits in a
//! [queue] is written once as an [`Operation`](operation::Operation).
//!
//! Every wait observes cancellation (`cancel.rs`): one that would have to wait in a scope that has been cancelled unwinds instead.

pub(crate) mod block_on;
pub(crate) mod cancel;
pub(crate) mod commit;
pub(crate) mod last;
mod loader;
pub(crate) mod operation;
pub(crate) mod park;
pub(crate) mod queue;
pub(crate) mod select;

use crate::driver::clock;
use crate::driver::timers::Timer;
use crate::green::switch::Suspended;
use crate::green::thread::{Head, borrowed_waker};
use core::fmt;
use core::panic::Location;
use core::task::{Context, Poll};
use park::Switched;
use std::time::Instant;

/// What is waited for: for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum What {
    /// A message from a channel.
    Message,
    /// Room in a channel, or a receiver.
    Room,
    /// The receivers of a channel to go.
    Close,
    /// The end of a green thread.
    Join,
    /// The ends of the green threads of a scope.
    Scope,
    /// `unpark`.
    Permit,
    /// Somebody's future.
    Future,
    /// One of several: `select!`.
    Select,
    /// A mutex.
    Lock,
    /// A read-write lock, to read.
    Read,
    /// A read-write lock, to write.
    Write,
    /// A condition variable.
    Condition,
    /// Permits of a semaphore.
    Permits,
    /// The others at a barrier.
    Barrier,
    /// A value that another caller makes.
    Value,
    /// A notification.
    Notification,
    /// The others of a wait group.
    WaitGroup,
    /// A moment in time.
    Time,
    /// A token to be cancelled.
    Cancellation,
    /// A socket or another file, to be readable.
    Readable,
    /// A socket or another file, to be writable.
    Writable,
    /// All others to wait: in a test.
    Settling,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Message => "a message",
            What::Room => "room in a channel",
            What::Close => "the receivers of a channel to go",
            What::Join => "the end of another green thread",
            What::Scope => "the end of the green threads of its scope",
            What::Permit => "unpark",
            What::Future => "a future",
            What::Select => "one branch of a select",
            What::Lock => "a Mutex",
            What::Read => "a RwLock, to read",
            What::Write => "a RwLock, to write",
            What::Condition => "a Condvar",
            What::Permits => "permits of a Semaphore",
            What::Barrier => "the others at a Barrier",
            What::Value => "a value that another caller makes",
            What::Notification => "a Notify",
            What::WaitGroup => "the others of a WaitGroup",
            What::Time => "a moment in time",
            What::Cancellation => "a CancelToken to be cancelled",
            What::Readable => "a socket or another file to be readable",
            What::Writable => "a socket or another file to be writable",
            What::Settling => "all others to wait",
        })
    }
}

/// What a green thread waits for, and where its code says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) what: What,
    pub(crate) at: &'static Location<'static>,
}

/// Waits until `poll` is ready, wherever the caller is: see `park.rs`.
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait. With [`Cancelled`](crate::cancel::Cancelled), if it would have to wait in
/// a scope that has been cancelled.
#[inline]
#[track_caller]
pub(crate) fn wait<T>(what: What, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let waits = Waits { what, at: Location::caller() };
    let Some(green) = park::running() else { return park::wait_on_thread(waits, poll) };
    // SAFETY: `green` is running this very function, so it outlives the waker.
    let (head, waker) = unsafe { (green.as_ref(), borrowed_waker(green)) };
    let mut context = Context::from_waker(&waker);
    let mut wakes = Wakes::of(head);
    loop {
        if let Poll::Ready(value) = poll(&mut context) {
            return value;
        }
        wakes.are_taken = true;
        if head.state.take_notification() {
            continue;
        }
        cancel::check_green(head);
        head.waits.set(waits);
        match park::switch(green, Suspended::Park) {
            Switched::Resumed => {}
            Switched::MustBlock => return park::wait_on_thread(waits, poll),
            Switched::MayNot => park::waiting_under_bare_call(),
        }
    }
}

/// The wake-ups that a wait takes.
///
/// A green thread has one state word, whatever it waits for. A wait inside the poll of a future that an outer wait is polling may take a
/// wake-up that was meant for the outer one; so when it is over, the outer one is woken, and looks.
pub(crate) struct Wakes<'a> {
    head: &'a Head,
    /// Whether it may have taken any.
    pub(crate) are_taken: bool,
}

impl<'a> Wakes<'a> {
    /// Those of a wait of the running green thread.
    #[inline]
    pub(crate) fn of(head: &'a Head) -> Self {
        Self { head, are_taken: false }
    }
}

impl Drop for Wakes<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.are_taken && self.head.is_in_poll.get() {
            // It is running, so there is nothing to schedule.
            let _ = self.head.state.wake();
        }
    }
}

/// The same until `deadline`: None if it has come first. Without a deadline, as [`wait`].
///
/// # Panics
/// As [`wait`]; and on a green thread if the runtime has not been started.
#[track_caller]
pub(crate) fn wait_until<T>(
    what: What,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let Some(deadline) = deadline else { return Some(wait(what, poll)) };
    if park::running().is_none() {
        let waits = Waits { what, at: Location::caller() };
        return park::wait_on_thread_until(waits, Some(deadline), poll);
    }
    let mut timer = Timer::new();
    wait(what, |context| match poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if clock::now() >= deadline => Poll::Ready(None),
        Poll::Pending => {
            timer.arm(deadline, context.waker());
            Poll::Pending
        }
    })
}
