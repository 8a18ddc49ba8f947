//! The template: what a new worker starts with, in place of what it would inherit.
//!
//! The kernel gives a new OS thread the signal mask, the affinity and the nice value of the thread that makes it. Workers are made by
//! whoever hands a processor over, and that may be a green thread in C that has blocked signals or confined itself to one CPU: one
//! library's business would then be every later green thread's.
//!
//! | what | a worker starts with |
//! |---|---|
//! | signal mask | that of the thread that started the runtime, as it was then; signals of faults are not blocked |
//! | affinity, nice value | those of the monitor, as they are now; until it runs, those of that thread |
//!
//! **Why the monitor's.** It was made by the thread that started the runtime, and no code but the runtime's ever runs on it. So it has what
//! the process had at the start, or what an administrator has given to all threads since (`taskset -ap`); a copy made at the start
//! would undo the latter. A mask cannot be read from outside, hence the copy.
//!
//! **No signal comes in between.** A worker is made with all signals blocked, and takes them on with its own mask.
//!
//! What the kernel does not let it have, such as a lower nice value than it inherits, it does without.

use super::blocked::OsThread;
#[cfg(feature = "faults")]
use crate::faults;
use crate::primitive::{AtomicU32, Ordering};
use core::mem::MaybeUninit;
use core::{fmt, mem, ptr};
use std::io;

/// The monitor's OS thread; 0 until it runs.
static MONITOR: AtomicU32 = AtomicU32::new(0);

/// Signals that a fault raises: blocked, they would end the process without the report of an overflow.
const FAULTS: [libc::c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// What a new worker gets.
pub(crate) struct Template {
    mask: libc::sigset_t,
    /// Until the monitor runs.
    at_start: Standing,
}

/// Where and how eagerly the kernel runs an OS thread.
#[derive(Clone, Copy)]
struct Standing {
    /// `None` on a machine with more CPUs than the set has room for.
    cpus: Option<libc::cpu_set_t>,
    nice: libc::c_int,
}

/// The caller is the monitor.
pub(crate) fn be_monitor() {
    MONITOR.store(OsThread::current().0, Ordering::Relaxed);
}

impl Template {
    /// Taken from the caller, who starts the runtime.
    pub(crate) fn of_caller() -> Self {
        let mut mask = replace_mask(None);
        for fault in FAULTS {
            // SAFETY: a set that was filled in, and signals that there are.
            unsafe { libc::sigdelset(&raw mut mask, fault) };
        }
        Self { mask, at_start: Standing::of(THE_CALLER) }
    }

    /// Makes an OS thread by `spawn`, in which [`adopt`](Self::adopt) is to be called first.
    pub(crate) fn make_thread<R>(&self, spawn: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        #[cfg(feature = "faults")]
        faults::fail(faults::Site::Thread)?;
        let _none_comes = Blocked::all();
        spawn()
    }

    /// Gives the caller, a new worker, what it should have.
    pub(crate) fn adopt(&self) {
        let standing = match MONITOR.load(Ordering::Relaxed) {
            0 => self.at_start,
            monitor => Standing::of(monitor),
        };
        standing.adopt();
        replace_mask(Some(&self.mask));
    }
}

/// How system calls name the OS thread that makes them.
const THE_CALLER: u32 = 0;

impl Standing {
    /// That of an OS thread of this process.
    fn of(thread: u32) -> Self {
        // SAFETY: an affinity is a set of bits; zero is the empty one.
        let mut cpus: libc::cpu_set_t = unsafe { mem::zeroed() };
        // SAFETY: writes as many bytes as it is told, or fails.
        let found = unsafe { libc::sched_getaffinity(thread.cast_signed(), mem::size_of_val(&cpus), &raw mut cpus) };
        // SAFETY: takes no pointer. On Linux each OS thread has its own; the answer -1 may be a failure, which then makes a worker a
        // little more eager.
        let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, thread) };
        Self { cpus: (found == 0).then_some(cpus), nice }
    }

    /// Gives it to the caller, as far as the kernel lets it have it.
    fn adopt(self) {
        if let Some(cpus) = self.cpus {
            // SAFETY: reads as many bytes as it is told.
            unsafe { libc::sched_setaffinity(0, mem::size_of_val(&cpus), &raw const cpus) };
        }
        // SAFETY: plain system calls, that concern this OS thread.
        unsafe {
            if self.nice != libc::getpriority(libc::PRIO_PROCESS, THE_CALLER) {
                libc::setpriority(libc::PRIO_PROCESS, THE_CALLER, self.nice);
            }
        }
    }
}

/// All signals are blocked on this OS thread until this is dropped.
struct Blocked(libc::sigset_t);

impl Blocked {
    fn all() -> Self {
        let mut all = MaybeUninit::uninit();
        // SAFETY: it fills the set in.
        let all = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            all.assume_init()
        };
        Self(replace_mask(Some(&all)))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        replace_mask(Some(&self.0));
    }
}

/// Puts `mask` in force on this OS thread, or leaves things as they are, and returns what was in force.
fn replace_mask(mask: Option<&libc::sigset_t>) -> libc::sigset_t {
    // SAFETY: a mask is a set of bits; zero is the empty one.
    let mut before: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the pointers are valid, or null where that is allowed.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask.map_or(ptr::null(), ptr::from_ref), &raw mut before) };
    before
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").finish_non_exhaustive()
    }
}
