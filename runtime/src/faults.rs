//! Faults on demand, for tests: the system refuses the *n*-th thing of its kind that the runtime asks of it, or a wake comes late.
//!
//! The seams at which the runtime depends on somebody else are the variants of [`Site`]. A test arms one of them with [`inject`] and runs a
//! workload with *n* = 1, 2, 3, ... until [`injected`] says that the workload did not come that far: then it has met a fault at every such
//! moment of its life, one at a time ([`Repeat::Once`]), or from that moment on ([`Repeat::FromThenOn`]). `tests/faults.rs` is that loop.
//!
//! A fault is what the system would do: the operation is not even tried, and gives the error that the system gives when it has run out. So
//! all that follows is the code that ships. There is no environment variable for this: a program that was built with the feature by accident
//! must not be made to fail from outside.
//!
//! Without the feature `faults` this module is not there, and neither is any of its calls.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::faults::{self, Repeat, Site};
//!
//! // The second OS thread that the runtime asks for is the monitor.
//! faults::inject(Site::Thread, 2, Repeat::Once);
//! // SAFETY: nothing here touches a thread-local across a wait.
//! let error = unsafe { greenbridge_runtime::Builder::new().start() }.map_err(|error| error.to_string());
//! assert!(error.is_err_and(|error| error.contains("would not create an OS thread")));
//! assert_eq!((faults::reached(Site::Thread), faults::injected(Site::Thread)), (2, 1));
//! ```

use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use std::io;
use std::time::Duration;

/// Where a fault can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Site {
    /// An OS thread is made: the first worker, then the monitor, then one whenever a processor needs a worker and none is free. It fails with
    /// `EAGAIN`.
    Thread,
    /// Address space for stacks is reserved (`mmap`). It fails with `ENOMEM`.
    Slab,
    /// The guard of a stack is installed (`madvise`, or `mprotect` on an old kernel). It fails with `ENOMEM`.
    Guard,
    /// A worker takes an alternate signal stack (`sigaltstack`). It fails with `ENOMEM`.
    SignalStack,
    /// The start asks for what it needs besides memory and OS threads: `membarrier`, a handler of faults, one of forks. It fails with
    /// `ENOSYS`.
    Start,
    /// What waits for sockets is made (`epoll_create` and its like), at the first registration. It fails with `EMFILE`.
    Poller,
    /// A socket, or another file, is registered: at the first wait for it. It fails with `ENOSPC`.
    Registration,
    /// An OS thread is about to be woken: whoever wakes it is held up first, as if the system had put it aside there.
    Wake,
    /// An OS thread has been woken, or has slept its time: it is held up before it looks why.
    Woken,
}

impl Site {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Thread,
        Self::Slab,
        Self::Guard,
        Self::SignalStack,
        Self::Start,
        Self::Poller,
        Self::Registration,
        Self::Wake,
        Self::Woken,
    ];
}

/// How often a fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// At the *n*-th time, and not again.
    Once,
    /// At the *n*-th time, and each time after it.
    FromThenOn,
}

/// Arms `site`, for the `nth` time from the start of the process that it is reached; 0 disarms it.
pub fn inject(site: Site, nth: u64, repeat: Repeat) {
    let state = &SITES[site as usize];
    state.repeats.store(repeat == Repeat::FromThenOn, Ordering::Relaxed);
    state.first.store(nth, Ordering::Relaxed);
}

/// How long [`Site::Wake`] and [`Site::Woken`] hold an OS thread up, at most about four seconds. Default: 2 ms.
pub fn delay_by(time: Duration) {
    DELAY.store(time.as_nanos().try_into().unwrap_or(u32::MAX).into(), Ordering::Relaxed);
}

/// How often `site` has been reached, fault or not.
pub fn reached(site: Site) -> u64 {
    SITES[site as usize].reached.load(Ordering::Relaxed)
}

/// How many faults there have been at `site`.
pub fn injected(site: Site) -> u64 {
    SITES[site as usize].injected.load(Ordering::Relaxed)
}

/// What is known of a site. Nothing is published by these numbers, so all accesses are relaxed.
#[derive(Debug)]
struct State {
    reached: AtomicU64,
    injected: AtomicU64,
    /// 0: it is not armed.
    first: AtomicU64,
    repeats: AtomicBool,
}

static SITES: [State; Site::ALL.len()] = [const {
    State {
        reached: AtomicU64::new(0),
        injected: AtomicU64::new(0),
        first: AtomicU64::new(0),
        repeats: AtomicBool::new(false),
    }
}; Site::ALL.len()];

/// In nanoseconds.
static DELAY: AtomicU64 = AtomicU64::new(2_000_000);

/// Counts `site`, and says whether there is a fault this time.
fn strikes(site: Site) -> bool {
    let state = &SITES[site as usize];
    let number = state.reached.fetch_add(1, Ordering::Relaxed) + 1;
    let first = state.first.load(Ordering::Relaxed);
    let strikes = first == number || (first != 0 && first < number && state.repeats.load(Ordering::Relaxed));
    if strikes {
        state.injected.fetch_add(1, Ordering::Relaxed);
    }
    strikes
}

/// The seam of a site that fails: what the system would have answered, if there is a fault.
///
/// # Errors
/// That answer.
#[doc(hidden)]
#[cold]
pub fn fail(site: Site) -> io::Result<()> {
    let code = match site {
        Site::Thread => libc::EAGAIN,
        Site::Start => libc::ENOSYS,
        Site::Poller => libc::EMFILE,
        Site::Registration => libc::ENOSPC,
        _ => libc::ENOMEM,
    };
    if strikes(site) { Err(io::Error::from_raw_os_error(code)) } else { Ok(()) }
}

/// The seam of a site that is late.
#[cold]
#[allow(clippy::disallowed_methods, reason = "the OS thread is what is held up")]
pub(crate) fn delay(site: Site) {
    if strikes(site) {
        std::thread::sleep(Duration::from_nanos(DELAY.load(Ordering::Relaxed)));
    }
}
