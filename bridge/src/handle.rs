//! Handles: Rust values that C keeps as integers.
//!
//! C often carries one word for its user: the `void *` of a callback, the context of a library. A pointer in its place must be
//! kept alive by hand, and is believed when it comes back. A handle is a number that stands for the value in a table, and is checked:
//! it says so if the value is gone, or is of another type. It is what `cgo.Handle` is to Go.
//!
//! ```text
//!   raw     generation of the slot (upper half) │ index of the slot + 1 (lower half): never 0
//!
//!   slot    generation │ None            free
//!           generation │ Some(value)     kept
//! ```
//!
//! A slot that is used again has the next generation, so an old handle does not match it. One that has been through all generations is
//! not used again: a stale handle is noticed for ever.
//!
//! The table is one for the process, cut into shards, each under its own lock. The lock is held for a look, and never while code of the
//! user's runs: a value is dropped after the lock.

use crate::primitive::{AtomicUsize, Mutex, Ordering, lock_briefly};
use core::fmt;
use core::ptr;
use std::any::{Any, type_name};
use std::error::Error;
use std::ffi::c_void;
use std::sync::Arc;

/// A Rust value as an integer that C can keep.
///
/// The value lives until the handle is [deleted](Self::delete) or its value [taken](Self::take), whoever does that, and however often the
/// number was copied. A handle works on every thread.
///
/// # Examples
/// ```
/// use greenbridge::{Handle, HandleError};
/// use std::ffi::c_void;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// /// What C calls back, with the word that it was given to keep.
/// extern "C" fn on_row(context: *mut c_void) -> i32 {
///     match Handle::from_ptr(context).get::<AtomicU32>() {
///         Ok(rows) => { rows.fetch_add(1, Ordering::Relaxed); 0 }
///         Err(error) => { eprintln!("{error}"); -1 }
///     }
/// }
///
/// let handle = Handle::new(AtomicU32::new(0));
/// assert_eq!(on_row(handle.as_ptr()), 0);
/// let rows = handle.take::<AtomicU32>()?;
/// assert_eq!(rows.load(Ordering::Relaxed), 1);
/// // C calls once too often.
/// assert_eq!(on_row(handle.as_ptr()), -1);
/// # Ok::<(), HandleError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Handle(usize);

/// The number of shards, a power of two.
const SHARDS: usize = 16;
/// The bits of a raw handle that name a slot.
const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
/// The largest generation; a slot that has had it is not used again.
const LAST_GENERATION: usize = usize::MAX >> INDEX_BITS;

static TABLE: [Mutex<Shard>; SHARDS] = [const { Mutex::new(Shard { slots: Vec::new(), free: Vec::new() }) }; SHARDS];

/// Deals new handles out to the shards.
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

struct Shard {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

struct Slot {
    generation: usize,
    kept: Option<Kept>,
}

#[derive(Clone)]
struct Kept {
    value: Arc<dyn Any + Send + Sync>,
    name: &'static str,
}

impl Handle {
    /// Keeps `value`, and returns the handle that stands for it.
    ///
    /// # Panics
    /// If there are as many values as half the bits of a `usize` can count: on 64-bit systems four thousand million.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        let kept = Kept { value: Arc::new(value), name: type_name::<T>() };
        let shard = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let (at, generation) = lock_briefly(&TABLE[shard]).keep(kept);
        let index = at * SHARDS + shard;
        assert!(index < INDEX_MASK, "there are too many handles: delete those that C has given up");
        Self(generation << INDEX_BITS | (index + 1))
    }

    /// The handle with this number, as it came back from C. Whether it stands for a value is seen when it is used.
    pub const fn from_raw(raw: usize) -> Self {
        Self(raw)
    }

    /// The same from a `void *`.
    pub fn from_ptr(pointer: *mut c_void) -> Self {
        Self(pointer.addr())
    }

    /// The number for C: never 0.
    pub const fn as_raw(self) -> usize {
        self.0
    }

    /// The number as a `void *`, for C that keeps a pointer. It points to nothing.
    pub const fn as_ptr(self) -> *mut c_void {
        ptr::without_provenance_mut(self.0)
    }

    /// The value. It stays alive as long as the `Arc`, also if the handle is deleted meanwhile.
    ///
    /// # Errors
    /// The handle stands for no value, or for one of another type.
    pub fn get<T: Any + Send + Sync>(self) -> Result<Arc<T>, HandleError> {
        let shard = lock_briefly(self.shard()?);
        self.typed(shard.slots[self.place(&shard)?].kept.clone())
    }

    /// Deletes the handle and returns its value, which others may still have from [`get`](Self::get).
    ///
    /// # Errors
    /// The handle stands for no value, or for one of another type; that one stays.
    pub fn take<T: Any + Send + Sync>(self) -> Result<Arc<T>, HandleError> {
        let mut shard = lock_briefly(self.shard()?);
        let at = self.place(&shard)?;
        let value = self.typed(shard.slots[at].kept.clone())?;
        let kept = shard.free(at);
        drop(shard);
        drop(kept);
        Ok(value)
    }

    /// Deletes the handle, whatever the type of its value.
    ///
    /// # Errors
    /// The handle stands for no value.
    pub fn delete(self) -> Result<(), HandleError> {
        let mut shard = lock_briefly(self.shard()?);
        let at = self.place(&shard)?;
        let kept = shard.free(at);
        drop(shard);
        // Its destructor is the user's.
        drop(kept);
        Ok(())
    }

    /// The index of its slot among those of all shards, if it names one.
    fn index(self) -> Option<usize> {
        (self.0 & INDEX_MASK).checked_sub(1)
    }

    fn shard(self) -> Result<&'static Mutex<Shard>, HandleError> {
        match self.index() {
            Some(index) => Ok(&TABLE[index % SHARDS]),
            None if self.0 == 0 => Err(HandleError(Wrong::Zero)),
            None => Err(HandleError(Wrong::NeverMade(self.0))),
        }
    }

    /// Where in its shard the value lies.
    fn place(self, shard: &Shard) -> Result<usize, HandleError> {
        let at = self.index().unwrap_or_default() / SHARDS;
        let generation = self.0 >> INDEX_BITS;
        match shard.slots.get(at) {
            Some(slot) if slot.generation == generation && slot.kept.is_some() => Ok(at),
            Some(slot) if slot.generation >= generation => Err(HandleError(Wrong::Stale(self.0))),
            _ => Err(HandleError(Wrong::NeverMade(self.0))),
        }
    }

    fn typed<T: Any + Send + Sync>(self, kept: Option<Kept>) -> Result<Arc<T>, HandleError> {
        let kept = kept.ok_or(HandleError(Wrong::Stale(self.0)))?;
        let is = kept.name;
        kept.value.downcast().map_err(|_| HandleError(Wrong::Type { handle: self.0, is, wanted: type_name::<T>() }))
    }
}

impl Shard {
    /// Puts `kept` into a slot; returns which one, and its generation.
    fn keep(&mut self, kept: Kept) -> (usize, usize) {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, kept: None });
            self.slots.len() - 1
        });
        self.slots[at].kept = Some(kept);
        (at, self.slots[at].generation)
    }

    /// Empties a slot. The caller drops what was in it, without the lock.
    fn free(&mut self, at: usize) -> Option<Kept> {
        let slot = &mut self.slots[at];
        let kept = slot.kept.take();
        if slot.generation < LAST_GENERATION {
            slot.generation += 1;
            self.free.push(at);
        }
        kept
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({:#x})", self.0)
    }
}

/// Why a handle brings no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleError(Wrong);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Zero,
    NeverMade(usize),
    Stale(usize),
    Type { handle: usize, is: &'static str, wanted: &'static str },
}

impl HandleError {
    /// Whether the handle stands for a value, but for one of another type.
    pub fn is_wrong_type(&self) -> bool {
        matches!(self.0, Wrong::Type { .. })
    }
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Wrong::Zero => f.write_str("the handle is 0, which stands for no value"),
            Wrong::NeverMade(handle) => write!(f, "{handle:#x} is no handle: no value was ever kept under it"),
            Wrong::Stale(handle) => write!(f, "the handle {handle:#x} is stale: it was deleted, or its value taken"),
            Wrong::Type { handle, is, wanted } => {
                write!(
                    f,
                    "the handle {handle:#x} stands for a value of type `{is}`, and one of type `{wanted}` was asked for"
                )
            }
        }
    }
}

impl Error for HandleError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept { value: Arc::new(()), name: "()" }
    }

    #[test]
    fn slot_that_has_had_all_generations_is_not_used_again() {
        let mut shard = Shard { slots: vec![Slot { generation: LAST_GENERATION - 1, kept: None }], free: vec![0] };
        assert_eq!(shard.keep(kept()), (0, LAST_GENERATION - 1));
        assert!(shard.free(0).is_some());
        assert_eq!(shard.keep(kept()), (0, LAST_GENERATION));
        assert!(shard.free(0).is_some());
        assert_eq!(shard.keep(kept()), (1, 0));
    }
}
