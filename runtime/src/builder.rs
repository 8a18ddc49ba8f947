//! Starting the runtime, and every knob of it.

use crate::scheduler::runtime;
use crate::settings::{SettingError, Settings};
use core::fmt;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Settings of the runtime, and its start.
///
/// A setting that is not made here is taken from its environment variable, and else from its default:
///
/// | setting | variable | accepted | default |
/// |---|---|---|---|
/// | [`processors`](Self::processors) | `GREENBRIDGE_PROCESSORS` | 1 to 1024 | the CPUs that this process may use |
/// | [`stack_size`](Self::stack_size) | `GREENBRIDGE_STACK_SIZE` | 16 KiB to 1 GiB | 256 KiB |
/// | [`thread_stack_size`](Self::thread_stack_size) | `GREENBRIDGE_THREAD_STACK_SIZE` | 64 KiB to 1 GiB | as `std`: `RUST_MIN_STACK`, or 2 MiB |
/// | [`max_threads`](Self::max_threads) | `GREENBRIDGE_MAX_THREADS` | 1 to 1,000,000, not below `processors` | 10,000 |
/// | [`spare_idle`](Self::spare_idle) | `GREENBRIDGE_SPARE_IDLE_MS` | 0 to one day | 10 s |
/// | [`thread_name`](Self::thread_name) | `GREENBRIDGE_THREAD_NAME` | 1 to 11 bytes | `greenbridge` |
/// | [`deadlock_detection`](Self::deadlock_detection) | `GREENBRIDGE_DEADLOCK_DETECTION` | `on` or `off` | on |
/// | [`dump_on_sigquit`](Self::dump_on_sigquit) | `GREENBRIDGE_DUMP_ON_SIGQUIT` | `on` or `off` | off |
/// | `observe` (feature `observe`) | `GREENBRIDGE_OBSERVE` | a path of 1 to 100 bytes | no socket |
///
/// # Examples
/// ```
/// # use greenbridge_runtime::Builder;
/// // SAFETY: this program touches no thread-local across a wait (docs/safety.md).
/// unsafe { Builder::new().processors(2).start()? };
/// assert_eq!(greenbridge_runtime::run(|| 6 * 7), 42);
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "settings do nothing until `start` is called"]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// A builder without settings.
    pub const fn new() -> Self {
        Self { settings: Settings::new() }
    }

    /// A builder with these settings.
    #[doc(hidden)]
    pub const fn with_settings(settings: Settings) -> Self {
        Self { settings }
    }

    /// How many green threads run at the same time, 1 to 1024. Default: the CPUs that this process may use, by its affinity and
    /// its cgroup's quota.
    pub const fn processors(mut self, number: usize) -> Self {
        self.settings = self.settings.processors(number);
        self
    }

    /// The usable size of each green thread's stack in bytes, 16 KiB to 1 GiB, rounded up to whole pages. Default: 256 KiB. Stacks are
    /// address space until they are used; what is used once stays committed.
    pub const fn stack_size(mut self, bytes: usize) -> Self {
        self.settings = self.settings.stack_size(bytes);
        self
    }

    /// The size of the stack of each OS thread of the runtime in bytes, 64 KiB to 1 GiB, rounded up to whole pages. Default: what any thread of `std`
    /// has, 2 MiB or `RUST_MIN_STACK`. On it runs C that is called on the thread's own stack; green threads have stacks of their own.
    pub const fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.settings = self.settings.thread_stack_size(bytes);
        self
    }

    /// The most OS threads that run green threads or sit in C at the same time. Default: 10,000. At the limit a call that would need
    /// another OS thread waits for one.
    pub const fn max_threads(mut self, number: usize) -> Self {
        self.settings = self.settings.max_threads(number);
        self
    }

    /// How long an OS thread that is not needed any more is kept, at most one day. Default: 10 s.
    pub const fn spare_idle(mut self, time: Duration) -> Self {
        self.settings = self.settings.spare_idle(time);
        self
    }

    /// What the names of the runtime's OS threads begin with, at most 11 bytes without NUL. Default: `greenbridge`.
    pub const fn thread_name(mut self, prefix: &'static str) -> Self {
        self.settings = self.settings.thread_name(prefix);
        self
    }

    /// Whether a deadlock of the whole process is reported. Default: yes.
    ///
    /// When every green thread waits, no timer is armed, and the process has no OS thread but the runtime's own and those that
    /// block in one of its waits, nobody can ever go on. The runtime then writes to stderr what each of them waits for and
    /// where, and ends the process with status 2; nothing that is registered for the exit runs, and nothing that is still buffered is
    /// written. While the process has a handler for a signal from outside, nothing is reported: the handler might wake somebody.
    /// An OS thread that ends later than a third of a second after the runtime has come to rest is not noticed to be gone.
    pub const fn deadlock_detection(mut self, on: bool) -> Self {
        self.settings = self.settings.deadlock_detection(on);
        self
    }

    /// Whether SIGQUIT (`kill -QUIT`, or Ctrl and backslash on a terminal) writes a [dump](crate::dump()) to stderr. Default: no. The process goes on. A
    /// handler that somebody else has for SIGQUIT is replaced.
    pub const fn dump_on_sigquit(mut self, on: bool) -> Self {
        self.settings = self.settings.dump_on_sigquit(on);
        self
    }

    /// Opens a Unix socket at `path` through which `greenbridge-top` and others can look in, with the rights of the user that runs
    /// this process (mode 0600). Default: none. `{pid}` in the path stands for the number of the process. A socket that a process has left behind is replaced.
    #[cfg(feature = "observe")]
    pub const fn observe(mut self, path: &'static str) -> Self {
        self.settings = self.settings.observe(path);
        self
    }

    /// Starts the runtime: once per process. It is never stopped, and ends with the process.
    ///
    /// # Safety
    /// Green threads move between OS threads while they wait. Whoever starts the runtime promises for all code that runs on green
    /// threads, unless it is pinned there (by [`pin`](crate::pin), or by C frames on its stack):
    /// 1. no function touches a thread-local both before and after a point where it may wait, nor holds a reference into one
    ///    across such a point;
    /// 2. what lives on the stack where a green thread waits is `Send`;
    ///
    /// and, pinned or not:
    /// 3. nothing waits inside a scoped thread-local (set, run a closure, restore).
    ///
    /// `docs/safety.md` says which code breaks this, and how to see it.
    ///
    /// # Errors
    /// If it has been started already (this never waits), if a setting or an environment variable is not accepted, or if the system
    /// gives no OS thread.
    pub unsafe fn start(self) -> Result<(), StartError> {
        let settings = self.settings.resolve(&|name| std::env::var_os(name)).map_err(StartError::setting)?;
        runtime::start(settings)
    }
}

/// Why the runtime did not start.
#[derive(Debug, Clone)]
pub struct StartError(Arc<Cause>);

#[derive(Debug)]
enum Cause {
    AlreadyStarted,
    NotStarted,
    ReEntered,
    Forked,
    Panicked,
    Setting(SettingError),
    System { doing: &'static str, advice: &'static str, error: io::Error },
}

/// The kinds of causes of a [`StartError`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartErrorKind {
    /// It has been started before.
    AlreadyStarted,
    /// It has not been started, and the caller may not start it.
    NotStarted,
    /// The start called in.
    ReEntered,
    /// This is a forked child.
    Forked,
    /// The start panicked.
    Panicked,
    /// A setting is not accepted.
    Setting,
    /// The system refused something.
    System,
}

impl StartError {
    /// The runtime has been started, or is being started.
    pub fn already_started() -> Self {
        Self(Arc::new(Cause::AlreadyStarted))
    }

    /// Whether the cause is that the runtime has been started before.
    pub fn is_already_started(&self) -> bool {
        matches!(*self.0, Cause::AlreadyStarted)
    }

    /// Which kind of cause it has: what C is told by a number.
    #[doc(hidden)]
    pub fn kind(&self) -> StartErrorKind {
        match *self.0 {
            Cause::AlreadyStarted => StartErrorKind::AlreadyStarted,
            Cause::NotStarted => StartErrorKind::NotStarted,
            Cause::ReEntered => StartErrorKind::ReEntered,
            Cause::Forked => StartErrorKind::Forked,
            Cause::Panicked => StartErrorKind::Panicked,
            Cause::Setting(_) => StartErrorKind::Setting,
            Cause::System { .. } => StartErrorKind::System,
        }
    }

    /// An export was called before the program had started the runtime, and its crate leaves that to Rust.
    #[doc(hidden)]
    pub fn not_started() -> Self {
        Self(Arc::new(Cause::NotStarted))
    }

    /// The start has called an export.
    #[doc(hidden)]
    pub fn re_entered() -> Self {
        Self(Arc::new(Cause::ReEntered))
    }

    /// The process was forked from one with a runtime.
    #[doc(hidden)]
    pub fn forked() -> Self {
        Self(Arc::new(Cause::Forked))
    }

    /// The start panicked.
    #[doc(hidden)]
    pub fn panicked() -> Self {
        Self(Arc::new(Cause::Panicked))
    }

    fn setting(error: SettingError) -> Self {
        Self(Arc::new(Cause::Setting(error)))
    }

    pub(crate) fn no_thread(error: io::Error) -> Self {
        let advice = "; raise the limit on threads (`ulimit -u`, the cgroup's pids.max) or on memory (`ulimit -v`)";
        Self(Arc::new(Cause::System { doing: "create an OS thread", advice, error }))
    }

    pub(crate) fn no_fence(error: io::Error) -> Self {
        let advice = "; it takes Linux 4.14 or newer, and a sandbox that allows the system call membarrier";
        Self(Arc::new(Cause::System { doing: "order memory between the OS threads of this process", advice, error }))
    }

    /// Where observers should connect.
    #[cfg(feature = "observe")]
    pub(crate) fn no_socket(error: io::Error) -> Self {
        let advice = "; Builder::observe or GREENBRIDGE_OBSERVE gives another path";
        Self(Arc::new(Cause::System { doing: "open the socket for observers", advice, error }))
    }

    pub(crate) fn system(doing: &'static str, error: io::Error) -> Self {
        Self(Arc::new(Cause::System { doing, advice: "", error }))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the green-thread runtime did not start: ")?;
        match &*self.0 {
            Cause::AlreadyStarted => f.write_str("it has been started already; there is one per process, and it is started once"),
            Cause::NotStarted => f.write_str(
                "C called in before Rust had started it, and the crate's GREENBRIDGE says Start::by_rust(): call Builder::start \
                 first, or let the first entry start it (Start::on_first_entry)",
            ),
            Cause::ReEntered => f.write_str("the very thread that is starting it called in before it was up"),
            Cause::Forked => f.write_str(
                "this process was forked from one in which it runs, and a fork does not copy its OS threads: exec a program in \
                 the child, or fork before the first use",
            ),
            Cause::Panicked => f.write_str("its start panicked"),
            Cause::Setting(error) => error.fmt(f),
            Cause::System { doing, advice, error } => write!(f, "the system would not {doing}: {error}{advice}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Cause::AlreadyStarted | Cause::NotStarted | Cause::ReEntered | Cause::Forked | Cause::Panicked => None,
            Cause::Setting(error) => Some(error),
            Cause::System { error, .. } => Some(error),
        }
    }
}
