//! The stack meter: how deep a piece of code goes into the stack of the green thread that runs it.
//!
//! ```text
//!  low addresses                                                  high addresses
//!  ┌───────┬───────────────────────────┬──────────────┬─────────┬────────────────┐
//!  │ guard │ pages given back:         │ rest of the  │ margin  │ frames of      │
//!  │       │ not in memory, read as 0  │ page: zeroed │         │ whoever asks   │
//!  └───────┴───────────────────────────┴──────────────┴─────────┴────────────────┘
//!                        ▲ deepest() looks from below    ▲ floor           ▲ base
//! ```
//!
//! What lies below the caller holds nothing. So its whole pages are given back to the kernel, which costs one system call
//! however large the stack is, and the rest of the page that the caller stands on is zeroed. After the code has run, the
//! lowest page that is in memory again is the deepest that was touched, and the lowest byte in it that is not zero says where.
//!
//! **Where the answer is rounded.** A page that was touched and holds nothing but zeros counts as used in full: stack probes
//! touch pages without writing to them. Below that, a frame whose lowest bytes were never written counts without them. Code
//! that stays within the margin of 1 KiB is said to use all of it.

use core::error::Error;
use core::fmt;
use core::ops::Range;

use super::page_size;
use super::slab::{self, Slot};

/// What is left alone below the stack pointer while the rest is cleared and looked at, in bytes: room for the functions that do
/// so.
const MARGIN: usize = 1 << 10;

/// Pages that one system call asks about.
const PAGES: usize = 64;

/// What [`measure`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackUse {
    bytes: usize,
    room: usize,
}

impl StackUse {
    /// The deepest use of the stack, in bytes, counted from where [`measure`] was called.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// How much of the stack there was to use, in bytes: from where [`measure`] was called to the guard.
    #[must_use]
    pub fn room(self) -> usize {
        self.room
    }
}

/// [`measure`] was not called on a green thread's own stack, and has run nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOnGreenThread;

impl fmt::Display for NotOnGreenThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the stack meter measures the stack of a green thread, and this is an OS thread's own stack: \
             call it in `greenbridge::run` or `spawn`, and not under `call_on_thread_stack`",
        )
    }
}

impl Error for NotOnGreenThread {}

/// Runs `f`, and says how deep it went into the stack of the green thread it runs on: what C that is called there needs, and so
/// what `Builder::stack_size` has to offer.
///
/// The answer is exact but for the lowest bytes of a frame that are never written; it is no less than 1 KiB. It takes a few system
/// calls, and a page fault for each page that `f` touches. Measures may be nested, but the inner one clears what the outer one looks for:
/// the outer one then misses what was used in it before.
///
/// # Blocking
/// As long as `f` does, which may wait: the stack stays the same, on whatever OS thread the green thread goes on.
///
/// # Errors
/// Elsewhere than on a green thread's own stack; `f` has not run then.
///
/// # Panics
/// With the panic of `f`.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let measured = greenbridge_runtime::run(|| greenbridge_runtime::stack_meter::measure(|| format!("{:?}", [1.5; 100])));
/// let (text, stack_use) = measured?;
/// assert!(text.starts_with("[1.5, "));
/// assert!((1 << 10..64 << 10).contains(&stack_use.bytes()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline(never)]
pub fn measure<R>(f: impl FnOnce() -> R) -> Result<(R, StackUse), NotOnGreenThread> {
    let cleared = Cleared::below_caller().ok_or(NotOnGreenThread)?;
    let result = below(f);
    Ok((result, cleared.measure()))
}

/// Calls `f` with a frame of its own, so that what it keeps on the stack lies below the caller's frame.
#[inline(never)]
fn below<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// The part of a stack that has been cleared.
#[derive(Debug)]
struct Cleared {
    /// The usable bytes of the stack.
    usable: Range<usize>,
    /// The lowest address in use when the stack was cleared.
    base: usize,
    /// The pages below the one on which the clearing ended: given back, unless the kernel refused.
    pages: Range<usize>,
    are_given_back: bool,
}

impl Cleared {
    /// Clears the stack below the caller. `None` if it is no green thread's.
    ///
    /// Never inlined: what it takes for the lowest address in use lies in a frame of its own, below all of its caller's.
    #[inline(never)]
    fn below_caller() -> Option<Self> {
        let mark = 0_u8;
        let base = (&raw const mark).addr();
        let usable = slab::find(base).map(Slot::usable).filter(|usable| usable.contains(&base))?;
        // Close to the guard there is nothing to clear.
        let floor = (base - MARGIN).max(usable.start);
        let pages = usable.start..(floor & !(page_size() - 1));
        // SAFETY: the pages lie in the slot of the stack that the caller runs on, above its guard, and by at least the margin below
        // the frames in use. Signal handlers that run there are over before this goes on.
        let are_given_back = unsafe { libc::madvise(pages.start as *mut _, pages.len(), libc::MADV_DONTNEED) } == 0;
        // Locked memory is not given back; then it is zeroed.
        let zeroed = if are_given_back { pages.end..floor } else { pages.start..floor };
        // SAFETY: as above; and the loop's own frame lies in the margin.
        unsafe { zero(zeroed) };
        Some(Self { usable, base, pages, are_given_back })
    }

    /// How deep the stack was used since.
    fn measure(&self) -> StackUse {
        StackUse { bytes: self.base - self.deepest(), room: self.base - self.usable.start }
    }

    /// The lowest address that was used since.
    #[inline(never)]
    fn deepest(&self) -> usize {
        let floor = (self.base - MARGIN).max(self.usable.start);
        if self.are_given_back {
            if let Some(page) = lowest_in_memory(self.pages.clone()) {
                // SAFETY: a page of the stack that the caller runs on.
                return unsafe { lowest_written(page..page + page_size()) }.unwrap_or(page);
            }
            // SAFETY: as above.
            return unsafe { lowest_written(self.pages.end..floor) }.unwrap_or(floor);
        }
        // SAFETY: as above.
        unsafe { lowest_written(self.pages.start..floor) }.unwrap_or(floor)
    }
}

/// The lowest of `pages` that is in memory.
pub(super) fn lowest_in_memory(pages: Range<usize>) -> Option<usize> {
    let page = page_size();
    let mut start = pages.start;
    while start < pages.end {
        let mut present = [0_u8; PAGES];
        let len = (pages.end - start).min(PAGES * page);
        // SAFETY: mincore reads none of the range, and writes one byte for each of its pages, `PAGES` at most.
        if unsafe { libc::mincore(start as *mut _, len, present.as_mut_ptr()) } != 0 {
            return None;
        }
        if let Some(index) = present.iter().position(|page| page & 1 != 0) {
            return Some(start + index * page);
        }
        start += len;
    }
    None
}

/// Writes zero to all of `range`, whose ends are aligned down to words. It calls nothing that would need more stack than the margin.
///
/// # Safety
/// The range is mapped, and nobody counts on its contents.
unsafe fn zero(range: Range<usize>) {
    let mut address = range.start;
    while address + size_of::<usize>() <= range.end {
        // SAFETY: as the caller promises. Volatile, so that no call of memset takes the loop's place.
        unsafe { (address as *mut usize).write_volatile(0) };
        address += size_of::<usize>();
    }
}

/// The address of the lowest word in `range` that is not zero.
///
/// # Safety
/// The range is mapped.
unsafe fn lowest_written(range: Range<usize>) -> Option<usize> {
    let words = range.step_by(size_of::<usize>());
    // SAFETY: as the caller promises. Volatile, because the compiler knows of no object there.
    words.into_iter().find(|&address| unsafe { (address as *const usize).read_volatile() } != 0)
}
