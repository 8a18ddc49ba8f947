//! Stacks for green threads: where they come from, who runs on one, and what happens when one is too small.
//!
//! A green thread gets a [`Stack`] when it first runs, not when it is spawned, and gives it back when it ends. In
//! between nobody else may touch that memory, and nobody asks the kernel for anything:
//!
//! ```text
//!  take ◄── StackCache ◄──── 32 at a time ────► StackPool: the home list ◄── fresh slots ◄── slabs ◄── mmap
//!           per processor,                      shared, under a lock         guarded when
//!           64 stacks, no lock                                               first handed out
//! ```
//!
//! Reading order: [`slab`] (the memory itself, with a picture), [`guard`] (its lower end), [`pool`] (who keeps the
//! stacks that nobody uses), [`overflow`] (a guard is hit: who ran there, and the message), [`signal`] (all other
//! faults go on to whoever handled them before), [`alternate`] (the memory on which such a handler runs), [`meter`] (how
//! deep a piece of code goes), [`error`] (no
//! stack could be had, and which knob moves that).
//!
//! What a parked green thread costs in here: the pages it touched (one, if it is modest), 640 bytes of page tables at
//! the default size, and 8 bytes in the owner table. The lists of free stacks lie outside of the stacks, so that
//! keeping a stack costs no page of it.

mod alternate;
#[cfg(test)]
mod child;
mod error;
mod guard;
pub mod meter;
mod overflow;
mod pool;
mod signal;
mod slab;

pub(crate) use alternate::AlternateStack;
pub use error::{StackError, StackShortage};
pub(crate) use overflow::install_handler;
pub(crate) use pool::{StackCache, StackPool};

use core::mem::ManuallyDrop;
#[cfg(feature = "dump")]
use core::ops::Range;
use core::ptr::NonNull;
use core::{fmt, ptr};

use corosensei::stack::StackPointer;

use crate::primitive::{Ordering, lock};
use slab::Slot;

/// Who runs on a stack: what messages need to know, and how `dump/census.rs` finds the green threads.
///
/// It is embedded in the control block of a green thread, never changes, and outlives the green thread's time on its
/// stack. Only then may its address be given to [`Stack::set_owner`].
#[derive(Debug)]
pub(crate) struct Owner {
    id: u64,
    name: Option<Box<str>>,
}

impl Owner {
    /// Where in it the number lies.
    pub(crate) const OFFSET_OF_ID: usize = core::mem::offset_of!(Self, id);

    /// Makes the owner with this number and this name.
    pub(crate) fn new(id: u64, name: Option<Box<str>>) -> Self {
        Self { id, name }
    }

    /// The number of the green thread.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The name of the green thread, if it was given one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The number in a copy of an owner's bytes.
    ///
    /// # Safety
    /// `copy` points to the bytes of an owner that was valid when they were copied.
    pub(crate) unsafe fn id_in(copy: *const Self) -> u64 {
        // SAFETY: by contract; any bytes are a number.
        unsafe { (*copy).id }
    }

    /// Where the name lies, as a copy of an owner's bytes has it. It is not to be followed: the owner may be gone.
    ///
    /// # Safety
    /// As for [`id_in`](Self::id_in).
    pub(crate) unsafe fn name_in(copy: *const Self) -> Option<NonNull<[u8]>> {
        // A box has the layout of the pointer that it owns, and none has that of null.
        const { assert!(size_of::<Option<Box<str>>>() == size_of::<Option<NonNull<[u8]>>>()) };
        // SAFETY: by contract, and the layouts are the same.
        unsafe { (&raw const (*copy).name).cast::<Option<NonNull<[u8]>>>().read() }
    }
}

/// Where a stack lies, and who runs on it: for reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(Slot);

impl Place {
    /// The stack that `address` lies in.
    #[cfg(feature = "dump")]
    pub(crate) fn at(address: usize) -> Option<Self> {
        slab::find(address).map(Self)
    }

    /// Who runs there, or is suspended there: a moment's truth. It was given to [`Stack::set_owner`], whose duties say how long it is valid.
    pub(crate) fn owner(self) -> Option<NonNull<Owner>> {
        // Acquire pairs with the Release in `Stack::set_owner`.
        NonNull::new(self.0.owner().load(Ordering::Acquire))
    }

    /// The addresses that frames may lie at.
    #[cfg(feature = "dump")]
    pub(crate) fn usable(self) -> Range<usize> {
        self.0.usable()
    }
}

/// All stacks in use: a moment's truth.
pub(crate) fn in_use() -> impl Iterator<Item = Place> {
    slab::in_use().map(Place)
}

/// One stack, and the sole right to use its memory.
///
/// Whoever holds a `Stack` outside of a coroutine knows that no frame lives on it: a coroutine owns the stack that it
/// runs on. Dropping it puts it on the pool's shared list; a processor keeps its own with [`StackCache::put`] instead.
pub(crate) struct Stack {
    /// No copy of this slot exists in another `Stack` or on a free list.
    slot: Slot,
}

impl Stack {
    /// Makes the stack that lies in `slot`.
    ///
    /// # Safety
    /// 1. `slot` has its guard.
    /// 2. The caller took `slot` off a free list, or it is fresh: no other `Stack` is made from it before this one has
    ///    ended in [`into_slot`](Self::into_slot) or has been dropped.
    unsafe fn new(slot: Slot) -> Self {
        Self { slot }
    }

    /// Ends this stack, and hands its slot to a free list.
    fn into_slot(self) -> Slot {
        ManuallyDrop::new(self).slot
    }

    /// Says who runs on this stack from now on; null when nobody does. One store.
    ///
    /// # Safety
    /// `owner` is null, or points to an [`Owner`] that stays valid until the next call of this function, or until the
    /// stack is dropped. The last call before the stack is put back is one with null.
    #[inline]
    pub(crate) unsafe fn set_owner(&self, owner: *const Owner) {
        // Release pairs with the Acquire in `overflow::on_fault`: whoever sees the pointer sees the fields behind it.
        self.slot.owner().store(owner.cast_mut(), Ordering::Release);
    }

    /// The addresses that frames may lie at.
    #[cfg(feature = "dump")]
    pub(crate) fn usable(&self) -> Range<usize> {
        self.slot.usable()
    }

    /// Whether nobody is said to run here.
    fn is_free(&self) -> bool {
        // Relaxed: whoever holds the stack also made the last store, or got the stack from whoever did.
        self.slot.owner().load(Ordering::Relaxed).is_null()
    }

    /// Whether the stack was used deeper than the part that [`give_back`](Self::give_back) keeps. One system call.
    fn was_deep(&self) -> bool {
        self.slot.was_deep()
    }

    /// Gives the pages of this stack back to the kernel, except for the topmost few. One system call.
    fn give_back(&mut self) {
        // SAFETY: this `Stack` is the sole right to the memory of its slot, and it is not inside a coroutine, as `self`
        // is borrowed from a free list: no frame lives there.
        unsafe { self.slot.give_back() }
    }
}

// SAFETY:
// - Between `limit` and `base` lie a guard, which catches an overflow from the moment that the slot is first handed out
//   (duty 1 of `new`), and above it at least `MIN_STACK_SIZE` usable bytes (`Shape::new` sees to that).
// - Both addresses are multiples of the page size, and so of `STACK_ALIGNMENT`.
// - The memory stays mapped for ever (a slab is never given back), and is used by nobody else while this value lives
//   (duty 2 of `new`).
unsafe impl corosensei::stack::Stack for Stack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.slot.top()
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        self.slot.bottom()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // A coroutine that is dropped before its end takes its stack with it, and nobody else clears the cell. Relaxed:
        // there is nothing behind null.
        self.slot.owner().store(ptr::null_mut(), Ordering::Relaxed);
        lock(self.slot.home()).push_back(self.slot);
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stack({:#x}..{:#x})", self.slot.bottom(), self.slot.top())
    }
}

/// The size of a page of this machine.
fn page_size() -> usize {
    // SAFETY: sysconf only reads; this name is known to every Unix.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).ok().filter(|size| size.is_power_of_two()).expect("the size of a page is a power of two")
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Stack>();
    is_send::<StackCache>();
};
