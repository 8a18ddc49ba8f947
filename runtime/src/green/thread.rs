//! The control block of a green thread.
//!
//! One allocation holds everything: the head that the scheduler knows, and behind it the closure, later the result.
//!
//! ```text
//!   Ready, Waker, JoinHandle ──► ┌ Head ───────────────────────────────┐
//!                                │ state, references, vtable           │
//!                                │ coroutine, suspender                │
//!                                │ pins, home, residence               │
//!                                │ scopes, green locals                │
//!                                │ permit, joiner, owner, spawned      │
//!                                ├ Body<F, T> ─────────────────────────┤
//!                                │ closure ─► result ─► taken          │
//!                                └─────────────────────────────────────┘
//! ```
//!
//! # Who may touch which field, and when
//! * `state`, `references`, `permit`: anyone who holds a reference; atomics.
//! * `coroutine`: the worker that runs a turn, from the moment it has the [`Ready`] to the commit of that turn.
//! * `suspender`, `pins`, `home`, `residence`, `in_callback`, `hasty`, `refused`, `scopes`, `is_in_poll`, `locals`, `waits`, `entered`: the green thread
//!   itself while it runs, its worker between switch and commit, and
//!   whoever was told [`Wake::MustSchedule`](super::state::Wake::MustSchedule) until it has passed the `Ready` on. The state word orders
//!   these, as it does the stack.
//! * `joiner`: by the JOINER bit, see `state.rs`.
//! * body: the closure until the first turn has taken it; the result for the green thread until it finishes, and then for the one
//!   `JoinHandle`, or for whoever drops the last reference.
//!
//! # References
//! One for the scheduler, kept while the green thread is queued, running or parked and given up when it has finished; one for the
//! `JoinHandle`; one for each `Waker` and `Thread`. The scheduler's travels as a [`Ready`] through the queues.

use super::origin::Origin;
use super::state::State;
use super::switch::{Coroutine, Suspender};
use crate::cancel::Cancelled;
use crate::local::{self, Locals};
use crate::metrics::histogram::Stamp;
use crate::primitive::{AtomicU8, AtomicUsize, Ordering, UnsafeCell, fence};
use crate::scheduler::worker::Worker;
use crate::stack::Owner;
use crate::wait::cancel::Scope;
use crate::wait::last::LastWait;
use core::any::Any;
use core::cell::Cell;
use core::fmt;
use core::mem::{ManuallyDrop, offset_of};
use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic carries.
pub type Payload = Box<dyn Any + Send + 'static>;

/// How a pinned green thread lives on its worker while it is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Residence {
    /// Not pinned: any worker may resume it.
    Free,
    /// It is its worker's one resident.
    Exclusive,
    /// It shares its worker with others of its kind.
    Interleaved,
}

/// What differs between closures.
struct VTable {
    /// Runs the closure and stores its result. Never unwinds.
    run: unsafe fn(NonNull<Head>),
    /// Stores a result in place of running.
    fail: unsafe fn(NonNull<Head>, Payload),
    /// Moves the result to where the second argument points, an `Option<Result<T, Payload>>`.
    take: unsafe fn(NonNull<Head>, NonNull<()>),
    /// Frees the whole.
    free: unsafe fn(NonNull<Head>),
}

/// The part that the scheduler knows. What a turn touches comes first, and close together.
#[repr(C)]
pub(crate) struct Head {
    pub(crate) state: State,
    /// Guards of `pin()` alive.
    pub(crate) pins: Cell<u32>,
    /// None before the first turn and after the last.
    pub(crate) coroutine: UnsafeCell<Option<Coroutine>>,
    pub(crate) suspender: Suspender,
    /// The worker that alone may resume it, while it is suspended and pinned.
    pub(crate) home: Cell<Option<&'static Worker>>,
    pub(crate) residence: Cell<Residence>,
    /// Whether it must own a processor to be resumed: not while it is in a callback from C.
    pub(crate) in_callback: Cell<bool>,
    /// Whether its last C call lost its processor: see `Worker::set_hasty`.
    pub(crate) hasty: Cell<bool>,
    /// Whether it has waited to move in vain.
    pub(crate) refused: Cell<bool>,
    /// Whether it is measured how long it waits for a processor. It belongs to whoever holds the `Ready`.
    pub(crate) stamp: Stamp,
    /// The innermost cancellation scope of its code.
    pub(crate) scopes: Cell<*const Scope>,
    /// Whether its code is in the poll of somebody's future: see `wait/mod.rs`.
    pub(crate) is_in_poll: Cell<bool>,
    /// The values of its green locals. None: it has none.
    pub(crate) locals: Locals,
    /// What it waited for when it was last parked, and since when.
    pub(crate) waits: LastWait,
    /// The innermost tokio handle that its code has entered.
    #[cfg(feature = "tokio")]
    pub(crate) entered: Cell<*const crate::tokio::Entered<'static>>,
    /// The permit that `unpark` gives: see `wait/park.rs`.
    pub(crate) permit: AtomicU8,
    references: AtomicUsize,
    vtable: &'static VTable,
    pub(crate) joiner: UnsafeCell<Option<Waker>>,
    pub(crate) owner: Owner,
    /// Where it was spawned.
    pub(crate) spawned: Origin,
}

impl Head {
    /// Where in it its owner lies.
    pub(crate) const OFFSET_OF_OWNER: usize = offset_of!(Self, owner);

    /// The address of its owner, from which [`address_of_owner`](Self::address_of_owner) leads back.
    pub(crate) fn owner(this: NonNull<Self>) -> *const Owner {
        // SAFETY: only computes an address within the head; a reference to the field would not lead back.
        unsafe { &raw const (*this.as_ptr()).owner }
    }
}

enum Body<F, T> {
    Closure(F),
    Result(Result<T, Payload>),
    Taken,
}

/// Head first: a pointer to the one is a pointer to the other.
#[repr(C)]
struct Whole<F, T> {
    head: Head,
    body: UnsafeCell<Body<F, T>>,
}

impl<F: FnOnce() -> T, T> Whole<F, T> {
    const VTABLE: VTable = VTable { run: Self::run, fail: Self::fail, take: Self::take, free: Self::free };

    /// # Safety
    /// `head` is the head of such a `Whole`, and the caller is its first turn.
    unsafe fn run(head: NonNull<Head>) {
        // SAFETY: by contract.
        let whole = unsafe { head.cast::<Self>().as_ref() };
        if whole.head.state.is_cancelled() {
            // SAFETY: as for this function.
            return unsafe { Self::fail(head, Box::new(Cancelled::to(Cancelled::GREEN_THREAD))) };
        }
        // SAFETY: before the result is written, the body is the running green thread's.
        let body = whole.body.with_mut(|body| unsafe { core::mem::replace(&mut *body, Body::Taken) });
        let Body::Closure(closure) = body else { unreachable!("a green thread ran twice") };
        let result = catch_unwind(AssertUnwindSafe(closure));
        // SAFETY: as above.
        whole.body.with_mut(|body| unsafe { *body = Body::Result(result) });
        local::destroy_of_green(&whole.head);
    }

    /// # Safety
    /// As for `run`; in place of it.
    unsafe fn fail(head: NonNull<Head>, payload: Payload) {
        // SAFETY: by contract.
        let whole = unsafe { head.cast::<Self>().as_ref() };
        // SAFETY: as in `run`.
        let closure = whole.body.with_mut(|body| unsafe { core::mem::replace(&mut *body, Body::Result(Err(payload))) });
        // What the closure has captured is the user's, and may panic as it goes; the result is in place already.
        drop(catch_unwind(AssertUnwindSafe(|| drop(closure))));
    }

    /// # Safety
    /// `head` is the head of such a `Whole` that has finished, the caller alone may take its result, and `out` points to an
    /// `Option<Result<T, Payload>>`.
    unsafe fn take(head: NonNull<Head>, out: NonNull<()>) {
        // SAFETY: by contract.
        let whole = unsafe { head.cast::<Self>().as_ref() };
        // SAFETY: by contract.
        let body = whole.body.with_mut(|body| unsafe { core::mem::replace(&mut *body, Body::Taken) });
        if let Body::Result(result) = body {
            // SAFETY: by contract.
            unsafe { *out.cast::<Option<Result<T, Payload>>>().as_mut() = Some(result) };
        }
    }

    /// # Safety
    /// `head` is the head of such a `Whole`, and nobody else refers to it.
    unsafe fn free(head: NonNull<Head>) {
        // SAFETY: by contract; it was made by `Box::leak` in `Green::new`.
        drop(unsafe { Box::from_raw(head.cast::<Self>().as_ptr()) });
    }
}

/// A counted reference to a green thread.
pub(crate) struct Green(NonNull<Head>);

// SAFETY: the head's fields are atomics or follow the rules in the module's documentation; F and T are `Send` (see `Green::new`).
unsafe impl Send for Green {}
// SAFETY: as above.
unsafe impl Sync for Green {}

impl Green {
    /// Makes a green thread that is ready for its first turn: the scheduler's reference, and the handle's.
    ///
    /// # Safety
    /// What `closure` borrows lasts until the closure, and all that it owns, has gone away: it is called or dropped once, at any time.
    #[inline(always)]
    pub(crate) unsafe fn new<F, T>(closure: F, id: u64, name: Option<Box<str>>, spawned: Origin) -> (Ready, Green)
    where
        F: FnOnce() -> T + Send,
        T: Send + 'static,
    {
        let whole = Box::leak(Box::new(Whole {
            head: Head {
                state: State::new(),
                references: AtomicUsize::new(2),
                vtable: const { &Whole::<F, T>::VTABLE },
                coroutine: UnsafeCell::new(None),
                suspender: Suspender::new(),
                pins: Cell::new(0),
                home: Cell::new(None),
                residence: Cell::new(Residence::Free),
                in_callback: Cell::new(false),
                hasty: Cell::new(false),
                refused: Cell::new(false),
                stamp: Stamp::new(id),
                scopes: Cell::new(ptr::null()),
                is_in_poll: Cell::new(false),
                locals: Locals::new(),
                waits: LastWait::none(),
                #[cfg(feature = "tokio")]
                entered: Cell::new(ptr::null()),
                permit: AtomicU8::new(0),
                joiner: UnsafeCell::new(None),
                owner: Owner::new(id, name),
                spawned,
            },
            body: UnsafeCell::new(Body::<F, T>::Closure(closure)),
        }));
        let head = NonNull::from(whole).cast::<Head>();
        (Ready(head), Green(head))
    }

    /// The result, if it has not been taken.
    ///
    /// # Safety
    /// 1. The green thread was made from a closure that returns `T`.
    /// 2. It has finished, and the caller holds its one `JoinHandle`.
    pub(crate) unsafe fn take_result<T>(&self) -> Option<Result<T, Payload>> {
        let mut out = None::<Result<T, Payload>>;
        // SAFETY: `out` has the type that (1) asks for; (2) is the rest of the contract.
        unsafe { (self.vtable.take)(self.0, NonNull::from(&mut out).cast()) };
        out
    }

    /// A reference to the green thread whose turn it is on this OS thread.
    ///
    /// # Safety
    /// `head` is alive.
    pub(crate) unsafe fn from_running(head: NonNull<Head>) -> Self {
        // SAFETY: by contract.
        unsafe { head.as_ref() }.references.fetch_add(1, Ordering::Relaxed);
        Self(head)
    }
}

impl core::ops::Deref for Green {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        // SAFETY: a counted reference keeps the allocation alive.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Green {
    fn clone(&self) -> Self {
        // SAFETY: `self` keeps it alive.
        unsafe { Self::from_running(self.0) }
    }
}

impl Drop for Green {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `self` is a counted reference, given up here.
        unsafe { release(self.0) };
    }
}

impl fmt::Debug for Green {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Green")
            .field("id", &self.owner.id())
            .field("name", &self.owner.name())
            .field("state", &self.state)
            .finish()
    }
}

/// Gives up one reference, and frees the green thread with the last one.
///
/// # Safety
/// The caller owns that reference.
#[inline]
unsafe fn release(head: NonNull<Head>) {
    // SAFETY: by contract. Release: what this owner did comes before the freeing.
    if unsafe { head.as_ref() }.references.fetch_sub(1, Ordering::Release) == 1 {
        // Pairs with the Release of the other owners, as in `Arc`.
        fence(Ordering::Acquire);
        // SAFETY: that was the last reference.
        unsafe { (head.as_ref().vtable.free)(head) };
    }
}

/// The scheduler's reference to a green thread that may be resumed: who holds it, and nobody else, may run the next turn.
pub(crate) struct Ready(NonNull<Head>);

// SAFETY: as for `Green`; the stack that comes with it is argued in `switch.rs`.
unsafe impl Send for Ready {}

impl Ready {
    /// Takes the scheduler's reference back from where it was left.
    ///
    /// # Safety
    /// The reference was left by `into_raw`, or the green thread is parked and the caller was told to schedule it.
    #[inline]
    pub(crate) unsafe fn from_raw(head: NonNull<Head>) -> Self {
        Self(head)
    }

    /// Leaves the scheduler's reference to whoever calls `from_raw`.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Head> {
        self.0
    }

    /// The address of the head, which the turn lends to the green thread.
    #[inline]
    pub(crate) fn head(&self) -> NonNull<Head> {
        self.0
    }

    /// Ends a green thread that could not be started: its closure is dropped, and `payload` comes out of its join.
    pub(crate) fn fail(&self, payload: Payload) {
        debug_assert!(self.coroutine.with(|c| {
            // SAFETY: whoever holds the `Ready` owns the coroutine.
            unsafe { (*c).is_none() }
        }));
        // SAFETY: it has never run, and the caller owns its turn.
        unsafe { (self.vtable.fail)(self.0, payload) };
    }

    /// Gives the scheduler's reference up, when the green thread has finished.
    #[inline]
    pub(crate) fn release(self) {
        // SAFETY: `Ready` is that reference.
        unsafe { release(self.0) };
    }
}

impl core::ops::Deref for Ready {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        // SAFETY: the scheduler's reference keeps the allocation alive.
        unsafe { self.0.as_ref() }
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ready").field(&self.owner.id()).finish()
    }
}

/// The body of every coroutine: runs the closure, stores the result.
///
/// # Safety
/// `head` is alive, and this is its first turn.
pub(crate) unsafe fn body(head: NonNull<Head>) {
    // SAFETY: by contract.
    unsafe { (head.as_ref().vtable.run)(head) };
}

static WAKER: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: a waker's data is a counted (or borrowed and alive) head.
        let green = unsafe { Green::from_running(NonNull::new_unchecked(data.cast_mut().cast())) };
        RawWaker::new(ManuallyDrop::new(green).0.as_ptr().cast(), &WAKER)
    },
    |data| {
        // SAFETY: as above; this waker's reference is given up after the wake.
        let green = unsafe { Green(NonNull::new_unchecked(data.cast_mut().cast())) };
        crate::scheduler::wake::wake(&green);
    },
    |data| {
        // SAFETY: as above; the reference stays the waker's.
        let green = ManuallyDrop::new(unsafe { Green(NonNull::new_unchecked(data.cast_mut().cast())) });
        crate::scheduler::wake::wake(&green);
    },
    |data| {
        // SAFETY: as above; the reference is given up.
        drop(unsafe { Green(NonNull::new_unchecked(data.cast_mut().cast())) });
    },
);

/// A waker for the running green thread, without a reference of its own: clones have theirs.
///
/// # Safety
/// `head` is alive as long as the waker is used.
#[inline]
pub(crate) unsafe fn borrowed_waker(head: NonNull<Head>) -> ManuallyDrop<Waker> {
    // SAFETY: the vtable keeps to the contract of `RawWaker`: thread-safe, clones are counted.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(head.as_ptr().cast(), &WAKER)) })
}
