//! No stack could be had: what ran out, and which knob moves it.

use core::error::Error;
use core::{fmt, ptr};
use std::{fs, io};

use super::slab::{Shape, Slab};
use super::{guard, page_size};

/// What ran out when a stack was asked for; see [`StackError::shortage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackShortage {
    /// Address space: a limit on the process (`ulimit -v`, `ulimit -d`), or the end of what the processor can address.
    ///
    /// A stack takes its size and 64 KiB of it, touched or not: one million stacks of the default size take 320 GiB.
    AddressSpace,
    /// Memory: the kernel refuses to promise more (`vm.overcommit_memory` is 2, or the process locks all its memory),
    /// or has none left for page tables.
    Memory,
    /// Mappings (`vm.max_map_count`). Each stack takes two where its guard is made by `mprotect`, that is on kernels
    /// before Linux 6.13; later kernels need no more than a few for all stacks together.
    Mappings,
    /// The guard below the stack: the kernel refused to make one, for a reason other than the ones above.
    Guard,
}

/// Why a green thread could not get a stack.
///
/// The message says what ran out, what the system said, and which knob moves it. The runtime is as it was before: once
/// green threads have ended, or the limit was raised, a stack can be had again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackError {
    shortage: StackShortage,
    /// The `errno` of the refused call.
    code: i32,
    /// The address space that one stack takes, in bytes.
    stride: usize,
}

impl StackError {
    /// What ran out.
    #[must_use]
    pub fn shortage(&self) -> StackShortage {
        self.shortage
    }

    /// What the system said: the error of the call that was refused.
    #[must_use]
    pub fn os_error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.code)
    }

    /// Address space for even one stack was refused.
    #[cold]
    pub(super) fn address_space(shape: Shape, error: io::Error) -> Self {
        let shortage = if exceeds_limit(Slab::size(1, shape)) {
            StackShortage::AddressSpace
        } else if is_strict_about_memory() || error.raw_os_error() == Some(libc::EAGAIN) {
            StackShortage::Memory
        } else if !can_map_a_page() {
            StackShortage::Mappings
        } else {
            StackShortage::AddressSpace
        };
        Self::new(shortage, shape, &error)
    }

    /// The guard of a stack was refused.
    #[cold]
    pub(super) fn guard(shape: Shape, refused: guard::Refused) -> Self {
        Self::new(refused.shortage, shape, &refused.error)
    }

    fn new(shortage: StackShortage, shape: Shape, error: &io::Error) -> Self {
        Self { shortage, code: error.raw_os_error().unwrap_or(0), stride: shape.stride() }
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, knob) = match self.shortage {
            StackShortage::AddressSpace => (
                "the address space is used up",
                "raise the limit of the process (`ulimit -v`, `ulimit -d`), \
                 or lower Builder::stack_size or GREENBRIDGE_STACK_SIZE",
            ),
            StackShortage::Memory if self.code == libc::EAGAIN => (
                "the process locks its memory and may lock no more",
                "raise the limit (`ulimit -l`), or lower Builder::stack_size or GREENBRIDGE_STACK_SIZE",
            ),
            StackShortage::Memory => (
                "the kernel promises no more memory",
                "set vm.overcommit_memory to 0 or 1, or lower Builder::stack_size or GREENBRIDGE_STACK_SIZE",
            ),
            StackShortage::Mappings => (
                "the process has as many mappings as it may",
                "raise vm.max_map_count: before Linux 6.13 each stack takes two",
            ),
            StackShortage::Guard => ("its guard could not be made", "the system refuses mprotect"),
        };
        let kib = self.stride >> 10;
        write!(
            f,
            "no stack for a green thread: {what} ({}); a stack takes {kib} KiB with its guard: {knob}",
            self.os_error()
        )
    }
}

impl Error for StackError {}

/// Whether `more` bytes would take the process over a limit that it was given.
fn exceeds_limit(more: usize) -> bool {
    // Columns of `statm`: all pages, and those that count as data. Where it cannot be read, any limit is suspect.
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let used = |column| {
        let pages = statm.split_whitespace().nth(column).and_then(|pages| pages.parse::<usize>().ok());
        pages.map_or(usize::MAX, |pages| pages.saturating_mul(page_size()))
    };
    // SAFETY: getrlimit writes one `rlimit` to where it is told.
    let of_all = soft_limit(|to| unsafe { libc::getrlimit(libc::RLIMIT_AS, to) });
    // SAFETY: as above.
    let of_data = soft_limit(|to| unsafe { libc::getrlimit(libc::RLIMIT_DATA, to) });
    of_all < used(0).saturating_add(more) || of_data < used(5).saturating_add(more)
}

/// The limit that `ask` writes, in bytes; the largest number if there is none.
fn soft_limit(ask: impl FnOnce(*mut libc::rlimit) -> libc::c_int) -> usize {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    let answered = ask(&raw mut limit) == 0;
    if answered { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { usize::MAX }
}

/// Whether the kernel counts every writable mapping as memory in use, and `MAP_NORESERVE` for nothing.
fn is_strict_about_memory() -> bool {
    fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim() == "2")
}

/// Whether the process may have one more mapping: for a page there is always room.
fn can_map_a_page() -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice disturbs no other.
    let page = unsafe { libc::mmap(ptr::null_mut(), page_size(), libc::PROT_NONE, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return false;
    }
    // SAFETY: it is the page just mapped, and nobody else knows it.
    unsafe { libc::munmap(page, page_size()) };
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shortage_names_what_ran_out_and_its_knob() {
        let shape = Shape::new(256 << 10);
        let message = |shortage, code| {
            let error = StackError::new(shortage, shape, &io::Error::from_raw_os_error(code));
            assert_eq!(error.shortage(), shortage);
            assert_eq!(error.os_error().raw_os_error(), Some(code));
            error.to_string()
        };
        for (shortage, code, words) in [
            (StackShortage::AddressSpace, libc::ENOMEM, ["address space", "ulimit -v", "GREENBRIDGE_STACK_SIZE"]),
            (StackShortage::Memory, libc::ENOMEM, ["memory", "vm.overcommit_memory", "Builder::stack_size"]),
            (StackShortage::Memory, libc::EAGAIN, ["locks its memory", "ulimit -l", "Builder::stack_size"]),
            (StackShortage::Mappings, libc::ENOMEM, ["mappings", "vm.max_map_count", "320 KiB"]),
            (StackShortage::Guard, libc::EACCES, ["guard", "mprotect", "320 KiB"]),
        ] {
            let message = message(shortage, code);
            for word in words {
                assert!(message.contains(word), "{word:?} is missing in {message:?}");
            }
        }
    }
}
