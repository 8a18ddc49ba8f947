//! SIGQUIT asks for a dump: its handler writes to a descriptor, on which the observer sleeps.
//!
//! The handler is put in place of whatever was there. In a forked child, where there is no observer, it makes way for the default action.

use crate::primitive::{AtomicI32, Ordering};
use crate::scheduler::deadlock;
use crate::scheduler::runtime::is_forked;
use core::ffi::c_int;
use core::{mem, ptr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// What the handler writes to; -1: nothing yet.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);

/// Whether somebody has asked.
#[derive(Debug)]
pub(super) struct Asked(File);

impl Asked {
    /// Makes the descriptor.
    pub(super) fn prepare() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: new, and nobody else's.
        Ok(Self(unsafe { File::from_raw_fd(descriptor) }))
    }

    /// Puts the handler in force.
    pub(super) fn install(&self) -> io::Result<()> {
        DESCRIPTOR.store(self.0.as_raw_fd(), Ordering::Release);
        // SAFETY: a `sigaction` is numbers, a set of bits, and a pointer that may be null: zero is a value of each.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = on_quit as *const () as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: a handler that may run at any time, with the signature that the flags promise.
        if unsafe { libc::sigaction(libc::SIGQUIT, &raw const action, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        deadlock::is_own(libc::SIGQUIT);
        Ok(())
    }

    /// Whether somebody has asked since the last time.
    pub(super) fn take(&self) -> bool {
        (&self.0).read(&mut [0; 8]).is_ok()
    }
}

impl AsRawFd for Asked {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

extern "C" fn on_quit(_: c_int) {
    if is_forked() {
        // SAFETY: both may be called from a handler. The signal comes again, and is handled, when this handler returns.
        unsafe {
            libc::signal(libc::SIGQUIT, libc::SIG_DFL);
            libc::raise(libc::SIGQUIT);
        }
        return;
    }
    let one = 1_u64;
    // SAFETY: write may be called from a handler, which keeps errno; the range is valid.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(DESCRIPTOR.load(Ordering::Acquire), (&raw const one).cast(), size_of_val(&one));
        *libc::__errno_location() = errno;
    }
}
