//! The template: what a new worker starts with, in place of what it would inherit.
//!
//! The kernel gives a new OS thread the signal mask, the affinity and the nice value of the thread that makes it. Workers are made by
//! whoever hands a processor over, and that may be a green thread in C that has blocked signals or confined itself to one CPU: one
//! library's business would then be every later green thread's.
//!
//! | what | a worker starts with |
//! |---|---|
//! | signal mask | that of the thread that started the runtime, as it was then; signals of faults are not blocked |
//! | affinity, nice value | those of the monitor, as they are now |
//!
//! **Why the monitor's.** It was made by the thread that started the runtime, and no code but the runtime's ever runs on it. So it has what
//! the process had at the start, or what an administrator has given to all threads since (`taskset -ap`); a copy made at the start
//! would undo the latter. A mask cannot be read from outside, hence the copy.
//!
//! **No signal comes in between.** A worker is made with all signals blocked, and takes them on with its own mask.
//!
//! What the kernel does not let it have, such as a lower nice value than it inherits, it does without.

use super::blocked::OsThread;
use crate::primitive::{AtomicU32, Ordering};
use core::mem::MaybeUninit;
use core::{fmt, mem, ptr};

/// The monitor's OS thread; 0 until it runs.
static MONITOR: AtomicU32 = AtomicU32::new(0);

/// Signals that a fault raises: blocked, they would end the process without the report of an overflow.
const FAULTS: [libc::c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// What belongs to the thread that started the runtime.
pub(crate) struct Template {
    mask: libc::sigset_t,
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
        Self { mask }
    }

    /// Makes an OS thread by `spawn`, in which `adopt` is to be called first.
    pub(crate) fn make_thread<R>(&self, spawn: impl FnOnce() -> R) -> R {
        let _none_comes = Blocked::all();
        spawn()
    }

    /// Gives the caller, a new worker, what it should have.
    pub(crate) fn adopt(&self) {
        let monitor = MONITOR.load(Ordering::Relaxed);
        // The first worker is made before the monitor, by the same thread.
        if monitor != 0 {
            adopt_affinity(monitor.cast_signed());
            adopt_nice_value(monitor);
        }
        replace_mask(Some(&self.mask));
    }
}

fn adopt_affinity(monitor: libc::pid_t) {
    // SAFETY: an affinity is a set of bits; zero is the empty one.
    let mut cpus: libc::cpu_set_t = unsafe { mem::zeroed() };
    let size = mem::size_of_val(&cpus);
    // SAFETY: writes as many bytes as it is told, or fails, as on a machine with more CPUs than this set has room for.
    if unsafe { libc::sched_getaffinity(monitor, size, &raw mut cpus) } == 0 {
        // SAFETY: reads the same bytes. If it fails, the worker keeps what it inherited.
        unsafe { libc::sched_setaffinity(0, size, &raw const cpus) };
    }
}

fn adopt_nice_value(monitor: u32) {
    // On Linux each OS thread has its own. The answer -1 may be a failure or the value, which then does no harm either.
    // SAFETY: plain system calls.
    unsafe {
        let nice = libc::getpriority(libc::PRIO_PROCESS, monitor);
        if nice != libc::getpriority(libc::PRIO_PROCESS, 0) {
            libc::setpriority(libc::PRIO_PROCESS, 0, nice);
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
