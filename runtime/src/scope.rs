//! Scopes: green threads that borrow from the code that starts them, and end before it goes on.
//!
//! As `std::thread::scope`, whose lifetimes these are. `'scope` is the time in which green threads of the scope may run: they may refer
//! to the scope itself. `'env` is whatever they borrow from outside, which is longer.
//!
//! # Why a borrow is not outlived
//! [`scope`] comes back, by returning or by unwinding, only when [`Children`] counts nobody. Each child is counted in before it is
//! scheduled, and counted out by [`Running`], which is dropped after everything else that the child owns: its closure, and its share of the
//! packet with the result. The wait for this is behind a shield, so that no cancellation ends it; where the green thread may not switch away,
//! it blocks the OS thread; and should anything unwind out of it all the same, [`AbortsOnUnwind`] ends the process.
//!
//! The result of a child, which may borrow as well, does not lie in the control block of the green thread, for that may be kept by a
//! waker or a `Thread` for as long as they like. It lies in a [`Packet`] of the child and its handle. A handle has the lifetime
//! `'scope`, so nobody who is there after the scope can drop one: it has been dropped before, or never will be.

use crate::cancel::{CancelToken, Cancelled};
use crate::green::thread::Payload;
use crate::primitive::{AtomicBool, Mutex, Ordering, lock, lock_briefly};
use crate::scheduler::current;
use crate::scheduler::in_c::Frame;
use crate::spawn::{JoinHandle, Thread, ThreadBuilder};
use crate::wait::cancel::{self, Node};
use crate::wait::operation::{Operation, Waiting, wait_for};
use crate::wait::queue::{WaitQueue, Waiter};
use crate::wait::{Waits, What, park};
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Lets `f` start green threads that borrow from its surroundings, and comes back when all of them have ended.
///
/// # Blocking
/// It waits for the green threads that `f` has not joined. A green thread waits alone, also in a callback from C; any other OS thread blocks.
/// In a callback under a bare C call, where nothing else may wait, the OS thread blocks as well: the borrows must end.
///
/// # Panics
/// With the panic of `f`, when the green threads have ended; as in `std::thread::scope` they are not cut short by it. Otherwise, if one of
/// them panicked, or could not be given a stack, and was not joined.
///
/// In a child that was forked while green threads of the scope were running the process aborts: they are in the parent, and will not end.
///
/// # Cancellation
/// If the caller is cancelled in `f`, or while it waits for the green threads, these are cancelled, and waited for; then it unwinds on. A
/// green thread of the scope that was cancelled and not joined is no panic.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let words = vec![String::from("green"), String::from("thread")];
/// let mut longest = 0;
/// let letters: usize = greenbridge_runtime::scope(|s| {
///     s.spawn(|| longest = words.iter().map(String::len).max().unwrap_or(0));
///     let counts: Vec<_> = words.iter().map(|word| s.spawn(|| word.len())).collect();
///     counts.into_iter().filter_map(|count| count.join().ok()).sum()
/// });
/// assert_eq!((letters, longest), (11, 6));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { children: Arc::new(Children::new()), scope: PhantomData, env: PhantomData };
    // Nothing from here to the end of the wait lets a panic of its own out.
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    let is_cut_short = result.as_ref().is_err_and(|payload| payload.is::<Cancelled>());
    let cut_short = scope.children.wait_for_end(is_cut_short);
    match (result, cut_short) {
        (Err(payload), _) | (Ok(_), Some(payload)) => resume_unwind(payload),
        (Ok(_), None) if scope.children.one_panicked.load(Ordering::Relaxed) => {
            panic!("a scoped green thread panicked")
        }
        (Ok(value), None) => value,
    }
}

/// Starts green threads that end before it does: the argument of the closure of [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    children: Arc<Children>,
    /// Invariant: with a shorter `'scope`, green threads could borrow what does not last as long as the scope.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a green thread, as [`spawn`](crate::spawn()), that may borrow whatever outlives the scope. Green threads of the scope may start
    /// further ones.
    ///
    /// # Panics
    /// If the runtime has not been started.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        ThreadBuilder::new().spawn_scoped(self, f)
    }

    /// A token that cancels the green threads of the scope, all together, those that are yet to be started too. It does not cancel the
    /// code that has entered the scope.
    ///
    /// # Examples
    /// The first answer ends the search:
    /// ```
    /// # // SAFETY: nothing here touches a thread-local across a wait.
    /// # unsafe { greenbridge_runtime::Builder::new().start()? };
    /// let (found, first) = greenbridge_runtime::sync::channel::bounded(1);
    /// let answer = greenbridge_runtime::scope(|s| {
    ///     s.spawn(greenbridge_runtime::park);
    ///     s.spawn(|| found.send(42));
    ///     let answer = first.recv();
    ///     s.token().cancel();
    ///     answer
    /// });
    /// assert_eq!(answer, Ok(42));
    /// # Ok::<(), greenbridge_runtime::StartError>(())
    /// ```
    pub fn token(&self) -> CancelToken {
        CancelToken::of(Arc::clone(&self.children.node))
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("running", &lock(&self.children.state).running).finish_non_exhaustive()
    }
}

impl ThreadBuilder {
    /// Starts it as a green thread of `scope`: see [`Scope::spawn`].
    ///
    /// # Panics
    /// If the runtime has not been started.
    #[track_caller]
    pub fn spawn_scoped<'scope, F, T>(self, scope: &'scope Scope<'scope, '_>, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let packet = Arc::new(Packet {
            result: Mutex::new(Outcome::NotRun { is_cancelled: false }),
            children: Arc::clone(&scope.children),
        });
        let child = Child { f, packet: Arc::clone(&packet), running: Running::count_in(&scope.children) };
        // SAFETY: the scope does not end before `running`, which is the last of what the closure owns to be dropped, has counted the child out.
        let handle = unsafe { self.spawn_unchecked(move || child.run()) };
        ScopedJoinHandle { handle, packet, scope: PhantomData }
    }
}

/// Waits for a green thread of a scope, and brings its value, or its panic. It is a `Future`, as [`JoinHandle`] is.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<()>,
    packet: Arc<Packet<T>>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits until the green thread has finished, and returns its value, or what it panicked with, which then is no panic of the scope.
    ///
    /// # Blocking
    /// As [`JoinHandle::join`].
    ///
    /// # Errors
    /// As [`JoinHandle::join`]: the payload of its panic, [`Cancelled`], or a [`StackError`](crate::StackError).
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait.
    #[inline(never)]
    #[track_caller]
    pub fn join(self) -> Result<T, Payload> {
        let Self { handle, packet, .. } = self;
        let finished = handle.join();
        packet.take(finished)
    }

    /// Whether the green thread has finished, so that `join` would not wait.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Cancels the green thread: see [`JoinHandle::cancel`].
    pub fn cancel(&self) {
        if let Outcome::NotRun { is_cancelled } = &mut *lock(&self.packet.result) {
            *is_cancelled = true;
        }
        self.handle.cancel();
    }

    /// The green thread.
    pub fn thread(&self) -> &Thread {
        self.handle.thread()
    }
}

impl<T> Future for ScopedJoinHandle<'_, T> {
    type Output = Result<T, Payload>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(context).map(|finished| self.packet.take(finished))
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").field("thread", self.thread()).finish()
    }
}

/// The green threads of one scope.
struct Children {
    /// Cancels them. Each runs in a scope of this node.
    node: Arc<Node>,
    state: Mutex<State>,
    /// One that nobody has joined. Written before its handle or the child goes away, so it is seen after the wait.
    one_panicked: AtomicBool,
}

struct State {
    running: usize,
    /// Who waits until nobody is running.
    waiters: WaitQueue<()>,
}

impl Children {
    fn new() -> Self {
        let state = State { running: 0, waiters: WaitQueue::new() };
        Self { node: Node::root(), state: Mutex::new(state), one_panicked: AtomicBool::new(false) }
    }

    /// Waits until nobody is running. If this is cut short, or `is_cut_short` already, they are cancelled first. Returns what cut it short.
    #[track_caller]
    fn wait_for_end(&self, is_cut_short: bool) -> Option<Payload> {
        let guard = AbortsOnUnwind;
        let cut_short = if is_cut_short {
            self.node.cancel();
            None
        } else {
            catch_unwind(AssertUnwindSafe(|| self.wait())).err()
        };
        if let Some(payload) = &cut_short {
            if !payload.is::<Cancelled>() {
                // It cannot wait at all.
                drop(guard);
                unreachable!("the guard aborts");
            }
            self.node.cancel();
        }
        if is_cut_short || cut_short.is_some() {
            cancel::shield(|| self.wait());
        }
        core::mem::forget(guard);
        cut_short
    }

    /// Waits until nobody is running, or the caller is cancelled.
    #[track_caller]
    fn wait(&self) {
        let (frame, callbacks) = current::stack_of_calls();
        if Frame::covers(frame, callbacks) {
            return wait_for(What::Scope, WaitForEnd(self), ());
        }
        let mut waiting = pin!(Waiting::new(WaitForEnd(self), ()));
        let waits = Waits { what: What::Scope, at: Location::caller() };
        park::wait_on_thread(waits, |context| waiting.as_mut().poll(context));
    }
}

struct WaitForEnd<'a>(&'a Children);

impl Operation for WaitForEnd<'_> {
    type Slot = ();
    type Output = ();

    fn poll(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<()> {
        let mut state = lock_briefly(&self.0.state);
        if state.running == 0 {
            return Poll::Ready(());
        }
        // SAFETY: 1. in this queue or none; 2. pinned by its owner, who gives up before it drops it; 3. the lock of the children.
        let old = unsafe { state.waiters.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn give_up(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_queued() {
            let _ = lock_briefly(&self.0.state).waiters.give_up(waiter.as_ref());
        }
    }
}

/// A child, counted.
struct Running(Arc<Children>);

impl Running {
    fn count_in(children: &Arc<Children>) -> Self {
        lock_briefly(&children.state).running += 1;
        Self(Arc::clone(children))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = lock_briefly(&self.0.state);
        state.running -= 1;
        let waker = if state.running == 0 { state.waiters.serve(|()| ()) } else { None };
        drop(state);
        if let Some(((), waker)) = waker {
            waker.wake();
        }
    }
}

/// What a child owns. Dropped from the top down, also if it never runs.
struct Child<F, T> {
    f: F,
    packet: Arc<Packet<T>>,
    running: Running,
}

impl<F: FnOnce() -> T, T> Child<F, T> {
    /// Runs the closure, and leaves its result in the packet.
    fn run(self) {
        // Dropped from the right to the left.
        let Self { running, packet, f } = self;
        let node = &running.0.node;
        let result = catch_unwind(AssertUnwindSafe(|| {
            if node.is_cancelled() {
                drop(f);
                return Err(Cancelled::to(Cancelled::GREEN_THREAD));
            }
            cancel::run(node, f)
        }));
        let result = result.and_then(|result| result.map_err(|cancelled| Box::new(cancelled) as Payload));
        packet.put(result);
    }
}

/// The result of a child, shared by it and its handle.
struct Packet<T> {
    result: Mutex<Outcome<T>>,
    children: Arc<Children>,
}

enum Outcome<T> {
    NotRun { is_cancelled: bool },
    Finished(Result<T, Payload>),
    Taken,
}

impl<T> Packet<T> {
    fn put(&self, result: Result<T, Payload>) {
        *lock(&self.result) = Outcome::Finished(result);
    }

    /// The result, when the green thread has `finished`: with an error if it has not run.
    fn take(&self, finished: Result<(), Payload>) -> Result<T, Payload> {
        let outcome = core::mem::replace(&mut *lock(&self.result), Outcome::Taken);
        finished?;
        match outcome {
            Outcome::Finished(result) => result,
            Outcome::NotRun { .. } | Outcome::Taken => {
                unreachable!("a child that has run leaves a result, for one join")
            }
        }
    }
}

impl<T> Drop for Packet<T> {
    fn drop(&mut self) {
        let outcome = core::mem::replace(&mut *lock(&self.result), Outcome::Taken);
        let is_unheard = match &outcome {
            Outcome::NotRun { is_cancelled } => !is_cancelled,
            Outcome::Finished(Err(payload)) => !payload.is::<Cancelled>(),
            Outcome::Finished(Ok(_)) | Outcome::Taken => false,
        };
        // What nobody has asked for is the user's, and may panic as it goes.
        let is_dropped = catch_unwind(AssertUnwindSafe(|| drop(outcome)));
        if is_unheard || is_dropped.is_err() {
            self.children.one_panicked.store(true, Ordering::Relaxed);
        }
    }
}

/// The scope cannot wait for its green threads, which borrow what is about to go away.
struct AbortsOnUnwind;

impl Drop for AbortsOnUnwind {
    fn drop(&mut self) {
        eprintln!("greenbridge: a scope was left while its green threads were running, and the process cannot go on");
        std::process::abort();
    }
}
