//! Slabs: long ranges of address space, cut into slots, one stack in each.
//!
//! The invariant: **below a stack that was handed out lies a guard, and neither is ever unmapped.** Unsafe cannot live
//! higher, because only this file knows which addresses belong to which slot.
//!
//! ```text
//!  low addresses                                                                          high addresses
//!  ┌─────────────┬────────────── slot 0 ───────────────┬────────────── slot 1 ───────────────┬── ...
//!  │ owner table │ guard 64 KiB │ usable 256 KiB       │ guard 64 KiB │ usable 256 KiB       │
//!  │ 8 B a slot  │ no access    │ untouched  ◄─ frames │ no access    │ untouched  ◄─ frames │
//!  └─────────────┴──────────────┴──────────────────────┴──────────────┴──────────────────────┴── ...
//!                ▲              ▲           ▲          ▲
//!                bottom()       │           16 KiB     top()
//!                               bottom() + guard
//! ```
//!
//! **Reserve.** One `mmap` for the whole slab, readable and writable, `MAP_NORESERVE`: it takes address space and
//! nothing else. Pages come when they are first touched, and one at a time: a huge page would cost each stack 2 MiB.
//! The kernel merges slabs that lie side by side into one mapping.
//!
//! **Guard.** Installed when the slot is first handed out, not for the whole slab: the start of the runtime stays free
//! of it, and page tables grow only with the slots in use. It is never removed; reuse and [`Slot::give_back`] leave it.
//!
//! **Owner table.** It lies at the low end, with the guard of slot 0 between it and the first stack. Neighbouring slots
//! are often in use on different processors at the same time, so their cells are spread over the cache lines of a page.
//!
//! **Never given back.** A slab lives until the process ends. That is what lets the signal handler walk the list of
//! slabs without a lock: a slab that it can see is valid, and stays so.

use core::ops::Range;
use core::{fmt, iter, mem, ptr, slice};
use std::collections::VecDeque;
use std::io;

use corosensei::stack::valgrind::ValgrindStackRegistration;
use corosensei::stack::{MIN_STACK_SIZE, StackPointer};

use super::{Owner, StackError, guard, page_size};
#[cfg(feature = "faults")]
use crate::faults;
use crate::primitive::{AtomicPtr, Mutex, Ordering};

/// What [`Slot::give_back`] leaves in place, in bytes from the top: a modest green thread finds all its pages there.
const KEPT: usize = 16 << 10;

/// How many pages below [`KEPT`] are looked at by [`Slot::was_deep`]: a deeper call chain does not skip them all.
const LOOKED_AT: usize = 16;

/// Cells of the owner table that share one cache line.
const CELLS_PER_LINE: u32 = 8;

/// Cache lines that a run of neighbouring slots is spread over.
const LINES: u32 = 64;

/// The table grows in whole groups of 4 KiB: one page where pages are small.
const GROUP: u32 = CELLS_PER_LINE * LINES;

/// The newest slab; each knows the one before it. Slabs are only ever added.
static SLABS: AtomicPtr<Slab> = AtomicPtr::new(ptr::null_mut());

/// Where the slots of a pool wait while nobody uses them. The back is the warm end: what was used last.
pub(super) type Home = Mutex<VecDeque<Slot>>;

/// What every slot of a pool looks like: bytes, multiples of the page size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    guard: usize,
    usable: usize,
}

impl Shape {
    /// The shape with at least `usable` bytes above its guard.
    pub(super) fn new(usable: usize) -> Self {
        let page = page_size();
        // The upper bound keeps the sums from wrapping around. No machine has that much address space: `mmap` refuses
        // it.
        let usable = usable.clamp(MIN_STACK_SIZE, usize::MAX >> 2).next_multiple_of(page);
        Self { guard: guard::SIZE.next_multiple_of(page), usable }
    }

    /// The bytes that a green thread can use.
    pub(super) fn usable(self) -> usize {
        self.usable
    }

    /// From one slot to the next: the address space that a stack takes.
    pub(super) fn stride(self) -> usize {
        self.guard + self.usable
    }
}

/// A range of address space that holds stacks of one shape.
pub(super) struct Slab {
    /// The bottom of slot 0.
    start: usize,
    slots: u32,
    shape: Shape,
    /// Who runs on which slot; [`Slab::cell`] says where in the table.
    owners: &'static [AtomicPtr<Owner>],
    home: &'static Home,
    /// Written before the slab is published, never after.
    older: Option<&'static Slab>,
}

impl Slab {
    /// Reserves a slab of `slots` slots, whose stacks go back to `home`, and makes it known to the signal handler. None
    /// of its slots has a guard yet: see [`Slot::guard`].
    pub(super) fn reserve(slots: u32, shape: Shape, home: &'static Home) -> io::Result<&'static Self> {
        #[cfg(feature = "faults")]
        faults::fail(faults::Site::Slab)?;
        let memory = map(Self::size(slots, shape))?;
        // SAFETY: the table lies at the low end of the mapping, in bytes that belong to no slot and are never unmapped.
        // It is aligned to a page, and reads as zero: null pointers.
        let owners = unsafe { slice::from_raw_parts(memory.cast::<AtomicPtr<Owner>>(), Self::cells(slots)) };
        let start = memory.addr() + Self::table(slots);
        Ok(Self::publish(Box::leak(Box::new(Self { start, slots, shape, owners, home, older: None }))))
    }

    /// The bytes of address space that a slab takes. A number too large for a word is cut to one that `mmap` refuses.
    pub(super) fn size(slots: u32, shape: Shape) -> usize {
        shape.stride().saturating_mul(slots as usize).saturating_add(Self::table(slots))
    }

    /// The bytes of the owner table.
    fn table(slots: u32) -> usize {
        (Self::cells(slots) * size_of::<AtomicPtr<Owner>>()).next_multiple_of(page_size())
    }

    /// The cells of the owner table.
    fn cells(slots: u32) -> usize {
        slots.next_multiple_of(GROUP) as usize
    }

    /// Puts `slab` at the head of the list that [`find`] walks.
    fn publish(slab: &'static mut Self) -> &'static Self {
        // Acquire, here and on failure: `as_ref` below needs the fields; pairs with the Release of whoever published
        // last.
        let mut head = SLABS.load(Ordering::Acquire);
        loop {
            // SAFETY: null, or a box that was leaked by `reserve` and is only shared since it was published.
            slab.older = unsafe { head.as_ref() };
            // Release pairs with the Acquire in `find` and above: the fields are written before the pointer can be
            // seen.
            match SLABS.compare_exchange(head, slab, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return slab,
                Err(newer) => head = newer,
            }
        }
    }

    /// The number of slots.
    pub(super) fn slots(&self) -> u32 {
        self.slots
    }

    /// The slot with this number, which is below [`slots`](Self::slots).
    pub(super) fn slot(&'static self, index: u32) -> Slot {
        assert!(index < self.slots, "slot {index} of a slab with {}", self.slots);
        Slot { slab: self, index }
    }

    /// The place of a slot's owner in the table. Within a group, neighbours are a cache line apart, and only slots
    /// whose numbers differ by a multiple of 64 share one.
    #[inline]
    fn cell(index: u32) -> usize {
        let number = index % GROUP;
        (index - number + number % LINES * CELLS_PER_LINE + number / LINES) as usize
    }
}

impl fmt::Debug for Slab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab").field("start", &self.start).field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// Maps `len` bytes of address space, to be filled with zeroed pages as they are touched.
fn map(len: usize) -> io::Result<*mut u8> {
    const KIND: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // Linux takes MAP_STACK as a wish for small pages; OpenBSD runs nobody on memory without it; FreeBSD takes it for a
    // stack that it must grow itself.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FLAGS: libc::c_int = KIND | libc::MAP_NORESERVE | libc::MAP_STACK;
    #[cfg(target_os = "openbsd")]
    const FLAGS: libc::c_int = KIND | libc::MAP_STACK;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "openbsd")))]
    const FLAGS: libc::c_int = KIND;

    // SAFETY: a new mapping at an address of the kernel's choice disturbs no other.
    let memory = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, FLAGS, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A kernel built without huge pages refuses the advice, and need not hear it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the range is the mapping just made; the advice changes no contents.
    unsafe {
        libc::madvise(memory, len, libc::MADV_NOHUGEPAGE);
    }
    Ok(memory.cast())
}

/// Finds the slot that `address` lies in, guard included. Async-signal-safe: it loads and computes, no more.
pub(super) fn find(address: usize) -> Option<Slot> {
    // SAFETY: null, or a box that was leaked by `reserve` and is only shared since it was published. Acquire pairs with
    // the Release in `publish`.
    let mut next = unsafe { SLABS.load(Ordering::Acquire).as_ref() };
    while let Some(slab) = next {
        // An address below the slab wraps around, to an index that is too large.
        let index = address.wrapping_sub(slab.start) / slab.shape.stride();
        if let Some(index) = u32::try_from(index).ok().filter(|&index| index < slab.slots) {
            return Some(Slot { slab, index });
        }
        next = slab.older;
    }
    None
}

/// The slots of all stacks that somebody runs on, or is suspended on: a moment's truth.
pub(super) fn in_use() -> impl Iterator<Item = Slot> {
    // SAFETY: as in `find`.
    let newest: Option<&'static Slab> = unsafe { SLABS.load(Ordering::Acquire).as_ref() };
    let slabs = iter::successors(newest, |slab| slab.older);
    slabs
        .flat_map(|slab| (0..slab.slots).map(|index| Slot { slab, index }))
        // Relaxed: who follows the pointer loads it again.
        .filter(|slot| !slot.owner().load(Ordering::Relaxed).is_null())
}

/// A place for one stack: a name without rights, free to copy. The right to use it is a [`Stack`](super::Stack).
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    slab: &'static Slab,
    /// Below `slab.slots`.
    index: u32,
}

impl Slot {
    /// The lowest address, where the guard begins.
    #[inline]
    pub(super) fn bottom(self) -> StackPointer {
        let address = self.slab.start + self.index as usize * self.slab.shape.stride();
        StackPointer::new(address).expect("nothing is mapped at address 0")
    }

    /// The address above the highest byte, where the first frame begins.
    #[inline]
    pub(super) fn top(self) -> StackPointer {
        self.bottom().checked_add(self.slab.shape.stride()).expect("a slot ends below the end of the address space")
    }

    /// What the slot looks like.
    pub(super) fn shape(self) -> Shape {
        self.slab.shape
    }

    /// The cell for whoever runs here.
    #[inline]
    pub(super) fn owner(self) -> &'static AtomicPtr<Owner> {
        &self.slab.owners[Slab::cell(self.index)]
    }

    /// The list that this slot goes back to.
    pub(super) fn home(self) -> &'static Home {
        self.slab.home
    }

    /// Whether `address` lies in the guard.
    pub(super) fn is_guarded_at(self, address: usize) -> bool {
        (self.bottom().get()..self.usable().start).contains(&address)
    }

    /// Whether a stack pointer with this value is at work on this slot, be it in the guard already. It points to the
    /// lowest byte in use, so the top belongs to this slot, and the bottom to the one below.
    pub(super) fn is_below_top(self, stack_pointer: usize) -> bool {
        self.bottom().get() < stack_pointer && stack_pointer <= self.top().get()
    }

    /// Installs the guard. Once for each slot, before a [`Stack`](super::Stack) is made from it.
    pub(super) fn guard(self) -> Result<(), StackError> {
        let (bottom, usable) = (self.bottom().get(), self.usable());
        // SAFETY: these bytes are the guard of this slot, in the mapping of its slab. No `Stack` was made from the slot
        // yet, so nobody keeps anything there.
        unsafe { guard::install(bottom, usable.start - bottom) }
            .map_err(|refused| StackError::guard(self.slab.shape, refused))?;
        // Without it Valgrind takes a switch to this stack for a stack pointer gone wild; elsewhere it does nothing.
        // Dropping the registration would undo it.
        mem::forget(ValgrindStackRegistration::new(usable.start as *mut u8, usable.len()));
        Ok(())
    }

    /// Whether a page just below the topmost [`KEPT`] is in memory. One system call on Linux; elsewhere nobody looks.
    pub(super) fn was_deep(self) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(lower) = self.below_kept() {
            let mut present = [0_u8; LOOKED_AT];
            let looked_at = lower.len().min(LOOKED_AT * page_size());
            // SAFETY: mincore reads none of the range, and writes one byte for each of its pages, `LOOKED_AT` at most.
            let done = unsafe { libc::mincore((lower.end - looked_at) as *mut _, looked_at, present.as_mut_ptr()) };
            return done == 0 && present.iter().any(|page| page & 1 != 0);
        }
        false
    }

    /// Gives the pages below the topmost [`KEPT`] back to the kernel; they read as zero when next touched. One system
    /// call on Linux; elsewhere they stay.
    ///
    /// # Safety
    /// No frame lives on this stack.
    pub(super) unsafe fn give_back(self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(lower) = self.below_kept() {
            // SAFETY: the range lies in this slot and above its guard, and nobody counts on its contents, as the caller
            // promises. A refusal leaves everything as it was.
            unsafe { libc::madvise(lower.start as *mut _, lower.len(), libc::MADV_DONTNEED) };
        }
    }

    /// The bytes above the guard.
    pub(super) fn usable(self) -> Range<usize> {
        let top = self.top().get();
        top - self.slab.shape.usable..top
    }

    /// The usable bytes below the topmost [`KEPT`], if the stack is larger than that.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn below_kept(self) -> Option<Range<usize>> {
        let Range { start, end } = self.usable();
        let lower = start..end.saturating_sub(KEPT.next_multiple_of(page_size()));
        (!lower.is_empty()).then_some(lower)
    }
}

#[cfg(test)]
mod tests;
