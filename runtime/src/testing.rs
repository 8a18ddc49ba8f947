//! Tests in virtual time: one processor, a seeded choice of who runs next, and a clock that jumps.
//!
//! A concurrent program has as many behaviours as there are orders in which its green threads may run. [`check`] runs a test under many
//! of them: each run has a *seed*, which decides at every turn which ready green thread goes next. Time stands still while anybody runs, and
//! when all wait it jumps to the next deadline, so that a test of an hour's time-out takes no time and never depends on the
//! machine's speed. A run that fails says its seed; the same seed fails the same way again.
//!
//! What it sees: wrong orders, lost wake-ups, deadlocks (all wait, and no deadline is left: the run fails with the report of who waits for
//! what), green threads left behind. What it does not see: the memory model (that is loom's), true parallelism, and code between two waits,
//! which runs undisturbed. The anchors are Go's `testing/synctest` and the crate `shuttle`.
//!
//! # What a test may use
//! Everything of this library. Deadlines count from [`time::now`](crate::time::now), not from `Instant::now()`, which still shows the
//! world's time. For whoever waits for the outside world (a socket, an OS thread of its own, another runtime's future), time may jump; a C
//! call in progress keeps the clock still. Who loops around [`yield_now`](crate::yield_now) until something happens keeps the clock still, too, and chance may let it.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::sync::channel;
//! use greenbridge_runtime::{spawn, testing, time};
//! use std::time::Duration;
//!
//! let test = || {
//!     let begin = time::now();
//!     let (sender, receiver) = channel::bounded(1);
//!     let slow = spawn(move || {
//!         time::sleep(Duration::from_secs(3600));
//!         sender.send("at last").ok();
//!     });
//!     assert_eq!(receiver.recv_timeout(Duration::from_secs(60)).ok(), None);
//!     assert_eq!(receiver.recv().ok(), Some("at last"));
//!     assert_eq!(time::now() - begin, Duration::from_secs(3600));
//!     assert!(slow.join().is_ok());
//! };
//! // SAFETY: the code under test touches no thread-local across a wait.
//! unsafe { testing::check(test) };
//! ```

mod chance;
pub(crate) mod run;

pub use run::settle;

use crate::builder::{Builder, StartError};
use crate::primitive::{Mutex, lock};
use crate::settings::Settings;

/// The seed of one run, in place of many: decimal, or hexadecimal after `0x`.
const SEED: &str = "GREENBRIDGE_TEST_SEED";
/// How many runs.
const RUNS: &str = "GREENBRIDGE_TEST_RUNS";
/// How many, if nobody says.
const DEFAULT_RUNS: u32 = 100;

/// Runs a test under [`Check`]'s defaults.
///
/// # Blocking, errors, panics
/// As [`Check::run`].
///
/// # Safety
/// The promise of [`Builder::start`], for `test` and all that it starts.
#[track_caller]
pub unsafe fn check<F>(test: F)
where
    F: Fn() + Send + Sync + 'static,
{
    // SAFETY: the caller's promise.
    unsafe { Check::new().run(test) }
}

/// How a test is run: how often, and with which seeds.
///
/// # Examples
/// ```
/// use greenbridge_runtime::testing::Check;
///
/// // SAFETY: nothing here touches a thread-local across a wait.
/// unsafe { Check::new().runs(10).run(|| assert_eq!(1 + 1, 2)) };
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "nothing is checked until `run` is called"]
pub struct Check {
    runs: Option<u32>,
    seed: Option<u64>,
}

impl Check {
    /// 100 runs, or as many as `GREENBRIDGE_TEST_RUNS` says, each with another seed: 0, 1, 2 and so on.
    pub const fn new() -> Self {
        Self { runs: None, seed: None }
    }

    /// How many runs, from 1 up.
    pub const fn runs(mut self, runs: u32) -> Self {
        self.runs = Some(runs);
        self
    }

    /// The first seed. Without [`runs`](Self::runs), the only one.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Runs `test` as a green thread, once for each seed, one run after the other. `GREENBRIDGE_TEST_SEED` replaces them all by one run.
    ///
    /// A run ends when all green threads that it started have ended.
    ///
    /// # Blocking
    /// The calling OS thread blocks. Checks in other OS threads of the process wait for each other.
    ///
    /// # Panics
    /// If `test` panics, if all green threads of a run wait and no deadline is left, or if any are left when `test` has returned and
    /// nothing goes on; the message names the seed. If the runtime has been started by anybody else: it is one per process, and keeps its clock.
    /// If a variable has a value that is no number. On a green thread.
    ///
    /// # Safety
    /// The promise of [`Builder::start`], for `test` and all that it starts.
    #[track_caller]
    pub unsafe fn run<F>(self, test: F)
    where
        F: Fn() + Send + Sync + 'static,
    {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        assert!(crate::wait::park::running().is_none(), "a check runs green threads, and cannot run on one");
        let _one_at_a_time = lock(&ONE_AT_A_TIME);
        // SAFETY: the caller's promise.
        unsafe { start() };
        let replayed = variable(SEED);
        let first = replayed.or(self.seed).unwrap_or(0);
        let runs = match (replayed, self.runs, self.seed) {
            (Some(_), ..) | (None, None, Some(_)) => 1,
            (None, Some(runs), _) => u64::from(runs.max(1)),
            (None, None, None) => variable(RUNS).unwrap_or(u64::from(DEFAULT_RUNS)).max(1),
        };
        let test = std::sync::Arc::new(test);
        for seed in (0..runs).map(|n| first.wrapping_add(n)) {
            let test = std::sync::Arc::clone(&test);
            run::one(seed, move || test());
        }
    }
}

/// Starts the runtime for checks, unless that has been done.
///
/// # Safety
/// The promise of `Builder::start`.
unsafe fn start() {
    let settings = Settings::new().processors(1).virtual_time();
    // SAFETY: the caller's promise.
    match unsafe { Builder::with_settings(settings).start() } {
        Ok(()) => {}
        Err(error) if error.is_already_started() && run::is_virtual() => {}
        Err(error) => refuse(&error),
    }
}

#[cold]
fn refuse(error: &StartError) -> ! {
    panic!("{error}; a check needs a process in which nobody else starts it: a test binary of its own");
}

/// A number from the environment.
fn variable(name: &str) -> Option<u64> {
    let value = std::env::var_os(name)?;
    let number = value.to_str().and_then(|text| match text.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok(),
        None => text.parse().ok(),
    });
    match number {
        Some(number) => Some(number),
        None => panic!("{name}={} is no number: write it in decimal, or in hexadecimal after 0x", value.display()),
    }
}
