//! Tokio's futures on green threads.
//!
//! [`block_on`](crate::block_on) waits for anybody's future. Tokio's timers and sockets want one thing more: the runtime that they belong to
//! must be *entered* wherever they are made and polled. Give its `Handle` once, by [`set_handle`], and `block_on` enters it around each poll.
//! Where one process has several, [`block_on`] of this module takes the one that is meant, and [`enter`] enters one for other code.
//!
//! The handle is left whenever the green thread switches away, and entered again when it is resumed: tokio keeps it in a thread-local of
//! the OS thread, on which others run meanwhile. `docs/futures.md` has the whole picture, and the other direction: tokio tasks
//! that await green threads.
//!
//! # Examples
//! ```
//! use std::time::Duration;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let tokio = tokio::runtime::Runtime::new()?;
//! greenbridge_runtime::tokio::set_handle(tokio.handle().clone())?;
//! let answer = greenbridge_runtime::run(|| {
//!     greenbridge_runtime::block_on(async {
//!         tokio::time::sleep(Duration::from_millis(1)).await;
//!         42
//!     })
//! });
//! assert_eq!(answer, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::green::thread::Head;
use crate::wait::block_on::wait_for_future;
use crate::wait::park;
use ::tokio::runtime::{EnterGuard, Handle};
use ::tokio::task::unconstrained;
use core::any::Any;
use core::cell::Cell;
use core::fmt;
use core::pin::{Pin, pin};
use core::ptr::{self, NonNull};
use core::task::{Context, Poll};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;

static HANDLE: OnceLock<Handle> = OnceLock::new();

/// Gives the tokio runtime that [`block_on`](crate::block_on) enters around each poll, for the whole process.
///
/// The handle does not keep the runtime alive: whoever made that keeps it. It may be given at any time; waits that have begun go on
/// without it.
///
/// # Errors
/// If one has been given already: two crates of a process may both mean well. The second one uses [`block_on`] with its own.
pub fn set_handle(handle: Handle) -> Result<(), HandleAlreadySet> {
    HANDLE.set(handle).map_err(|_| HandleAlreadySet(()))
}

/// The handle that has been given by [`set_handle`].
pub fn handle() -> Option<&'static Handle> {
    HANDLE.get()
}

/// Waits until `future` is done, as [`block_on`](crate::block_on), with `handle` entered around each poll in place of the one that was
/// given by [`set_handle`].
///
/// The future is dropped with the handle entered, too. Unlike `Handle::block_on` it may be used on a green thread and in a callback, and
/// there only the green thread waits.
///
/// # Blocking
/// As [`block_on`](crate::block_on). On an OS thread of the tokio runtime itself, that thread blocks, and tokio has one less.
///
/// # Panics
/// As [`block_on`](crate::block_on).
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let tokio = tokio::runtime::Runtime::new()?;
/// let handle = tokio.handle().clone();
/// greenbridge_runtime::run(move || {
///     greenbridge_runtime::tokio::block_on(&handle, async {
///         tokio::time::sleep(Duration::from_millis(1)).await;
///     });
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn block_on<F: Future>(handle: &Handle, future: F) -> F::Output {
    wait_for_future(Reactor(Some(handle)), future)
}

/// Runs `f` with `handle` entered: for code that is no future, and uses tokio all the same, such as `tokio::spawn` or
/// `TcpStream::from_std`.
///
/// It is what `Handle::enter` is elsewhere. That guard must not be alive where a green thread waits; `f` may wait, for the handle
/// is left meanwhile.
///
/// # Panics
/// With the panic of `f`.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let tokio = tokio::runtime::Runtime::new()?;
/// let handle = tokio.handle().clone();
/// let value = greenbridge_runtime::run(move || {
///     let task = greenbridge_runtime::tokio::enter(&handle, || tokio::spawn(async { 42 }));
///     greenbridge_runtime::block_on(task)
/// });
/// assert_eq!(value?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline(never)]
pub fn enter<R>(handle: &Handle, f: impl FnOnce() -> R) -> R {
    within(handle, f)
}

/// A tokio handle has been given already: the error of [`set_handle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleAlreadySet(());

impl fmt::Display for HandleAlreadySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a tokio Handle has been given to greenbridge already, and there is one per process: \
             use greenbridge::tokio::block_on(&handle, future) with another one",
        )
    }
}

impl Error for HandleAlreadySet {}

/// The tokio runtime that a future is polled and dropped in, if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reactor<'h>(Option<&'h Handle>);

impl Reactor<'static> {
    /// The one that was given.
    #[inline]
    pub(crate) fn given() -> Self {
        Self(handle())
    }
}

impl Reactor<'_> {
    /// Runs code of a future in it. If there is none, and that is what the code dies of, says what to do about it.
    #[inline]
    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        match self.0 {
            Some(handle) => within(handle, f),
            None => catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
                advise(&*payload);
                resume_unwind(payload)
            }),
        }
    }
}

/// Polls `future`; on an OS thread without tokio's budget. A wait that blocks one of tokio's own would use up the budget of the task that
/// runs there, and from then on be told for ever to come back later.
#[inline]
pub(crate) fn poll<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    match park::running() {
        Some(_) => future.poll(context),
        None => pin!(unconstrained(future)).poll(context),
    }
}

/// Adds to tokio's own message, if that is what `payload` is, what to do about it here.
#[cold]
fn advise(payload: &(dyn Any + Send)) {
    let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
    if text.is_some_and(|text| text.starts_with("there is no reactor running")) {
        eprintln!(
            "greenbridge: this future needs a tokio runtime: give its Handle to greenbridge::tokio::set_handle once, \
             or wait by greenbridge::tokio::block_on(&handle, future)"
        );
    }
}

/// A handle that code on this stack has entered.
pub(crate) struct Entered<'h> {
    handle: &'h Handle,
    /// None while the green thread is switched away.
    guard: Cell<Option<EnterGuard<'h>>>,
    /// Whose chain it is in. None on an OS thread, which waits without switching away.
    green: Option<NonNull<Head>>,
    outer: *const Entered<'static>,
}

/// Runs `f` with `handle` entered.
///
/// Tokio's accesses to its thread-local are in [`Entered::enter`] and [`Entered::leave`], which are never inlined: this function may come
/// back from `f` on another OS thread.
#[inline]
fn within<R>(handle: &Handle, f: impl FnOnce() -> R) -> R {
    let green = park::running();
    // SAFETY: it is running this very function.
    let chain = green.map(|head| unsafe { &head.as_ref().entered });
    let outer = chain.map_or(ptr::null(), Cell::get);
    let entered = Entered { handle, guard: Cell::new(None), green, outer };
    entered.enter();
    if let Some(chain) = chain {
        // The link is gone before `entered` is: `Entered` takes it out when it is dropped.
        chain.set(ptr::from_ref(&entered).cast());
    }
    f()
}

impl Entered<'_> {
    #[inline(never)]
    fn enter(&self) {
        self.guard.set(Some(self.handle.enter()));
    }

    #[inline(never)]
    fn leave(&self) {
        drop(self.guard.take());
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(green) = self.green {
            // SAFETY: it is running this very function.
            unsafe { green.as_ref() }.entered.set(self.outer);
        }
        self.leave();
    }
}

impl fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").field("handle", self.handle).finish_non_exhaustive()
    }
}

/// The handles that a green thread has left to switch away. They are entered again when this is dropped, on whatever OS thread it is then.
#[derive(Debug)]
pub(crate) struct Left(*const Entered<'static>);

impl Left {
    /// Leaves all that `green`, the running green thread, has entered.
    ///
    /// # Panics
    /// With tokio's message, if the code that waits holds a guard of `Handle::enter`. Nothing has changed then.
    #[inline(always)]
    pub(crate) fn before_switch(green: &Head) -> Self {
        let innermost = green.entered.get();
        if !innermost.is_null() {
            leave_all(innermost);
        }
        Self(innermost)
    }
}

impl Drop for Left {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.0.is_null() {
            enter_all(self.0);
        }
    }
}

/// From the inside out.
#[cold]
#[inline(never)]
fn leave_all(innermost: *const Entered<'static>) {
    // SAFETY: what is in the chain lies on the running stack, and leaves the chain before it goes away.
    if let Some(entered) = unsafe { innermost.as_ref() } {
        entered.leave();
        leave_all(entered.outer);
    }
}

/// From the outside in.
#[cold]
#[inline(never)]
fn enter_all(innermost: *const Entered<'static>) {
    // SAFETY: as in `leave_all`.
    if let Some(entered) = unsafe { innermost.as_ref() } {
        enter_all(entered.outer);
        entered.enter();
    }
}
