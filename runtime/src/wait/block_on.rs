//! Waiting for a future.

use super::{What, park, wait};
#[cfg(feature = "tokio")]
use crate::tokio::{Reactor, poll};
use core::cell::Cell;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

/// Waits until `future` is done, and returns its output.
///
/// The future is polled on the caller's own stack, and nowhere else. It may be anybody's: whatever wakes its `Waker` resumes the caller.
/// Tokio's need a handle of their runtime: see the module `tokio`, behind the feature of that name.
///
/// # Blocking
/// On a green thread only that waits. In a callback from C the green thread waits with its C frames, pinned to its OS thread. On
/// any other OS thread, that thread blocks.
///
/// # Panics
/// If the future panics; and in a callback under a bare C call, if the future is not done at once.
///
/// # Cancellation
/// The future is dropped where it is.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let (sender, receiver) = greenbridge_runtime::sync::channel::bounded(1);
/// let sum = greenbridge_runtime::run(move || {
///     let adds = greenbridge_runtime::spawn(move || {
///         greenbridge_runtime::block_on(async { receiver.recv_async().await.unwrap_or(0) + 1 })
///     });
///     sender.send(41).ok();
///     adds.join()
/// });
/// assert_eq!(sum.ok(), Some(42));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    wait_for_future(Reactor::given(), future)
}

/// The same with the futures' runtime entered.
#[inline]
#[track_caller]
pub(crate) fn wait_for_future<F: Future>(reactor: Reactor<'_>, future: F) -> F::Output {
    let mut awaited = pin!(Awaited { future: Some(future), reactor });
    wait(What::Future, |context| awaited.as_mut().poll(context))
}

/// Somebody's future that is polled on the stack of whoever waits for it.
///
/// It is polled, and dropped, by functions that are never inlined. A future may touch a thread-local in each poll, and rightly: its poll never
/// moves. The function that waits does move between two polls, and must not find the address of that thread-local among its own
/// (`docs/safety.md`).
#[derive(Debug)]
pub(crate) struct Awaited<'r, F> {
    /// None when it is done.
    future: Option<F>,
    reactor: Reactor<'r>,
}

impl<F> Awaited<'static, F> {
    /// A future that is polled with the runtime entered that was given for all.
    pub(crate) fn new(future: F) -> Self {
        Self { future: Some(future), reactor: Reactor::given() }
    }
}

impl<F> Awaited<'_, F> {
    /// The future, which is pinned with this.
    fn parts(self: Pin<&mut Self>) -> (Pin<&mut Option<F>>, Reactor<'_>) {
        // SAFETY: `future` is structurally pinned: it is moved nowhere, and dropped in place. `reactor` is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        (unsafe { Pin::new_unchecked(&mut this.future) }, this.reactor)
    }
}

impl<F: Future> Awaited<'_, F> {
    #[inline(never)]
    pub(crate) fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let (mut future, reactor) = self.parts();
        let _in_poll = InPoll::new();
        reactor.run(|| {
            let polled = poll(future.as_mut().as_pin_mut().expect("not polled after it was done"), context);
            if polled.is_ready() {
                future.set(None);
            }
            polled
        })
    }
}

/// Notes for the running green thread that its code is in the poll of a future.
struct InPoll<'a> {
    note: Option<(&'a Cell<bool>, bool)>,
}

impl InPoll<'_> {
    fn new() -> Self {
        // SAFETY: it is running this very function, and runs the drop.
        let head = park::running().map(|head| unsafe { head.as_ref() });
        Self { note: head.map(|head| (&head.is_in_poll, head.is_in_poll.replace(true))) }
    }
}

impl Drop for InPoll<'_> {
    fn drop(&mut self) {
        if let Some((note, before)) = self.note {
            note.set(before);
        }
    }
}

impl<F> Drop for Awaited<'_, F> {
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: pinned since it was first polled, and not moved in here.
        let (mut future, reactor) = unsafe { Pin::new_unchecked(self) }.parts();
        if future.is_some() {
            reactor.run(|| future.set(None));
        }
    }
}

/// What stands in for tokio's runtime without the feature `tokio`: nothing is entered.
#[cfg(not(feature = "tokio"))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reactor<'r>(core::marker::PhantomData<&'r ()>);

#[cfg(not(feature = "tokio"))]
impl Reactor<'static> {
    fn given() -> Self {
        Self(core::marker::PhantomData)
    }
}

#[cfg(not(feature = "tokio"))]
impl Reactor<'_> {
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

#[cfg(not(feature = "tokio"))]
fn poll<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(context)
}
