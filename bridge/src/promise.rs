//! The promise that a crate makes when it exports functions to C, and how an export finds it.
//!
//! Whoever starts the runtime vouches for the code that runs on green threads. A program does so where it writes
//! `unsafe { Builder::new().start() }`. A library that C loads has no such place: its first export to be called may have
//! to start the runtime. So the library vouches in its root, once, in plain sight:
//!
//! ```
//! // SAFETY: no code of this library touches a thread-local around a wait; see docs/safety.md.
//! const GREENBRIDGE: greenbridge::Start = unsafe { greenbridge::Start::on_first_entry() };
//! # fn main() {}
//! ```
//!
//! **How an export finds it.** The attribute must not demand a path, and what it demands must be missed with more than
//! "cannot find value". So each export names `GREENBRIDGE` in two nested blocks:
//!
//! ```text
//! { use ::greenbridge::__private::missing::GREENBRIDGE;       found if the inner block has none: a NoPromise
//!     { use crate::*; &GREENBRIDGE } }                        found first if the crate has one: a Start
//! ```
//!
//! `Site::new` accepts only what implements [`Promise`]. `Start` does; `NoPromise` does not, and the error says what to write.

use core::time::Duration;
use greenbridge_runtime::settings::Settings;

/// Who starts the runtime that a crate's exports need, and with which settings: the crate's constant `GREENBRIDGE`.
///
/// Every crate with a function under [`#[greenbridge::export]`](macro@crate::export) has it in its root. It may be
/// private. Without it the crate does not compile:
///
/// ```compile_fail,E0277
/// #[greenbridge::export]
/// #[unsafe(no_mangle)]
/// pub extern "C" fn on_row(row: i32) -> i32 { row }
/// # fn main() {}
/// ```
///
/// If several crates of a process export, the one that C enters first decides. One that is entered later finds the
/// runtime running and uses it.
///
/// # Settings
/// They are those of [`Builder`](crate::Builder), written behind [`on_first_entry`](Self::on_first_entry). The environment
/// (`GREENBRIDGE_PROCESSORS` and so on) decides those that are left out. A value that is not accepted does not compile:
///
/// ```compile_fail,E0080
/// # fn main() {}
/// // SAFETY: docs/safety.md.
/// const GREENBRIDGE: greenbridge::Start = unsafe { greenbridge::Start::on_first_entry() }.processors(0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// What the first entry starts the runtime with; `None` if it must not start one.
    on_first_entry: Option<Settings>,
}

impl Start {
    /// The runtime is started by Rust, with [`Builder::start`](crate::Builder::start), before C calls any export.
    ///
    /// An export that is called earlier does not run: C gets its declared fallback, or else the process aborts with a
    /// message that names the function. This is the one to use in a program with a `main` of its own: the promise is
    /// made there, at `start`, and nothing is promised here.
    pub const fn by_rust() -> Self {
        Self { on_first_entry: None }
    }

    /// The runtime is started by the first call of an export, unless it runs already.
    ///
    /// This is the one to use in a library for C programs. Starting takes a fraction of a millisecond, once; threads that
    /// enter meanwhile wait for it. If it fails, that call and every later one gets the same error: the declared fallback,
    /// or else an abort with a message that says why.
    ///
    /// # Safety
    /// The caller promises for all code that will run on green threads, in this crate and in every crate that it
    /// calls there. Unless the green thread is pinned by [`pin`](crate::pin()) or by a C call below it,
    ///
    /// 1. no function touches a thread-local both before and after a point where the green thread may be suspended, nor
    ///    holds a reference into one across such a point;
    /// 2. what lives on the stack at such a point is `Send`;
    ///
    /// and, pinned or not,
    ///
    /// 3. nothing is suspended inside a scoped thread-local, one that is set for the time of a closure and then restored.
    ///
    /// Such a point is every operation that waits: of a channel, `join`, `yield_now`, `park`,
    /// `block_on`, and a call into C whose callback waits. The chapter `docs/safety.md` says what breaks otherwise and
    /// how to find out whether a crate keeps the promise.
    pub const unsafe fn on_first_entry() -> Self {
        Self { on_first_entry: Some(Settings::new().owner("Start")) }
    }

    /// The number of green threads that run at the same time, 1 to 1024.
    ///
    /// # Panics
    /// The number is out of range, or the runtime is not started by this promise. In a constant this is a compile error,
    /// as it is for each of the settings below.
    pub const fn processors(self, number: usize) -> Self {
        Self::with(self.settings_to_change().processors(number))
    }

    /// The usable size of a green thread's stack in bytes, 16 KiB to 1 GiB; rounded up to pages.
    ///
    /// # Panics
    /// As [`processors`](Self::processors).
    pub const fn stack_size(self, bytes: usize) -> Self {
        Self::with(self.settings_to_change().stack_size(bytes))
    }

    /// The size of the stack of each OS thread of the runtime in bytes, 64 KiB to 1 GiB; rounded up to pages.
    ///
    /// # Panics
    /// As [`processors`](Self::processors).
    pub const fn thread_stack_size(self, bytes: usize) -> Self {
        Self::with(self.settings_to_change().thread_stack_size(bytes))
    }

    /// The largest number of workers alive at the same time, 1 to 1,000,000 and no fewer than `processors`.
    ///
    /// # Panics
    /// As [`processors`](Self::processors).
    pub const fn max_threads(self, number: usize) -> Self {
        Self::with(self.settings_to_change().max_threads(number))
    }

    /// The time after which a spare worker without work ends, at most one day.
    ///
    /// # Panics
    /// As [`processors`](Self::processors).
    pub const fn spare_idle(self, time: Duration) -> Self {
        Self::with(self.settings_to_change().spare_idle(time))
    }

    /// What the names of the workers begin with, 1 to 11 bytes without a NUL.
    ///
    /// # Panics
    /// As [`processors`](Self::processors).
    pub const fn thread_name(self, prefix: &'static str) -> Self {
        Self::with(self.settings_to_change().thread_name(prefix))
    }

    /// Whether a deadlock of the whole process is reported, and ends it with status 2: see
    /// [`Builder::deadlock_detection`](crate::Builder::deadlock_detection).
    ///
    /// # Panics
    /// The runtime is not started by this promise.
    pub const fn deadlock_detection(self, on: bool) -> Self {
        Self::with(self.settings_to_change().deadlock_detection(on))
    }

    /// Whether SIGQUIT writes a dump to stderr: see [`Builder::dump_on_sigquit`](crate::Builder::dump_on_sigquit).
    ///
    /// # Panics
    /// The runtime is not started by this promise.
    pub const fn dump_on_sigquit(self, on: bool) -> Self {
        Self::with(self.settings_to_change().dump_on_sigquit(on))
    }

    /// The settings with which an entry may start the runtime; `None` if it may not.
    pub(crate) const fn first_entry(&self) -> Option<Settings> {
        self.on_first_entry
    }

    const fn with(settings: Settings) -> Self {
        Self { on_first_entry: Some(settings.checked()) }
    }

    const fn settings_to_change(self) -> Settings {
        self.on_first_entry.expect("a runtime that Rust starts gets its settings from `greenbridge::Builder`")
    }
}

/// What the constant `GREENBRIDGE` of a crate may be; implemented by [`Start`] and by nothing else.
#[diagnostic::on_unimplemented(
    message = "this crate exports functions to C but makes no promise about thread-locals",
    label = "this export needs the promise `GREENBRIDGE` in the crate root, but found `{Self}`",
    note = "a program that starts the runtime itself writes in the crate root:\n    \
            const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();",
    note = "a library whose runtime starts when C first calls it writes there, after reading docs/safety.md:\n    \
            const GREENBRIDGE: greenbridge::Start = unsafe {{ greenbridge::Start::on_first_entry() }};"
)]
pub trait Promise: Sync {
    /// The promise itself.
    fn start(&self) -> Start;
}

impl Promise for Start {
    fn start(&self) -> Start {
        *self
    }
}

/// What an export finds in a crate that has no `GREENBRIDGE`.
pub mod missing {
    /// No promise: it does not implement [`Promise`](super::Promise).
    #[derive(Debug)]
    pub struct NoPromise;

    /// Hidden by the constant of the same name in the root of a crate that makes the promise.
    pub const GREENBRIDGE: NoPromise = NoPromise;
}

/// One export: the static that `#[greenbridge::export]` makes for it.
pub struct Site {
    name: &'static str,
    promise: &'static dyn Promise,
}

impl Site {
    /// Describes the export `name` of a crate that makes `promise`.
    pub const fn new<P: Promise>(name: &'static str, promise: &'static P) -> Self {
        Self { name, promise }
    }

    /// The name of the function, for messages.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What the export's crate promises.
    pub(crate) fn start(&self) -> Start {
        self.promise.start()
    }
}

impl core::fmt::Debug for Site {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Site").field("name", &self.name).field("start", &self.start()).finish()
    }
}
