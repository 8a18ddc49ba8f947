//! The idle protocol: which processors have no worker, how many workers search, and who is woken for new work.
//!
//! One word holds two counts, `idle` processors and `searching` workers; a list under a lock says which processors are idle.
//! `idle` changes only under that lock, so it is the length of the list whenever the lock is free; both are read without it.
//!
//! ```text
//!             start_search                     stop_search
//!   running ───────────────► searching ─────────────────────► running: the last to stop wakes another
//!      │                        │   ▲
//!      │ go_idle                │   │ wake_one (by whoever made work), take_back (after the re-check)
//!      ▼                        ▼   │
//!      └──────────────────────► idle ────► running: acquire (a worker that comes back from C)
//! ```
//!
//! | access | who | does | pairs with |
//! |---|---|---|---|
//! | Push, PushFence, PushLook | who makes work | pushes to a queue, fence, loads the word | Announce, IdleFence, Recheck |
//! | Announce, IdleFence, Recheck | a worker that found nothing | `idle` + 1 and `searching` - 1 at once, fence, looks into every queue | Push, PushFence, PushLook |
//! | Claim | who makes work | `searching` 0 to 1 by compare-and-swap | Withdraw |
//! | Withdraw | who claimed and found no idle processor | `searching` - 1, and reads `idle` in the same step | Announce |
//!
//! # Property
//! Work that has been pushed is never left while a processor is idle and nobody searches.
//!
//! # Proof
//! PushFence and IdleFence are both `SeqCst`: either PushLook sees Announce, or Recheck sees Push. In the second case the worker takes its
//! processor back and searches; or somebody has it by now, and then the worker does what the pusher would do if it pushed now. In the first case the
//! pusher sees an idle processor. If it also sees `searching` at 0 it claims, and wakes a worker as a searcher. If it sees a searcher, that
//! one either finds work, and then, if it is the last to stop, wakes another in its turn; or finds nothing, and then its own
//! Announce comes after the pusher's look, so its Recheck sees Push. The last case is a searcher that never was one: somebody claimed, and
//! then found no idle processor. Its Withdraw reads `idle` in the step that ends the claim. If a worker went idle in between, the
//! withdrawer sees that, and starts again in the pusher's place. (Go lost work in this window: issue 45867.)
//!
//! # What it must never do
//! Poll; run or wake anything itself: it says which processor, the caller finds it a worker.
//!
//! Model: `tests/models/tests/idle.rs`; its mutants: `tests/models/mutants/idle.rs`.

use crate::primitive::{AtomicU64, Mutex, Ordering, fence, lock};
use core::fmt;

/// One idle processor.
const ONE_IDLE: u64 = 1;
/// One searching worker.
const ONE_SEARCHING: u64 = 1 << 32;

/// Both counts, at one moment.
#[derive(Debug, Clone, Copy)]
struct Counts(u64);

impl Counts {
    const fn idle(self) -> u64 {
        self.0 % ONE_SEARCHING
    }

    const fn searching(self) -> u64 {
        self.0 / ONE_SEARCHING
    }
}

/// What a worker is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Searching.
    Searching,
    /// Running: enough others search, or it has something to run.
    Running,
}

/// Whether more work may be about, that nobody is looking for.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The last searcher has stopped: call [`Idle::wake_one`].
    MustWakeOne,
    /// Others still search.
    OthersSearch,
}

/// The idle set. Processors are named by their index.
pub(crate) struct Idle {
    word: AtomicU64,
    list: Mutex<Vec<usize>>,
    processors: u64,
}

impl Idle {
    /// The set of `processors` processors, all idle.
    pub(crate) fn new(processors: usize) -> Self {
        Self {
            word: AtomicU64::new(processors as u64 * ONE_IDLE),
            list: Mutex::new((0..processors).rev().collect()),
            processors: processors as u64,
        }
    }

    /// After a push: says which processor must be given a worker, if any. That worker starts as a searcher, and is counted.
    #[inline]
    pub(crate) fn wake_one(&self) -> Option<usize> {
        fence(Ordering::SeqCst);
        let counts = Counts(self.word.load(Ordering::Relaxed));
        if counts.idle() == 0 || counts.searching() > 0 { None } else { self.claim() }
    }

    #[cold]
    fn claim(&self) -> Option<usize> {
        let mut counts = Counts(self.word.load(Ordering::Relaxed));
        while counts.idle() > 0 && counts.searching() == 0 {
            let claimed = counts.0 + ONE_SEARCHING;
            match self.word.compare_exchange_weak(counts.0, claimed, Ordering::SeqCst, Ordering::Relaxed) {
                Err(now) => counts = Counts(now),
                Ok(_) => {
                    if let Some(processor) = self.pop(None) {
                        return Some(processor);
                    }
                    counts = Counts(self.word.fetch_sub(ONE_SEARCHING, Ordering::SeqCst) - ONE_SEARCHING);
                }
            }
        }
        None
    }

    /// Takes `preferred` out of the list if it is there, else any.
    fn pop(&self, preferred: Option<usize>) -> Option<usize> {
        let mut list = lock(&self.list);
        let place = preferred.and_then(|p| list.iter().position(|&q| q == p));
        let processor = match place {
            Some(place) => Some(list.swap_remove(place)),
            None => list.pop(),
        };
        if processor.is_some() {
            self.word.fetch_sub(ONE_IDLE, Ordering::SeqCst);
        }
        processor
    }

    /// Announces that `processor` has no work. The caller must look into every queue once more before it sleeps.
    pub(crate) fn go_idle(&self, processor: usize, was: Role) {
        {
            let mut list = lock(&self.list);
            list.push(processor);
            let searching = if was == Role::Searching { ONE_SEARCHING } else { 0 };
            self.word.fetch_add(ONE_IDLE.wrapping_sub(searching), Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
    }

    /// Takes back the very processor that the caller announced: it has found work in the re-check (then it goes on as a
    /// searcher), or its resident is ready. False: somebody else has it, and may be busy with something of its own; a caller that has
    /// found work then calls [`wake_one`](Self::wake_one) in the pusher's place, and sleeps on.
    pub(crate) fn take_back(&self, processor: usize, to_be: Role) -> bool {
        let mut list = lock(&self.list);
        let Some(place) = list.iter().position(|&p| p == processor) else { return false };
        list.swap_remove(place);
        let searching = if to_be == Role::Searching { ONE_SEARCHING } else { 0 };
        self.word.fetch_add(searching.wrapping_sub(ONE_IDLE), Ordering::SeqCst);
        true
    }

    /// An idle processor for a worker that has something to run already.
    pub(crate) fn acquire(&self, preferred: Option<usize>) -> Option<usize> {
        if Counts(self.word.load(Ordering::Relaxed)).idle() == 0 { None } else { self.pop(preferred) }
    }

    /// Whether a worker that found nothing of its own may search the others: at most half of the busy ones do.
    pub(crate) fn start_search(&self) -> bool {
        let counts = Counts(self.word.load(Ordering::Relaxed));
        let may = 2 * counts.searching() < self.processors - counts.idle().min(self.processors);
        if may {
            self.word.fetch_add(ONE_SEARCHING, Ordering::SeqCst);
        }
        may
    }

    /// The searcher has found work.
    pub(crate) fn stop_search(&self) -> Stopped {
        let before = Counts(self.word.fetch_sub(ONE_SEARCHING, Ordering::SeqCst));
        if before.searching() == 1 { Stopped::MustWakeOne } else { Stopped::OthersSearch }
    }

    /// Whether no processor has a worker: a moment's truth.
    pub(crate) fn all_idle(&self) -> bool {
        Counts(self.word.load(Ordering::SeqCst)).idle() == self.processors
    }

    /// How many processors have no worker: a moment's truth.
    pub(crate) fn count(&self) -> usize {
        Counts(self.word.load(Ordering::Relaxed)).idle() as usize
    }

    /// Whether some processor has no worker: a moment's truth.
    #[inline]
    pub(crate) fn some_idle(&self) -> bool {
        Counts(self.word.load(Ordering::Relaxed)).idle() > 0
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Counts(self.word.load(Ordering::Relaxed));
        f.debug_struct("Idle").field("idle", &counts.idle()).field("searching", &counts.searching()).finish()
    }
}
