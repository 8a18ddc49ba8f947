//! Something that is done once, and everybody waits until it has been done.
//!
//! With a value, take [`OnceLock`](super::OnceLock) or [`LazyLock`](super::LazyLock), which are built on this.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::Once;
//!
//! static GREETING: Once = Once::new();
//!
//! let mut greetings = 0;
//! for _ in 0..3 {
//!     GREETING.call_once(|| greetings += 1);
//! }
//! assert_eq!(greetings, 1);
//! ```

use super::timed_out::TimedOut;
use crate::driver::clock;
use crate::primitive::{AtomicBool, Mutex, Ordering, lock_briefly, thread_token};
use crate::wait::operation::{Operation, Waiting, wait_for, wait_for_until};
use crate::wait::queue::{WaitQueue, Waiter};
use crate::wait::{What, park};
use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Runs a function once. Callers that come meanwhile wait until it has returned.
///
/// # Panics
/// A function that panics, or is cut short by a [cancellation](crate::cancel), has not been run: the first of those that wait runs its
/// own. Nothing is poisoned, unlike std's `Once`.
///
/// The function may wait, and may be on another OS thread afterwards. It must not use the `Once` it is run for: that is a panic, not
/// a wait for ever. (Of the `_async` forms nobody knows where they are; there it is a wait for ever.)
///
/// # Cancellation
/// Who waits may be cut short; nothing has been run for it then.
pub struct Once {
    is_done: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// Who runs its function now.
    runner: Option<Runner>,
    /// Those that have a function to run, should the runner's fail.
    candidates: WaitQueue<()>,
    /// Those that only wait.
    spectators: WaitQueue<()>,
}

/// Who runs a function, as far as that can be told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runner {
    /// The green thread with this address.
    Green(usize),
    /// The OS thread with this token, on no green thread.
    Thread(usize),
    /// Somebody's future.
    Future,
}

impl Runner {
    #[inline(never)]
    fn current() -> Self {
        park::running().map_or_else(|| Self::Thread(thread_token()), |green| Self::Green(green.as_ptr().addr()))
    }
}

impl Once {
    /// Nothing has been run yet.
    pub const fn new() -> Self {
        let state = State { runner: None, candidates: WaitQueue::new(), spectators: WaitQueue::new() };
        Self { is_done: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// Whether a function has been run, and has returned.
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire: pairs with the Release in `Running::complete`.
        self.is_done.load(Ordering::Acquire)
    }

    /// Runs `f`, unless one has been run; waits for one that is being run. When it returns, one has been run.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// With the panic of `f`. In a callback under a bare C call, if it would have to wait. In a function that this very `Once` runs.
    #[inline(never)]
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        if !self.is_completed() {
            let Ok(()) = self.try_call(|| {
                f();
                Ok::<(), Infallible>(())
            });
        }
    }

    /// As [`call_once`](Self::call_once), as a future that runs a future. `f` is called if and when it is its turn.
    ///
    /// # Panics
    /// With the panic of `f`, or of its future.
    ///
    /// # Cancellation
    /// Dropped, it drops the future that it runs, and the next one has its turn.
    pub async fn call_once_async<F: Future<Output = ()>>(&self, f: impl FnOnce() -> F) {
        let call = || async {
            f().await;
            Ok::<(), Infallible>(())
        };
        let Ok(()) = self.try_call_async(call).await;
    }

    /// Waits until a function has been run.
    ///
    /// # Blocking
    /// As [`call_once`](Self::call_once).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait. In a function that this very `Once` runs.
    #[inline(never)]
    #[track_caller]
    pub fn wait(&self) {
        if !self.is_completed() {
            wait_for(What::Value, Watch(self, Runner::current()), ());
        }
    }

    /// As [`wait`](Self::wait), for no longer than `timeout`; a time that the clock cannot count is no limit.
    ///
    /// # Blocking
    /// As [`call_once`](Self::call_once).
    ///
    /// # Errors
    /// If the time is over.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.wait_until(clock::deadline_after(timeout))
    }

    /// As [`wait`](Self::wait), until `deadline`.
    ///
    /// # Blocking
    /// As [`call_once`](Self::call_once).
    ///
    /// # Errors
    /// If the deadline has come.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    #[inline(never)]
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.wait_until(Some(deadline))
    }

    /// As [`wait`](Self::wait), until `deadline`, if there is one.
    #[inline]
    #[track_caller]
    fn wait_until(&self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        wait_for_until(What::Value, deadline, Watch(self, Runner::current()), ()).ok_or(TimedOut)
    }

    /// As [`wait`](Self::wait), as a future.
    ///
    /// # Cancellation
    /// It may be dropped at any time.
    pub async fn wait_async(&self) {
        Waiting::new(Watch(self, Runner::Future), ()).await;
    }

    /// Runs `f` as [`call_once`](Self::call_once) does; an error counts as if it had not been run.
    #[cold]
    #[track_caller]
    pub(super) fn try_call<E>(&self, f: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        match wait_for(What::Value, Begin(self, Runner::current()), ()) {
            Turn::Done => Ok(()),
            Turn::Runs(running) => f().map(|()| running.complete()),
        }
    }

    /// The same as a future.
    pub(super) async fn try_call_async<E, F>(&self, f: impl FnOnce() -> F) -> Result<(), E>
    where
        F: Future<Output = Result<(), E>>,
    {
        match Waiting::new(Begin(self, Runner::Future), ()).await {
            Turn::Done => Ok(()),
            Turn::Runs(running) => f().await.map(|()| running.complete()),
        }
    }

    /// Nobody runs a function now: the next candidate may.
    fn pass_on(&self, no_runner: impl FnOnce(&mut State) -> bool) {
        let mut state = lock_briefly(&self.state);
        if no_runner(&mut state)
            && let Some(((), waker)) = state.candidates.serve(|()| ())
        {
            drop(state);
            waker.wake();
        }
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("is_completed", &self.is_completed()).finish_non_exhaustive()
    }
}

/// The caller's function is the one that is run. Dropped, it has failed.
struct Running<'a>(&'a Once);

impl Running<'_> {
    fn complete(self) {
        let once = self.0;
        core::mem::forget(self);
        let mut state = lock_briefly(&once.state);
        state.runner = None;
        once.is_done.store(true, Ordering::Release);
        let candidates = state.candidates.serve_all(|()| ());
        let spectators = state.spectators.serve_all(|()| ());
        drop(state);
        candidates.into_iter().chain(spectators).for_each(Waker::wake);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.pass_on(|state| {
            state.runner = None;
            true
        });
    }
}

/// What a candidate learns.
enum Turn<'a> {
    /// A function has been run.
    Done,
    /// It is its turn.
    Runs(Running<'a>),
}

/// Waits for one's turn, or for the end.
struct Begin<'a>(&'a Once, Runner);

impl<'a> Operation for Begin<'a> {
    type Slot = ();
    type Output = Turn<'a>;

    fn poll(&self, mut waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<Turn<'a>> {
        let &Self(once, caller) = self;
        if once.is_completed() {
            return Poll::Ready(Turn::Done);
        }
        let mut state = lock_briefly(&once.state);
        if once.is_completed() {
            return Poll::Ready(Turn::Done);
        }
        if waiter.is_served() {
            waiter.as_mut().reset();
        }
        // One that is queued while nobody runs is behind one that has been called, and has yet to come.
        if !waiter.is_queued() {
            match state.runner {
                None => {
                    state.runner = Some(caller);
                    return Poll::Ready(Turn::Runs(Running(once)));
                }
                Some(runner) if runner == caller && caller != Runner::Future => {
                    drop(state);
                    runs_itself();
                }
                Some(_) => {}
            }
        }
        // SAFETY: 1. in this queue, if at all; 2. pinned by its owner, who gives up before it drops it; 3. the lock of the `Once`.
        let old = unsafe { state.candidates.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let _ = lock_briefly(&self.0.state).candidates.give_up(waiter.as_ref());
        }
        // It has been called, and does not come: the next one, unless somebody else came first.
        if waiter.is_served() && !self.0.is_completed() {
            self.0.pass_on(|state| state.runner.is_none());
        }
    }
}

/// Waits for the end, without a function of one's own.
struct Watch<'a>(&'a Once, Runner);

impl Operation for Watch<'_> {
    type Slot = ();
    type Output = ();

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<()> {
        let &Self(once, caller) = self;
        let mut state = lock_briefly(&once.state);
        if once.is_completed() {
            return Poll::Ready(());
        }
        if state.runner == Some(caller) && caller != Runner::Future {
            drop(state);
            runs_itself();
        }
        // SAFETY: as in `Begin::poll`.
        let old = unsafe { state.spectators.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let _ = lock_briefly(&self.0.state).spectators.give_up(waiter.as_ref());
        }
    }
}

#[cold]
fn runs_itself() -> ! {
    panic!("a Once, OnceLock or LazyLock is waited for by the very function that it runs: it would wait for ever");
}
