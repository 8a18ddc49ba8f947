//! Permits: how many there are, who waits for them, and in what order they are given out.
//!
//! The number of free permits and two flags are one word. Beside it lies the queue of those who wait, under a lock.
//!
//! ```text
//!   word:   free permits │ CLOSED │ WAITED_FOR        WAITED_FOR clear: the word is everybody's, by compare-and-swap
//!   queue:  Request ⇄ Request ⇄ Request               WAITED_FOR set:   the word is the lock holder's
//! ```
//!
//! | transition | who | `WAITED_FOR` | ordering of the word |
//! |---|---|---|---|
//! | [`Permits::try_acquire`] | anybody | clear | Acquire, pairs with `release` |
//! | [`Permits::release`] | anybody | clear | Release |
//! | the same | under the lock | set | `serve` |
//! | [`Permits::poll`], takes | under the lock | clear | Acquire |
//! | [`Permits::poll`], queues | under the lock | clear to set, or set | Acquire, for whoever serves later |
//! | `serve`: release, give up | under the lock | set; clear when the queue is empty | Relaxed, then Release |
//! | [`Permits::close`] | under the lock | clear afterwards | Release |
//!
//! # Property
//! 1. Permits are neither made nor lost: the free ones, those held, and those handed to a waiter add up to those there were at first, plus
//!    those added, minus those forgotten.
//! 2. Order of arrival: whoever finds somebody waiting waits behind; the first is served as soon as there are enough for it, and until
//!    then nobody behind it.
//! 3. No wake-up is lost: when nothing moves any more, and somebody waits, then for more permits than are free.
//! 4. What was done before a release has been done for whoever is given its permits.
//!
//! # Proof
//! `WAITED_FOR` is set exactly while the queue is not empty, but inside critical sections of the lock: it is set by the critical section that queues
//! the first one, and cleared by the one that takes the last one out. While it is set, neither `try_acquire` nor `release` change the word
//! without the lock, so the lock's holder may load and store it.
//!
//! (1) Each transition that is one compare-and-swap moves permits between the word and its caller; `serve` moves them between word, caller
//! and slots, alone. A waiter that gives up after it was served releases what is in its slot. (2) is the test of the flag in `try_acquire` and
//! `poll`, and the loop of `serve`, which stops at the first that it cannot serve. (3) A waiter queues by a compare-and-swap (Announce) that
//! expects the word in which it saw too few. A release that comes before it in the order of the word is in what Announce expects; one that
//! comes after it sees the flag, takes the lock, and serves. Whoever leaves the queue serves those behind it, which it may have kept
//! waiting. (4) A release is a Release, and later compare-and-swaps carry it on; whoever takes does so with Acquire. What lay in the word when
//! the flag was set, Announce has acquired, under the lock, as later releases are; so by the lock it comes to whoever serves, who
//! hands it on by the state of the waiter, and stores over the word with Release.
//!
//! # What it must never do
//! Wake or drop a waker under the lock; leave the flag set without a queue, which would send everybody through the lock for ever.
//!
//! Model: `tests/models/tests/semaphore.rs`; its mutants: `tests/models/mutants/semaphore.rs`.

use crate::primitive::{AtomicUsize, Mutex, Ordering, lock_briefly};
use crate::wait::queue::{GaveUp, WaitQueue, Waiter};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Somebody waits.
const WAITED_FOR: usize = 1;
/// No permit is given out any more.
const CLOSED: usize = 2;
/// One permit.
const ONE: usize = 4;

const _: () = assert!(WAITED_FOR & CLOSED == 0 && ONE - 1 == WAITED_FOR | CLOSED);

/// The word at one moment.
#[derive(Clone, Copy)]
struct Snapshot(usize);

impl Snapshot {
    fn free(self) -> usize {
        self.0 / ONE
    }

    fn is_waited_for(self) -> bool {
        self.0 & WAITED_FOR != 0
    }

    fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }
}

/// What became of an attempt to take permits.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// They are the caller's.
    Taken,
    /// There are too few, or others came first.
    MustWait,
    /// No permit is given out any more.
    Closed,
}

/// There will be no permits: they were closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// The slot of one who waits.
pub(crate) struct Request {
    needs: usize,
    answer: Answer,
}

/// What a request has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Nothing, yet or any more.
    None,
    /// Its permits.
    Permits,
    /// That there will be none.
    Closed,
}

impl Request {
    /// A request for `needs` permits, at most [`Permits::MAX`].
    pub(crate) const fn new(needs: usize) -> Self {
        Self { needs, answer: Answer::None }
    }
}

/// A number of permits, and those who wait for some.
pub(crate) struct Permits {
    word: AtomicUsize,
    queue: Mutex<WaitQueue<Request>>,
}

impl Permits {
    /// The most permits that may be free.
    pub(crate) const MAX: usize = usize::MAX >> 3;

    /// So many permits.
    ///
    /// # Panics
    /// If they are more than [`MAX`](Self::MAX).
    pub(crate) const fn new(free: usize) -> Self {
        assert!(free <= Self::MAX, "more permits than `MAX_PERMITS`");
        Self { word: AtomicUsize::new(free * ONE), queue: Mutex::new(WaitQueue::new()) }
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        Snapshot(self.word.load(Ordering::Acquire)).free()
    }

    /// Whether no permit is given out any more.
    pub(crate) fn is_closed(&self) -> bool {
        Snapshot(self.word.load(Ordering::Acquire)).is_closed()
    }

    /// Takes permits if there are enough, and nobody waits.
    #[inline]
    pub(crate) fn try_acquire(&self, needs: usize) -> Attempt {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let seen = Snapshot(word);
            if seen.is_closed() {
                return Attempt::Closed;
            }
            if seen.is_waited_for() || seen.free() < needs {
                return Attempt::MustWait;
            }
            match self.word.compare_exchange_weak(word, word - needs * ONE, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Attempt::Taken,
                Err(newer) => word = newer,
            }
        }
    }

    /// Takes the permits that `waiter` requests, or queues it: in the manner of [`Operation`](crate::wait::operation::Operation).
    pub(crate) fn poll(
        &self,
        mut waiter: Pin<&mut Waiter<Request>>,
        context: &Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        if waiter.is_served() {
            return Poll::Ready(Self::take_answer(waiter));
        }
        let mut queue = lock_briefly(&self.queue);
        if waiter.is_served() {
            drop(queue);
            return Poll::Ready(Self::take_answer(waiter));
        }
        if !waiter.is_queued() {
            match self.take_or_announce(waiter.as_mut().slot().needs) {
                Attempt::Taken => return Poll::Ready(Ok(())),
                Attempt::Closed => return Poll::Ready(Err(Closed)),
                Attempt::MustWait => {}
            }
        }
        // SAFETY: 1. in this queue, if at all; 2. pinned by its owner, who gives up before it drops it; 3. the lock of the queue.
        let old = unsafe { queue.enqueue_or_rewake(waiter.as_ref(), context.waker()) };
        drop(queue);
        drop(old);
        Poll::Pending
    }

    /// What a waiter that has been served was given: the caller's, from here on.
    fn take_answer(mut waiter: Pin<&mut Waiter<Request>>) -> Result<(), Closed> {
        let answer = waiter.as_mut().slot().answer;
        waiter.reset();
        if answer == Answer::Permits { Ok(()) } else { Err(Closed) }
    }

    /// Takes permits, or sets `WAITED_FOR`. Under the lock, whose holder queues then.
    fn take_or_announce(&self, needs: usize) -> Attempt {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let seen = Snapshot(word);
            if seen.is_closed() {
                return Attempt::Closed;
            }
            let (becomes, attempt) = if seen.is_waited_for() || seen.free() < needs {
                (word | WAITED_FOR, Attempt::MustWait)
            } else {
                (word - needs * ONE, Attempt::Taken)
            };
            match self.word.compare_exchange_weak(word, becomes, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return attempt,
                Err(newer) => word = newer,
            }
        }
    }

    /// Gives permits back, or adds them: to whoever waits, in order, or to the free ones.
    ///
    /// # Panics
    /// If there were more free ones than [`MAX`](Self::MAX) then.
    #[inline]
    pub(crate) fn release(&self, returned: usize) {
        if !self.free_more(returned) {
            self.release_to_waiters(returned);
        }
    }

    /// Adds to the free permits. False: somebody waits, and nothing was done.
    #[inline]
    fn free_more(&self, more: usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if Snapshot(word).is_waited_for() {
                return false;
            }
            assert_room(Snapshot(word).free(), more);
            match self.word.compare_exchange_weak(word, word + more * ONE, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(newer) => word = newer,
            }
        }
    }

    #[cold]
    fn release_to_waiters(&self, returned: usize) {
        let mut queue = lock_briefly(&self.queue);
        let wakers = self.serve(&mut queue, returned);
        drop(queue);
        wakers.wake();
    }

    /// Adds permits, and serves those who wait, in order, as far as the free ones reach. Under the lock; the caller wakes after it.
    fn serve(&self, queue: &mut WaitQueue<Request>, returned: usize) -> Wakers {
        let mut wakers = Wakers::default();
        // The last waiter may have gone since the caller saw the flag; none can come while the lock is held.
        if self.free_more(returned) {
            return wakers;
        }
        // Relaxed: whoever set the flag has acquired what lay there then, and since then the lock has ordered all.
        let seen = Snapshot(self.word.load(Ordering::Relaxed));
        assert_room(seen.free(), returned);
        let mut free = seen.free() + returned;
        while let Some(first) = queue.first().filter(|first| first.needs <= free) {
            free -= first.needs;
            wakers.extend(queue.serve(|request| request.answer = Answer::Permits));
        }
        let waited_for = if queue.is_empty() { 0 } else { WAITED_FOR };
        self.word.store((free * ONE) | waited_for, Ordering::Release);
        wakers
    }

    /// A waiter goes away: in the manner of [`Operation`](crate::wait::operation::Operation).
    pub(crate) fn give_up(&self, mut waiter: Pin<&mut Waiter<Request>>) {
        if waiter.is_queued() {
            let mut queue = lock_briefly(&self.queue);
            if queue.give_up(waiter.as_ref()) == GaveUp::InTime {
                // Those behind it may need less than it did.
                let wakers = self.serve(&mut queue, 0);
                drop(queue);
                return wakers.wake();
            }
        }
        if waiter.is_served() && waiter.as_mut().slot().answer == Answer::Permits {
            self.release(waiter.slot().needs);
        }
    }

    /// Takes up to `at_most` of the free permits away, whoever waits. Returns how many.
    pub(crate) fn forget(&self, at_most: usize) -> usize {
        let _queue = lock_briefly(&self.queue);
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let forgotten = Snapshot(word).free().min(at_most);
            match self.word.compare_exchange_weak(word, word - forgotten * ONE, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return forgotten,
                Err(newer) => word = newer,
            }
        }
    }

    /// Gives no permit out any more, and tells those who wait. False: it was so already.
    pub(crate) fn close(&self) -> bool {
        let mut queue = lock_briefly(&self.queue);
        let before = Snapshot(self.word.fetch_or(CLOSED, Ordering::AcqRel));
        let wakers = queue.serve_all(|request| request.answer = Answer::Closed);
        if before.is_waited_for() {
            self.word.fetch_and(!WAITED_FOR, Ordering::AcqRel);
        }
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
        !before.is_closed()
    }
}

fn assert_room(free: usize, more: usize) {
    assert!(more <= Permits::MAX - free, "more permits than `MAX_PERMITS`");
}

/// The wakers of those who were served: mostly one, which takes no memory.
#[derive(Default)]
struct Wakers {
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Wakers {
    fn extend(&mut self, served: Option<((), Waker)>) {
        let Some(((), waker)) = served else { return };
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.others.push(waker),
        }
    }

    fn wake(self) {
        self.first.into_iter().chain(self.others).for_each(Waker::wake);
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = Snapshot(self.word.load(Ordering::Relaxed));
        f.debug_struct("Permits")
            .field("free", &seen.free())
            .field("is_waited_for", &seen.is_waited_for())
            .field("is_closed", &seen.is_closed())
            .finish()
    }
}
