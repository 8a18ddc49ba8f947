//! The alternate signal stack: where a worker's signal handlers run when the stack it runs on is full.
//!
//! A fault in the guard leaves no room for the handler's own frame. With `SA_ONSTACK` the kernel lays that frame here
//! instead. std gives its own threads such a stack, but a small one (8 KiB or so), and only if Rust owns `main`. Each
//! worker therefore has 64 KiB of its own, with a page below that nobody may touch.

use core::marker::PhantomData;
use core::ops::Range;
use core::{mem, ptr};
use std::io;

use super::page_size;
#[cfg(feature = "faults")]
use crate::faults;

/// The least that a handler of ours, and one before it, get to run on; in bytes.
const SIZE: usize = 64 << 10;

/// Keeps an alternate signal stack of at least 64 KiB in force on the OS thread that made it. Dropping it brings back
/// what was in force before.
#[derive(Debug)]
pub(crate) struct AlternateStack {
    /// `None` if the thread had one that was large enough.
    installed: Option<Installed>,
    /// Its addresses.
    range: Range<usize>,
    /// The kernel keeps one alternate stack for each thread: this value ends where it began.
    stays_on_thread: PhantomData<*mut ()>,
}

/// What was changed on this thread.
#[derive(Debug)]
struct Installed {
    memory: Memory,
    before: libc::stack_t,
}

impl AlternateStack {
    /// Gives the calling OS thread an alternate signal stack of at least 64 KiB, unless it has one already.
    ///
    /// # Errors
    /// The memory could not be mapped, or the caller runs on its alternate stack at this moment.
    pub(crate) fn install() -> io::Result<Self> {
        let before = in_force()?;
        let is_enabled = before.ss_flags & libc::SS_DISABLE == 0;
        if is_enabled && before.ss_size >= needed() {
            return Ok(Self { installed: None, range: range(&before), stays_on_thread: PhantomData });
        }
        #[cfg(feature = "faults")]
        faults::fail(faults::Site::SignalStack)?;
        let memory = Memory::map(needed())?;
        let ours = memory.describe();
        set(&ours)?;
        let installed = Some(Installed { memory, before });
        Ok(Self { installed, range: range(&ours), stays_on_thread: PhantomData })
    }

    /// Where it lies.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let Some(Installed { memory, before }) = self.installed.take() else { return };
        // Somebody may have put another one in its place since; that one stays.
        if in_force().is_ok_and(|now| now.ss_sp != memory.lowest()) {
            return;
        }
        let mut before = before;
        // macOS asks for a plausible size even of a stack that is switched off.
        before.ss_size = before.ss_size.max(libc::MINSIGSTKSZ);
        if set(&before).is_err() {
            // Still in force: only possible from inside a handler that runs on it. Then it must stay mapped.
            mem::forget(memory);
        }
    }
}

/// The addresses of `stack`.
fn range(stack: &libc::stack_t) -> Range<usize> {
    let start = stack.ss_sp.addr();
    start..start + stack.ss_size
}

/// The size that an alternate stack must have, in bytes.
fn needed() -> usize {
    // On processors with large registers the kernel's part of a signal frame alone takes tens of KiB.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: getauxval only reads; it answers 0 for a name that the kernel does not know.
    let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let frame = 0;
    SIZE.max(frame.saturating_add(SIZE / 2)).next_multiple_of(page_size())
}

/// The size of the largest signal frame; the same on every architecture, and not everywhere in `libc`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const AT_MINSIGSTKSZ: libc::c_ulong = 51;

/// The alternate stack of the calling thread.
fn in_force() -> io::Result<libc::stack_t> {
    let mut now = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: a null first argument changes nothing; the second one is written.
    match unsafe { libc::sigaltstack(ptr::null(), &raw mut now) } {
        0 => Ok(now),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes `stack` the alternate stack of the calling thread.
fn set(stack: &libc::stack_t) -> io::Result<()> {
    // SAFETY: `stack` is switched off, or lies in memory of ours that is unmapped only after another one is in force,
    // or was in force before ours and belongs to whoever put it there.
    match unsafe { libc::sigaltstack(stack, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A mapping with a page at its low end that nobody may touch.
#[derive(Debug)]
struct Memory {
    start: *mut libc::c_void,
    len: usize,
}

impl Memory {
    /// Maps `size` usable bytes.
    fn map(size: usize) -> io::Result<Self> {
        let len = size + page_size();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // Owned from here on: if the next step fails, it is unmapped.
        let memory = Self { start, len };
        // SAFETY: the page is the lowest one of the new mapping, which nobody uses yet.
        if unsafe { libc::mprotect(start, page_size(), libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(memory)
    }

    /// The lowest usable address.
    fn lowest(&self) -> *mut libc::c_void {
        self.start.wrapping_byte_add(page_size())
    }

    /// The usable part, as the kernel wants to hear of it.
    fn describe(&self) -> libc::stack_t {
        libc::stack_t { ss_sp: self.lowest(), ss_flags: 0, ss_size: self.len - page_size() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: this value alone stands for the mapping, and no thread's handlers run on it: `AlternateStack` forgets
        // the value otherwise.
        unsafe { libc::munmap(self.start, self.len) };
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn it_is_large_enough_while_installed_and_the_one_before_comes_back() {
        // A thread of its own: the thread of the test has std's.
        let checked = thread::spawn(|| {
            let before = in_force().expect("a stack or none");
            let outer = AlternateStack::install().expect("an alternate stack");
            let during = in_force().expect("the new one");
            assert_eq!(during.ss_flags & libc::SS_DISABLE, 0);
            assert!(during.ss_size >= SIZE);
            assert_eq!(outer.range(), range(&during));

            // The second one finds the first, and leaves it alone.
            drop(AlternateStack::install().expect("nothing to do"));
            assert_eq!(in_force().expect("the first").ss_sp, during.ss_sp);

            drop(outer);
            let after = in_force().expect("as before");
            assert_eq!((after.ss_sp, after.ss_flags), (before.ss_sp, before.ss_flags));
        });
        checked.join().expect("no assertion failed");
    }

    #[test]
    fn one_that_somebody_put_in_its_place_stays() {
        let checked = thread::spawn(|| {
            let before = in_force().expect("a stack or none");
            let ours = AlternateStack::install().expect("an alternate stack");
            let theirs = Memory::map(SIZE).expect("memory");
            set(&theirs.describe()).expect("theirs in force");
            drop(ours);
            assert_eq!(in_force().expect("theirs").ss_sp, theirs.lowest());
            set(&before).expect("as before");
        });
        checked.join().expect("no assertion failed");
    }
}
