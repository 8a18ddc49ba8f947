//! Cancellation, as every wait sees it.
//!
//! A green thread is cancelled as a whole (a bit of its state word), or a stretch of its code is: a [`Scope`], which lies on the stack of
//! the code that entered it and is cancelled by its [`Node`]. A wait that would have to wait, and stands in something that has been
//! cancelled, unwinds with [`Cancelled`] to where that began. Destructors run; an operation that was under way is dropped, and gives up what it
//! had been given. A wait that need not wait goes on.
//!
//! ```text
//!   stack:  ... Scope A ◄── C frames ◄── callback ◄── Scope B ◄── wait
//!                 │                                    │
//!   heap:       Node                                 Node           B can be cut short here; A only when C has returned
//! ```
//!
//! Unwinding must not pass C frames. So a scope is observed only by waits with the same C calls and callbacks on the stack as at its
//! entry, and the green thread's own bit only by waits with none. While it unwinds, nothing is observed. A scope without a node is a
//! *shield*: inside it, nothing around it is observed.
//!
//! # Why no cancellation is missed
//! Whoever cancels sets a flag first, and wakes second; whoever waits looks at the flag after its last look at the condition, and rests
//! after that.
//! * A green thread that switches away: the wake changes its state word, so the park that follows the look fails, or is ended. It
//!   reaches the word directly ([`cancel_green`]), or through the observer that each scope has queued at its node.
//! * Enqueueing an observer looks at the flag under the node's lock, and [`Node::cancel`] sets it under that lock and then empties the
//!   queue: an observer is found there, or has not been queued because the flag was seen.
//! * A wait that blocks its OS thread puts its own waker in place of the observers' ([`observe_with`]), and beside the green thread in
//!   [`BLOCKED`], each under the lock that a cancellation takes after it has set the flag; then it looks at the flags. A cancellation that
//!   comes before that is seen by the look; one that comes after finds the waker. As the poll of a future may wait itself, and puts back
//!   what was there before, this is done anew after each poll.
//!
//! # Why what is cut short has taken nothing
//! The look at the flags comes after a poll that said "not yet", and ends the wait by unwinding. Whatever the poll has left in a queue
//! belongs to a [`Waiting`](super::operation::Waiting), which gives up when it is dropped: what was handed over between the poll and that
//! moment goes on to the next one, or back. If the poll had said "ready", the wait would have returned.
//!
//! # Who may touch what
//! The chain of scopes, from [`Head::scopes`](crate::green::thread::Head) or the slots of an OS thread, belongs to the code that runs
//! there. The observer of a scope lies in the queue of its node, under the node's lock. A parent does not keep its children; a child
//! keeps its parent, and leaves it when it goes away.

use super::park;
use super::queue::{WaitQueue, Waiter};
use crate::cancel::Cancelled;
use crate::driver::clock;
use crate::driver::timers::Timer;
use crate::green::thread::{Green, Head, borrowed_waker};
use crate::primitive::{AtomicBool, Mutex, Ordering, lock};
use crate::scheduler::in_c::Frame;
use crate::scheduler::{current, wake};
use core::fmt;
use core::pin::{Pin, pin};
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};
use std::task::Wake;
use std::time::Instant;

/// What a token refers to: a node of the tree of tokens.
pub(crate) struct Node {
    is_cancelled: AtomicBool,
    /// Its parent, and its key there.
    parent: Option<(Arc<Node>, u64)>,
    links: Mutex<Links>,
}

struct Links {
    children: BTreeMap<u64, Weak<Node>>,
    next_key: u64,
    /// Who waits in a scope of this node, or for it.
    observers: WaitQueue<()>,
    /// Cancels the node at its deadline.
    timer: Option<Timer>,
}

impl Node {
    /// A node without a parent.
    pub(crate) fn root() -> Arc<Self> {
        Arc::new(Self::with_parent(None))
    }

    /// A node that is cancelled with its parent.
    pub(crate) fn child(self: &Arc<Self>) -> Arc<Self> {
        let mut links = lock(&self.links);
        let key = links.next_key;
        links.next_key += 1;
        let child = Arc::new(Self::with_parent(Some((Arc::clone(self), key))));
        // Under the lock, so that a cancellation comes before, and is seen here, or after, and finds the child.
        if self.is_cancelled() {
            child.is_cancelled.store(true, Ordering::Relaxed);
        }
        links.children.insert(key, Arc::downgrade(&child));
        child
    }

    fn with_parent(parent: Option<(Arc<Node>, u64)>) -> Self {
        let links = Links { children: BTreeMap::new(), next_key: 0, observers: WaitQueue::new(), timer: None };
        Self { is_cancelled: AtomicBool::new(false), parent, links: Mutex::new(links) }
    }

    /// Lets it be cancelled at `deadline`: at once, if that has come.
    pub(crate) fn arm(self: &Arc<Self>, deadline: Instant) {
        if self.is_cancelled() {
            return;
        }
        if clock::now() >= deadline {
            self.cancel();
            return;
        }
        let mut timer = Timer::new();
        timer.arm(deadline, &Waker::from(Arc::new(AtDeadline(Arc::downgrade(self)))));
        let old = lock(&self.links).timer.replace(timer);
        drop(old);
    }

    /// Whether it has been cancelled.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }

    /// Cancels it and all below it. False: it was cancelled already.
    pub(crate) fn cancel(self: &Arc<Self>) -> bool {
        let (mut wakers, mut nodes, mut is_first) = (Vec::new(), vec![Arc::clone(self)], true);
        while let Some(node) = nodes.pop() {
            let mut links = lock(&node.links);
            if node.is_cancelled.swap(true, Ordering::AcqRel) {
                if is_first {
                    return false;
                }
                continue;
            }
            is_first = false;
            while let Some(((), waker)) = links.observers.serve(|()| ()) {
                wakers.push(waker);
            }
            nodes.extend(core::mem::take(&mut links.children).into_values().filter_map(|child| child.upgrade()));
            let timer = links.timer.take();
            drop(links);
            drop(timer);
        }
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Waits for the cancellation, in the manner of [`Operation`](super::operation::Operation).
    pub(crate) fn poll_cancelled(&self, waiter: Pin<&mut Waiter<()>>, context: &Context<'_>) -> Poll<()> {
        let mut links = lock(&self.links);
        if self.is_cancelled() {
            return Poll::Ready(());
        }
        // SAFETY: 1. in this queue or none; 2. pinned by its owner, who gives up before it drops it; 3. the node's lock.
        let old = unsafe { links.observers.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(links);
        drop(old);
        Poll::Pending
    }

    /// A waiter of [`poll_cancelled`](Self::poll_cancelled) goes away.
    pub(crate) fn give_up(&self, waiter: Pin<&Waiter<()>>) {
        if waiter.is_queued() {
            let _ = lock(&self.links).observers.give_up(waiter);
        }
    }

    /// Replaces the waker of a scope's observer.
    fn rewake(&self, observer: Pin<&Waiter<()>>, waker: &Waker) {
        let mut links = lock(&self.links);
        let old = observer.is_queued().then(|| links.observers.rewake(observer, waker.clone()));
        drop(links);
        drop(old);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A loop, as a chain may be longer than the stack is deep: each node that goes away with its child leaves its own parent here.
        let mut above = self.parent.take();
        while let Some((parent, key)) = above {
            let child = lock(&parent.links).children.remove(&key);
            drop(child);
            above = Arc::into_inner(parent).and_then(|mut node| node.parent.take());
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("is_cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// Cancels a node when its deadline has come. It does not keep the node.
struct AtDeadline(Weak<Node>);

impl Wake for AtDeadline {
    fn wake(self: Arc<Self>) {
        if let Some(node) = self.0.upgrade() {
            node.cancel();
        }
    }
}

/// A stretch of code, on the stack of the code that entered it.
#[derive(Debug)]
pub(crate) struct Scope {
    /// What can cut it short. None: it is a shield.
    node: Option<Arc<Node>>,
    outer: *const Scope,
    /// The C calls and callbacks on the stack at its entry.
    calls: (*const Frame, usize),
    observer: Waiter<()>,
}

impl Scope {
    fn new(node: Option<Arc<Node>>, place: Place) -> Self {
        Self { node, outer: place.innermost(), calls: current::stack_of_calls(), observer: Waiter::new(()) }
    }

    /// The scope and those around it, from the inside out.
    fn chain<'a>(innermost: *const Scope) -> impl Iterator<Item = &'a Scope> {
        // SAFETY: a scope in the chain lies further down the stack that the caller runs on, and leaves the chain before it goes away.
        let at = |scope: *const Scope| unsafe { scope.as_ref() };
        core::iter::successors(at(innermost), move |scope| at(scope.outer))
    }

    fn observer(&self) -> Pin<&Waiter<()>> {
        // SAFETY: a scope that has been entered is pinned, and its observer is never moved out.
        unsafe { Pin::new_unchecked(&self.observer) }
    }
}

/// Runs `f` in a scope of `node`: cut short, with an error, if it would have to wait when that is cancelled.
#[inline(never)]
pub(crate) fn run<R>(node: &Arc<Node>, f: impl FnOnce() -> R) -> Result<R, Cancelled> {
    let place = Place::of_caller();
    let scope = pin!(Scope::new(Some(Arc::clone(node)), place));
    let scope = scope.as_ref();
    let entered = Entered::enter(place, scope);
    let result = catch_unwind(AssertUnwindSafe(f));
    drop(entered);
    let this = ptr::from_ref(scope.get_ref()).addr();
    result.map_err(|payload| match payload.downcast::<Cancelled>() {
        Ok(cancelled) if cancelled.unwinds_to() == this => *cancelled,
        Ok(of_another) => resume_unwind(of_another),
        Err(panic) => resume_unwind(panic),
    })
}

/// Runs `f` where nothing is observed that has been cancelled around it.
#[inline(never)]
pub(crate) fn shield<R>(f: impl FnOnce() -> R) -> R {
    let place = Place::of_caller();
    let scope = pin!(Scope::new(None, place));
    let _entered = Entered::enter(place, scope.as_ref());
    f()
}

/// Whose chain it is: it stays the same over suspensions.
#[derive(Clone, Copy)]
enum Place {
    Green(NonNull<Head>),
    Thread,
}

impl Place {
    fn of_caller() -> Self {
        park::running().map_or(Place::Thread, Place::Green)
    }

    fn innermost(self) -> *const Scope {
        match self {
            // SAFETY: it is the running green thread, whose code calls this.
            Place::Green(head) => unsafe { head.as_ref() }.scopes.get(),
            Place::Thread => current::scopes(),
        }
    }

    fn set_innermost(self, scope: *const Scope) {
        match self {
            // SAFETY: as above.
            Place::Green(head) => unsafe { head.as_ref() }.scopes.set(scope),
            Place::Thread => current::set_scopes(scope),
        }
    }

    /// Queues the observer of a scope that is being entered. An OS thread puts its waker there when it waits.
    fn observe(self, node: &Node, scope: Pin<&Scope>) {
        let noop = Waker::noop();
        let green = match self {
            // SAFETY: the green thread enters the scope, and leaves it before it ends.
            Place::Green(head) => Some(unsafe { borrowed_waker(head) }),
            Place::Thread => None,
        };
        let waker = green.as_deref().unwrap_or(noop);
        let mut links = lock(&node.links);
        if !node.is_cancelled() {
            // SAFETY: 1. new; 2. the scope is pinned, and gives up in `Entered`; 3. the node's lock.
            let old = unsafe { links.observers.enqueue(scope.get_ref().observer(), waker.clone()) };
            debug_assert!(old.is_none());
        }
    }
}

/// Leaves the scope when it is dropped.
struct Entered<'a> {
    place: Place,
    scope: Pin<&'a Scope>,
}

impl<'a> Entered<'a> {
    fn enter(place: Place, scope: Pin<&'a Scope>) -> Self {
        if let Some(node) = &scope.node {
            place.observe(node, scope);
        }
        place.set_innermost(ptr::from_ref(scope.get_ref()));
        Self { place, scope }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.place.set_innermost(self.scope.outer);
        if let Some(node) = &self.scope.node {
            node.give_up(self.scope.observer());
        }
    }
}

/// Unwinds if the running green thread has been cancelled, or a scope that it is in: for a wait that would have to wait.
#[inline(always)]
pub(crate) fn check_green(head: &Head) {
    if head.state.is_cancelled() || !head.scopes.get().is_null() {
        check_closely(head.state.is_cancelled(), head.scopes.get());
    }
}

/// The same for whoever calls.
#[inline(never)]
pub(crate) fn check() {
    match park::running() {
        // SAFETY: it is running this very function.
        Some(head) => check_green(unsafe { head.as_ref() }),
        None => check_closely(false, current::scopes()),
    }
}

#[cold]
#[inline(never)]
fn check_closely(is_cancelled: bool, innermost: *const Scope) {
    if std::thread::panicking() {
        return;
    }
    let calls = current::stack_of_calls();
    let (mut outermost, mut is_shielded) = (None, false);
    for scope in Scope::chain(innermost) {
        match &scope.node {
            // Of several, the outermost: the others would be left anyway.
            Some(node) if scope.calls == calls && node.is_cancelled() => outermost = Some(scope),
            Some(_) => {}
            None => {
                is_shielded = true;
                break;
            }
        }
    }
    let unwinds_to = if is_cancelled && !is_shielded && calls == (ptr::null(), 0) {
        Some(Cancelled::GREEN_THREAD)
    } else {
        outermost.map(|scope| ptr::from_ref(scope).addr())
    };
    if let Some(unwinds_to) = unwinds_to {
        resume_unwind(Box::new(Cancelled::to(unwinds_to)));
    }
}

/// Cancels a green thread as a whole.
pub(crate) fn cancel_green(green: &Green) {
    green.state.cancel();
    wake::wake(green);
    let key = ptr::from_ref::<Head>(green).addr();
    let waker = lock(&BLOCKED).iter().find(|(blocked, _)| *blocked == key).map(|(_, waker)| waker.clone());
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The green threads that block their OS threads, and what wakes those: rare, so a list will do.
static BLOCKED: Mutex<Vec<(usize, Waker)>> = Mutex::new(Vec::new());

/// Lets cancellations of the caller, and of the scopes around it, wake `waker`: for a wait that blocks the OS thread.
pub(crate) fn observe_with(waker: &Waker) {
    let place = Place::of_caller();
    if let Place::Green(head) = place {
        let key = head.addr().get();
        let mut list = lock(&BLOCKED);
        let old = list.iter().position(|(blocked, _)| *blocked == key).map(|at| list.swap_remove(at));
        list.push((key, waker.clone()));
        drop(list);
        drop(old);
    }
    rewake_scopes(place, waker);
}

/// After such a wait: they wake the caller again as they did before.
pub(crate) fn observe_as_before() {
    let place = Place::of_caller();
    match place {
        Place::Green(head) => {
            let key = head.addr().get();
            let mut list = lock(&BLOCKED);
            let old = list.iter().position(|(blocked, _)| *blocked == key).map(|at| list.swap_remove(at));
            drop(list);
            drop(old);
            // SAFETY: it is running this very function, and leaves its scopes before it ends.
            rewake_scopes(place, &*unsafe { borrowed_waker(head) });
        }
        Place::Thread => rewake_scopes(place, Waker::noop()),
    }
}

fn rewake_scopes(place: Place, waker: &Waker) {
    for scope in Scope::chain(place.innermost()) {
        if let Some(node) = &scope.node {
            node.rewake(scope.observer(), waker);
        }
    }
}
