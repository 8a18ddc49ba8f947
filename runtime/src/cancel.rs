//! Cancellation: ending waits early, from outside.
//!
//! A [`CancelToken`] cuts code short that runs in its scope, on a green thread, in a callback from C or on an OS thread.
//! [`JoinHandle::cancel`](crate::JoinHandle::cancel) does the same to a whole green thread, [`Scope::token`](crate::Scope::token) to all
//! green threads of a scope.
//!
//! # What is cut short, and where
//! Waits: a receive, a lock, a sleep, a join, [`block_on`](crate::block_on), every function of this library that waits. One that would have to
//! wait in a cancelled scope unwinds, as a panic does, but without a message; [`CancelToken::run`] catches it and returns
//! [`Cancelled`]. Destructors run. A wait that was cut short has taken nothing: no message, no lock. A send whose
//! message is taken at that very moment has sent, and the next wait is the one that is cut short. One that need not wait goes
//! on, so code that never waits is not cut short; it may call [`check`].
//!
//! Unwinding does not pass C frames. While C is on the stack between the scope and the wait, the wait goes on; cancellation comes
//! when C has returned, at the next wait. A scope that is entered in a callback is cut short in it. Nor are waits cut short in destructors
//! that run while a panic unwinds, in those of green locals, and in [`shield`].
//!
//! Code that catches panics (`std::panic::catch_unwind`) catches this, too; it is cut short again at its next wait. In a program
//! compiled with `panic = "abort"`, a wait that is cut short aborts.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::cancel::CancelToken;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let token = CancelToken::new();
//! let waiting = {
//!     let token = token.clone();
//!     greenbridge_runtime::spawn(move || token.run(greenbridge_runtime::park))
//! };
//! token.cancel();
//! assert!(matches!(waiting.join(), Ok(Err(_))));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```

use crate::wait::What;
use crate::wait::cancel::{self, Node};
use crate::wait::operation::{Operation, Waiting, wait_for};
use crate::wait::queue::Waiter;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Cuts short what runs in its scope, and in those of its children. Clones are the same token.
///
/// # Examples
/// A deadline for several waits, of a child, so that the whole can be cancelled as well:
/// ```
/// use greenbridge_runtime::cancel::CancelToken;
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let whole = CancelToken::new();
/// let part = whole.child_with_timeout(Duration::from_secs(3600));
/// whole.cancel();
/// assert!(part.is_cancelled());
/// assert!(part.run(greenbridge_runtime::park).is_err());
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[derive(Clone)]
pub struct CancelToken(Arc<Node>);

impl CancelToken {
    /// A token of its own.
    pub fn new() -> Self {
        Self(Node::root())
    }

    /// The token of `node`.
    pub(crate) fn of(node: Arc<Node>) -> Self {
        Self(node)
    }

    /// A token that is cancelled when this one is, and can be cancelled alone.
    pub fn child(&self) -> Self {
        Self(self.0.child())
    }

    /// A child that is cancelled at `deadline`.
    ///
    /// # Panics
    /// If the runtime has not been started.
    pub fn child_with_deadline(&self, deadline: Instant) -> Self {
        let child = self.0.child();
        child.arm(deadline);
        Self(child)
    }

    /// A child that is cancelled after `timeout`; never, if that is more than the clock can count.
    ///
    /// # Panics
    /// If the runtime has not been started.
    pub fn child_with_timeout(&self, timeout: Duration) -> Self {
        let child = self.0.child();
        if let Some(deadline) = crate::driver::clock::deadline_after(timeout) {
            child.arm(deadline);
        }
        Self(child)
    }

    /// Cancels it and its children: waits in their scopes end. False: it was cancelled already.
    ///
    /// It may be called from anywhere, and does not wait.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// Whether it has been cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Runs `f` in the scope of this token, and returns its value.
    ///
    /// # Errors
    /// If `f` was cut short. What it had not finished, its destructors have cleaned up. An `f` that ends by itself after the token was
    /// cancelled is no error.
    ///
    /// # Panics
    /// With the panic of `f`.
    #[inline(never)]
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, Cancelled> {
        cancel::run(&self.0, f)
    }

    /// Waits until it is cancelled.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn cancelled(&self) {
        wait_for(What::Cancellation, WaitForCancel(&self.0), ());
    }

    /// As [`cancelled`](Self::cancelled), as a future.
    ///
    /// # Cancellation
    /// It may be dropped at any time.
    pub fn cancelled_async(&self) -> CancelledFuture<'_> {
        CancelledFuture(Waiting::new(WaitForCancel(&self.0), ()))
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// Ends the caller here if it has been cancelled, as a wait would: for code that computes for long without a wait.
///
/// # Panics
/// With [`Cancelled`], caught by the [`CancelToken::run`] that is cut short, or at the end of the green thread.
#[inline(never)]
pub fn check() {
    cancel::check();
}

/// Runs `f`, whose waits are not cut short by anything that is cancelled around it: for clean-up that must wait, such as to tell a peer that
/// nothing more will come. A [`CancelToken::run`] inside `f` works as ever.
///
/// # Examples
/// ```
/// use greenbridge_runtime::cancel::{self, CancelToken};
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let token = CancelToken::new();
/// token.cancel();
/// let sum = token.run(|| cancel::shield(|| greenbridge_runtime::spawn(|| 40 + 2).join().ok()));
/// assert_eq!(sum, Ok(Some(42)));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
pub fn shield<R>(f: impl FnOnce() -> R) -> R {
    cancel::shield(f)
}

struct WaitForCancel<'a>(&'a Node);

impl Operation for WaitForCancel<'_> {
    type Slot = ();
    type Output = ();

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<()> {
        self.0.poll_cancelled(waiter, context)
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        self.0.give_up(waiter.as_ref());
    }
}

/// Made by [`CancelToken::cancelled_async`].
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled"]
pub struct CancelledFuture<'a>(Waiting<WaitForCancel<'a>>);

impl Future for CancelledFuture<'_> {
    type Output = ();

    #[inline(never)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the one field is structurally pinned.
        unsafe { self.map_unchecked_mut(|future| &mut future.0) }.poll(context)
    }
}

/// Something was cut short: the error of [`CancelToken::run`], and the payload that comes out of the join of a green thread that was
/// cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled {
    /// The address of the scope that it unwinds to.
    to: usize,
}

impl Cancelled {
    /// In the place of a scope: the end of the green thread.
    pub(crate) const GREEN_THREAD: usize = 0;

    pub(crate) fn to(scope: usize) -> Self {
        Self { to: scope }
    }

    pub(crate) fn unwinds_to(&self) -> usize {
        self.to
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl Error for Cancelled {}
