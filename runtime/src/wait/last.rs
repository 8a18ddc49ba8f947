//! What a green thread waits for, or waited for last: written by itself before it parks, read by reports.
//!
//! A dump reads it while the green thread may be running (`dump/census.rs`). So each part is an atomic of its own and holds a value that can be
//! shown at any time; that two of them belong together is only certain of one that stays parked.

use super::{Waits, What};
use crate::primitive::{AtomicPtr, AtomicU8, AtomicU32, Ordering};
use crate::scheduler::age::{self, Stamp};
use core::fmt;
use core::panic::Location;
use core::ptr;

/// The last wait of a green thread.
pub(crate) struct LastWait {
    /// Null: it has not waited yet.
    at: AtomicPtr<Location<'static>>,
    since: AtomicU32,
    /// A `What`.
    what: AtomicU8,
}

impl LastWait {
    pub(crate) const fn none() -> Self {
        Self { at: AtomicPtr::new(ptr::null_mut()), since: AtomicU32::new(0), what: AtomicU8::new(What::Message as u8) }
    }

    /// The green thread is about to park.
    #[inline(always)]
    pub(crate) fn set(&self, waits: Waits) {
        self.what.store(waits.what as u8, Ordering::Relaxed);
        self.since.store(age::stamp().0, Ordering::Relaxed);
        self.at.store(ptr::from_ref(waits.at).cast_mut(), Ordering::Relaxed);
    }

    /// What was set last, and when. None: nothing yet.
    pub(crate) fn get(&self) -> Option<(Waits, Stamp)> {
        // SAFETY: null, or a reference to a static, from `set`.
        let at: &'static Location<'static> = unsafe { self.at.load(Ordering::Relaxed).as_ref() }?;
        // SAFETY: a byte that `none` or `set` has made from a `What`.
        let what = unsafe { core::mem::transmute::<u8, What>(self.what.load(Ordering::Relaxed)) };
        Some((Waits { what, at }, Stamp(self.since.load(Ordering::Relaxed))))
    }
}

impl fmt::Debug for LastWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LastWait").field(&self.get().map(|(waits, _)| waits)).finish()
    }
}
