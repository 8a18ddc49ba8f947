//! Settings, and the start from Rust: through the gate, so that C and Rust cannot both start the runtime.

use crate::start;
use greenbridge_runtime::{StartError, settings::Settings};
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
/// // SAFETY: this program touches no thread-local across a wait (docs/safety.md).
/// unsafe { greenbridge::Builder::new().processors(2).stack_size(1 << 20).start()? };
/// assert_eq!(greenbridge::run(|| 6 * 7), 42);
/// # Ok::<(), greenbridge::StartError>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "settings do nothing until `start` is called"]
pub struct Builder(Settings);

impl Builder {
    /// A builder without settings.
    pub const fn new() -> Self {
        Self(Settings::new())
    }

    /// How many green threads run at the same time, 1 to 1024. Default: the CPUs that this process may use, by its affinity and
    /// its cgroup's quota.
    pub const fn processors(self, number: usize) -> Self {
        Self(self.0.processors(number))
    }

    /// The usable size of each green thread's stack in bytes, 16 KiB to 1 GiB, rounded up to whole pages. Default: 256 KiB. Stacks are
    /// address space until they are used.
    pub const fn stack_size(self, bytes: usize) -> Self {
        Self(self.0.stack_size(bytes))
    }

    /// The size of the stack of each OS thread of the runtime in bytes, 64 KiB to 1 GiB, rounded up to whole pages. Default: what any thread of `std`
    /// has, 2 MiB or `RUST_MIN_STACK`. On it runs what [`call_on_thread_stack`](crate::call_on_thread_stack) calls; green threads have stacks of their own.
    pub const fn thread_stack_size(self, bytes: usize) -> Self {
        Self(self.0.thread_stack_size(bytes))
    }

    /// The most OS threads that run green threads or sit in C at the same time. Default: 10,000. At the limit a call that would need
    /// another OS thread waits for one.
    pub const fn max_threads(self, number: usize) -> Self {
        Self(self.0.max_threads(number))
    }

    /// How long an OS thread that is not needed any more is kept, at most one day. Default: 10 s.
    pub const fn spare_idle(self, time: Duration) -> Self {
        Self(self.0.spare_idle(time))
    }

    /// What the names of the runtime's OS threads begin with, at most 11 bytes without NUL. Default: `greenbridge`.
    pub const fn thread_name(self, prefix: &'static str) -> Self {
        Self(self.0.thread_name(prefix))
    }

    /// Whether a deadlock of the whole process is reported. Default: yes.
    ///
    /// When every green thread waits, no timer is armed, and the process has no OS thread but the runtime's own and those that
    /// block in one of its waits, nobody can ever go on. The runtime then writes to stderr what each of them waits for and
    /// where, and ends the process with status 2; nothing that is registered for the exit runs, and nothing that is still buffered is
    /// written. While the process has a handler for a signal from outside, nothing is reported: the handler might wake somebody.
    /// An OS thread that ends later than a third of a second after the runtime has come to rest is not noticed to be gone.
    pub const fn deadlock_detection(self, on: bool) -> Self {
        Self(self.0.deadlock_detection(on))
    }

    /// Whether SIGQUIT (`kill -QUIT`, or Ctrl and backslash on a terminal) writes a [dump](crate::dump()) to stderr. Default: no. The process goes on. A
    /// handler that somebody else has for SIGQUIT is replaced.
    pub const fn dump_on_sigquit(self, on: bool) -> Self {
        Self(self.0.dump_on_sigquit(on))
    }

    /// Opens a Unix socket at `path` through which `greenbridge-top` and others can look in, with the rights of the user that runs
    /// this process (mode 0600). Default: none. `{pid}` in the path stands for the number of the process. A socket that a process has left behind is replaced.
    #[cfg(feature = "observe")]
    pub const fn observe(self, path: &'static str) -> Self {
        Self(self.0.observe(path))
    }

    /// Starts the runtime: once per process. It is never stopped, and ends with the process.
    ///
    /// # Safety
    /// Green threads move between OS threads while they wait. Whoever starts the runtime promises for all code that runs on green
    /// threads, unless it is pinned there (by [`pin`](crate::pin()), or by C frames on its stack):
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
    /// If it has been started already, by Rust or by an entry from C (this never waits); if a setting or an environment variable is
    /// not accepted; if the system gives no OS thread; in a child forked after the start. After a failed start every entry from
    /// C fails with the same error.
    pub unsafe fn start(self) -> Result<(), StartError> {
        // SAFETY: the caller's promise.
        unsafe { start::from_rust(self.0) }
    }
}
