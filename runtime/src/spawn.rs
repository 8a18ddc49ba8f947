//! Green threads as their users see them: run, spawn, join, yield, park.

use crate::green::origin::Origin;
use crate::green::state::Joiner;
use crate::green::switch::Suspended;
use crate::green::thread::{Green, Payload};
use crate::scheduler::current;
use crate::scheduler::runtime::{Runtime, refuse_in_forked_child, runtime};
use crate::scheduler::schedule::{self, Place};
use crate::seen;
use crate::wait::park;
use crate::wait::{What, cancel, wait};
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::resume_unwind;

/// Runs `f` as a green thread, waits for it, and returns its value.
///
/// What other green threads do then goes on; it ends with the process.
///
/// # Blocking
/// The calling OS thread blocks; on a green thread, only that waits.
///
/// # Panics
/// With the panic of `f`, and if the runtime has not been started.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let word = String::from("green");
/// assert_eq!(greenbridge_runtime::run(move || word + " thread"), "green thread");
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[track_caller]
pub fn run<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn(f).join().unwrap_or_else(|payload| resume_unwind(payload))
}

/// Starts a green thread that runs `f`.
///
/// It may be called from anywhere: a green thread, a callback, any OS thread. The green thread runs as soon as a processor has
/// time for it; it is given a stack then, and not before. Dropping the handle leaves it running.
///
/// # Panics
/// If the runtime has not been started.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let handles: Vec<_> = (0..10).map(|n| greenbridge_runtime::spawn(move || n * n)).collect();
/// let sum: i32 = handles.into_iter().filter_map(|handle| handle.join().ok()).sum();
/// assert_eq!(sum, 285);
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    ThreadBuilder::new().spawn(f)
}

/// Names a green thread before it is started.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let handle = greenbridge_runtime::ThreadBuilder::new()
///     .name("reader")
///     .spawn(|| greenbridge_runtime::current().name().map(str::to_owned));
/// assert_eq!(handle.join().ok().flatten().as_deref(), Some("reader"));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ThreadBuilder {
    name: Option<Box<str>>,
    /// If it is not the place of the spawn.
    origin: Option<Origin>,
}

impl ThreadBuilder {
    /// A green thread without a name.
    pub fn new() -> Self {
        Self { name: None, origin: None }
    }

    /// Names it. The name appears in reports, such as that of a stack overflow.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Says in reports, in place of where it was spawned, that it runs the C function at that address.
    #[doc(hidden)]
    #[must_use]
    pub fn c_function(mut self, address: usize) -> Self {
        self.origin = Some(Origin::function(address));
        self
    }

    /// Starts it: see [`spawn`].
    ///
    /// # Panics
    /// If the runtime has not been started.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: nothing that `f` borrows ends.
        unsafe { self.spawn_unchecked(f) }
    }

    /// The same with a closure that borrows.
    ///
    /// # Safety
    /// What `f` borrows lasts until `f`, and all that it owns, has gone away: it is called or dropped once, at any time.
    #[track_caller]
    pub(crate) unsafe fn spawn_unchecked<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send,
        T: Send + 'static,
    {
        let origin = self.origin.unwrap_or(Origin::at(Location::caller()));
        // SAFETY: by contract.
        let (ready, green) = unsafe { Green::new(f, fresh_id(runtime()), self.name, origin) };
        seen::spawned(&ready);
        schedule::schedule(ready, Place::Back);
        JoinHandle { thread: Thread(Inner::Green(green)), has_waker: false, result: PhantomData }
    }
}

/// An id that no other green thread has had.
#[inline(never)]
fn fresh_id(runtime: &'static Runtime) -> u64 {
    // SAFETY: the processor is lent by the worker that owns it.
    let own = current::worker()
        .and_then(|worker| worker.borrow_processor(|p| unsafe { p.next_id(|count| runtime.take_ids(count)) }));
    own.unwrap_or_else(|| {
        runtime.counts.spawned.one();
        runtime.take_ids(1)
    })
}

/// Waits for a green thread, and brings its value, or its panic.
///
/// Like `std::thread::JoinHandle`; and it is a `Future`, so that other executors can await it.
///
/// # Cancellation
/// A join that is given up (the future is dropped) leaves the green thread running.
pub struct JoinHandle<T> {
    thread: Thread,
    /// Whether it has left a waker.
    has_waker: bool,
    result: PhantomData<fn() -> T>,
}

impl<T> JoinHandle<T> {
    /// Waits until the green thread has finished, and returns its value, or what it panicked with.
    ///
    /// # Blocking
    /// On a green thread, and in a callback from C, only the green thread waits; elsewhere the OS thread blocks.
    ///
    /// # Errors
    /// The payload of its panic. If no stack could be had for it, it has not run: its closure was dropped, and the payload is a
    /// [`StackError`](crate::StackError) that says what ran out.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn join(mut self) -> Result<T, Payload> {
        wait(What::Join, |context| Pin::new(&mut self).poll(context))
    }

    /// Whether the green thread has finished, so that `join` would not wait.
    pub fn is_finished(&self) -> bool {
        self.green().state.is_finished()
    }

    /// Cancels the green thread: its waits end, and it unwinds; one that has not begun to run does not run at all. `join` then brings
    /// [`Cancelled`](crate::cancel::Cancelled) as the payload.
    ///
    /// It does not wait. A green thread that never waits goes on, as does one in a callback until C has returned: see
    /// [`cancel`](crate::cancel). One that has finished has finished.
    pub fn cancel(&self) {
        cancel::cancel_green(self.green());
    }

    /// The green thread.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    fn green(&self) -> &Green {
        match &self.thread.0 {
            Inner::Green(green) => green,
            Inner::Os(_) => unreachable!("only green threads are joined"),
        }
    }

    /// Takes the waker back that it has left, if the green thread has not finished yet.
    fn withdraw(&mut self) -> Joiner {
        if !core::mem::take(&mut self.has_waker) {
            return if self.is_finished() { Joiner::Finished } else { Joiner::InTime };
        }
        let withdrawn = self.green().state.clear_joiner();
        if withdrawn == Joiner::InTime {
            // SAFETY: JOINER is clear and the green thread has not finished, so the cell is the joiner's; the handle is the one joiner.
            drop(self.green().joiner.with_mut(|joiner| unsafe { (*joiner).take() }));
        }
        withdrawn
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Payload>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_finished() && self.withdraw() == Joiner::InTime {
            let green = self.green();
            // SAFETY: as in `withdraw`.
            green.joiner.with_mut(|joiner| unsafe { *joiner = Some(context.waker().clone()) });
            match green.state.set_joiner() {
                Joiner::InTime => {
                    self.has_waker = true;
                    return Poll::Pending;
                }
                // It finished without having seen JOINER, so the waker in the cell is still ours.
                // SAFETY: as in `withdraw`.
                Joiner::Finished => drop(green.joiner.with_mut(|joiner| unsafe { (*joiner).take() })),
            }
        }
        // SAFETY: a handle of a `T`, and it has finished.
        let result = unsafe { self.green().take_result::<T>() };
        Poll::Ready(result.expect("a JoinHandle was polled after it had brought its result"))
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // A future that is given up must not leave its waker where a finish would look for it later.
        let _ = self.withdraw();
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("thread", &self.thread).finish()
    }
}

/// A green thread, or an OS thread that calls as one.
#[derive(Clone)]
pub struct Thread(Inner);

#[derive(Clone)]
enum Inner {
    Green(Green),
    Os(std::thread::Thread),
}

/// What tells one green thread from another. An id is never used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadId(IdInner);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum IdInner {
    Green(u64),
    Os(std::thread::ThreadId),
}

impl Thread {
    /// Its id.
    pub fn id(&self) -> ThreadId {
        ThreadId(match &self.0 {
            Inner::Green(green) => IdInner::Green(green.owner.id()),
            Inner::Os(thread) => IdInner::Os(thread.id()),
        })
    }

    /// Its name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Inner::Green(green) => green.owner.name(),
            Inner::Os(thread) => thread.name(),
        }
    }

    /// Whether it is a green thread.
    pub fn is_green(&self) -> bool {
        matches!(self.0, Inner::Green(_))
    }

    /// Lets its current or next [`park()`] return. Several calls before a park count as one.
    pub fn unpark(&self) {
        match &self.0 {
            Inner::Green(green) => park::give_permit(green),
            Inner::Os(thread) => thread.unpark(),
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("id", &self.id()).field("name", &self.name()).finish()
    }
}

/// The calling green thread; on an OS thread that the runtime did not make, that thread.
#[inline(never)]
#[allow(clippy::disallowed_methods, reason = "off the runtime's own threads, the OS thread is the one asked for")]
pub fn current() -> Thread {
    match park::running() {
        // SAFETY: it is running this very function.
        Some(head) => Thread(Inner::Green(unsafe { Green::from_running(head) })),
        None => Thread(Inner::Os(std::thread::current())),
    }
}

/// Waits until [`Thread::unpark`] is called for the caller; returns at once if that has happened since the last park.
///
/// On a green thread, unlike `std::thread::park`, it does not return early. On an OS thread that is not the runtime's it is
/// `std::thread::park`.
///
/// # Blocking
/// As every wait: see [`JoinHandle::join`].
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// greenbridge_runtime::run(|| {
///     let parked = greenbridge_runtime::spawn(greenbridge_runtime::park);
///     parked.thread().unpark();
///     assert!(parked.join().is_ok());
/// });
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn park() {
    match park::running() {
        Some(green) => park::wait_for_permit(green),
        None => {
            refuse_in_forked_child();
            park::park_thread();
        }
    }
}

/// Lets others go first: the caller goes to the back of the run queue. Returns at once if nobody waits for its processor.
///
/// In a callback from C the green thread stays pinned, and others run on its OS thread meanwhile. Under a bare C call, and wherever
/// the caller cannot be switched away, it does nothing. On an OS thread that is not the runtime's it is `std::thread::yield_now`.
///
/// # Panics
/// With [`Cancelled`](crate::cancel::Cancelled), if the caller has been cancelled.
#[inline(never)]
#[allow(clippy::disallowed_methods, reason = "off the runtime's own threads, the OS thread is the one that yields")]
pub fn yield_now() {
    let Some(green) = park::running() else {
        cancel::check();
        return std::thread::yield_now();
    };
    // SAFETY: it is running this very function.
    cancel::check_green(unsafe { green.as_ref() });
    if !is_alone() {
        // Wherever it may not switch, there is nobody to let go first.
        let _ = park::switch(green, Suspended::Yield);
    }
}

/// Whether nobody waits for the processor that the caller runs on.
#[inline(never)]
pub(crate) fn is_alone() -> bool {
    let Some(worker) = current::worker() else { return true };
    if worker.has_mail() || worker.status.is_entered() {
        return false;
    }
    let runtime = runtime();
    // SAFETY: not in C, so the worker owns its processor.
    let is_alone = worker.processor().is_some_and(|processor| unsafe { processor.is_alone() });
    is_alone && runtime.injector.is_empty() && !runtime.spares.some_wait_to_move()
}
