//! The observer: an OS thread of the runtime's own, for those who look in from outside. There is one only if it was asked for.
//!
//! | who asks | how | gets |
//! |---|---|---|
//! | a signal, SIGQUIT | `signal.rs`: the handler writes to a descriptor | a dump on stderr |
//! | a program, such as `greenbridge-top` | `socket.rs`: a Unix socket, with the protocol of `protocol.rs` | metrics and dumps as JSON |
//!
//! It sleeps in `poll` until somebody asks: no tick, no system call. It makes no green thread ready and wakes none, so to the search for a deadlock
//! it is what the monitor is (`deadlock.rs`). No signal is handled on it.
//!
//! # What it must never do
//! Wait for a green thread, or for a lock that one may hold while it waits.

#[cfg(feature = "observe")]
mod json;
#[cfg(feature = "observe")]
mod protocol;
mod signal;
#[cfg(feature = "observe")]
mod socket;

use crate::builder::StartError;
use crate::primitive::{AtomicU32, Ordering};
use crate::scheduler::blocked::OsThread;
use crate::scheduler::runtime::Runtime;
use crate::settings::Resolved;
use crate::stderr::write_to_stderr;
use std::os::fd::{AsRawFd, RawFd};

/// Its OS thread; 0: there is none, or it does not run yet.
static OS_THREAD: AtomicU32 = AtomicU32::new(0);

/// Its OS thread, if there is one.
pub(crate) fn os_thread() -> Option<OsThread> {
    Some(OS_THREAD.load(Ordering::Relaxed)).filter(|&number| number != 0).map(OsThread)
}

/// What it looks after.
#[derive(Debug)]
pub(crate) struct Observer {
    signal: Option<signal::Asked>,
    #[cfg(feature = "observe")]
    socket: Option<socket::Socket>,
}

impl Observer {
    /// Opens what the settings ask for. None: nothing.
    pub(crate) fn prepare(settings: &Resolved) -> Result<Option<Self>, StartError> {
        #[cfg(feature = "observe")]
        let socket =
            settings.observe.as_deref().map(socket::Socket::open).transpose().map_err(StartError::no_socket)?;
        let signal = settings.dump_on_sigquit.then(signal::Asked::prepare).transpose();
        let signal = signal.map_err(|error| StartError::system("make the descriptor that SIGQUIT writes to", error))?;
        let observer = Self {
            signal,
            #[cfg(feature = "observe")]
            socket,
        };
        Ok(observer.is_needed().then_some(observer))
    }

    fn is_needed(&self) -> bool {
        #[cfg(feature = "observe")]
        if self.socket.is_some() {
            return true;
        }
        self.signal.is_some()
    }

    /// Starts the OS thread. The runtime is up.
    pub(crate) fn start(self, runtime: &'static Runtime) -> Result<(), StartError> {
        if let Some(signal) = &self.signal {
            signal.install().map_err(|error| StartError::system("install the handler of SIGQUIT", error))?;
        }
        let name = format!("{}-obs", runtime.settings.thread_name);
        let spawn = || std::thread::Builder::new().name(name).spawn(move || self.main());
        runtime.spares.make_undisturbed(spawn).map(drop).map_err(StartError::no_thread)
    }

    fn main(self) {
        let Self {
            signal: asked,
            #[cfg(feature = "observe")]
            mut socket,
        } = self;
        OS_THREAD.store(OsThread::current().0, Ordering::Relaxed);
        loop {
            let mut descriptors = Descriptors::default();
            let signal = asked.as_ref().map(|asked| descriptors.add(asked.as_raw_fd(), libc::POLLIN));
            #[cfg(feature = "observe")]
            let deadline = socket.as_ref().and_then(|socket| socket.add_to(&mut descriptors));
            #[cfg(not(feature = "observe"))]
            let deadline = None;
            descriptors.poll(deadline);
            if let (Some(asked), Some(at)) = (&asked, signal)
                && descriptors.is_ready(at)
                && asked.take()
            {
                write_to_stderr(crate::dump::dump().to_string().as_bytes());
            }
            #[cfg(feature = "observe")]
            if let Some(socket) = &mut socket {
                socket.serve(&descriptors);
            }
        }
    }
}

/// The descriptors that it sleeps on.
#[derive(Default)]
struct Descriptors {
    all: Vec<libc::pollfd>,
}

impl Descriptors {
    /// Adds one, and returns its place.
    fn add(&mut self, descriptor: RawFd, events: i16) -> usize {
        self.all.push(libc::pollfd { fd: descriptor, events, revents: 0 });
        self.all.len() - 1
    }

    /// Sleeps until one of them is ready, or until `deadline`.
    fn poll(&mut self, deadline: Option<std::time::Instant>) {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
        // Rounded up, so that it does not come back just before.
        let milliseconds = left.map_or(-1, |left| i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX));
        // SAFETY: the array is valid; the call changes `revents` alone.
        unsafe { libc::poll(self.all.as_mut_ptr(), self.all.len() as libc::nfds_t, milliseconds) };
    }

    /// Whether something has happened to the one at this place.
    fn is_ready(&self, at: usize) -> bool {
        self.all[at].revents != 0
    }
}
