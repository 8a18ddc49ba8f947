//! What the integration tests share: child processes with a deadline, fixtures that are built when a test runs, a look
//! into `/proc`, and green threads that make others migrate.
//!
//! The runtime is one per process and never stops. So a test that needs it runs in a child process of its own: the test
//! calls [`child`], and the child is an `#[ignore]`d test beside it, which cannot be run with others in one process.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of this module")]

mod alone;
mod c_library;
mod everywhere;
mod executor;
mod files;
mod fixture;
mod interposed;
mod like_std;
mod movers;
mod package;
mod process;
mod procfs;
mod way;

use greenbridge::channel;
use std::any::Any;
use std::ffi::{c_long, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use alone::alone;
pub(crate) use c_library::{C_LIBRARY, Linked, compile_with_library, passed_over, succeed};
pub(crate) use everywhere::{Place, Running, in_callback, poll_once, spawn_future};
pub(crate) use executor::{block_on_all, block_on_os_thread};
pub(crate) use files::{read_byte, streams, write_byte};
pub(crate) use fixture::{build_crate, build_member, compile_program, compile_shared_library, example};
pub(crate) use interposed::{allow_threads, before_each_thread, delay_threads, failed_threads};
pub(crate) use like_std::sees_what_std_sees;
pub(crate) use movers::Movers;
pub(crate) use package::{Library, compile_against, compile_cpp_library, cpp_compiler, pass_over};
pub(crate) use process::{Outcome, Process, child, child_on_processors, threads_of};
pub(crate) use procfs::{
    gettid, nobody_runs_for, others_come_to_rest, pause, resident_bytes, switches_of_other_threads, thread_count,
    thread_names, wait_until,
};
pub(crate) use way::Way;

/// Starts the runtime with its defaults, which a parent moves by environment variables.
pub(crate) fn start() {
    start_with(greenbridge::Builder::new());
}

/// Starts the runtime with the given settings.
pub(crate) fn start_with(builder: greenbridge::Builder) {
    // SAFETY: docs/safety.md. The tests keep no thread-local and nothing that is not `Send` over a suspension, unless
    // they are pinned.
    unsafe { builder.start() }.expect("the runtime starts");
}

/// Starts the runtime with its defaults and runs `body` as the first green thread.
pub(crate) fn run<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    start();
    greenbridge::run(body)
}

/// The text of a panic, or of an error that came out of `join`.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return (*text).to_owned();
    }
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "a payload that is no text".to_owned())
}

/// Lets other green threads run until `count` has reached `target`.
pub(crate) fn yield_until(count: &AtomicUsize, target: usize) {
    while count.load(Ordering::Acquire) < target {
        greenbridge::yield_now();
    }
}

/// Keeps the caller's processor, without a turn for anybody else on it, until `holds`.
pub(crate) fn keep_busy_until(holds: impl Fn() -> bool) {
    while !holds() {
        // SAFETY: no arguments, no memory. Other OS threads may be on this CPU.
        unsafe { libc::sched_yield() };
    }
}

/// The capacities of channels that differ in how they work; `None` is unbounded.
pub(crate) const CAPACITIES: [Option<usize>; 5] = [Some(0), Some(1), Some(2), Some(8), None];

/// A channel of one of them.
pub(crate) fn with_capacity<T>(capacity: Option<usize>) -> (channel::Sender<T>, channel::Receiver<T>) {
    capacity.map_or_else(channel::unbounded, channel::bounded)
}

/// A small generator of pseudo-random numbers: the same seed gives the same run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Starts a sequence; any seed will do.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// An export as C sees it: `f(context, number)`.
pub(crate) type Callback<R> = unsafe extern "C" fn(*mut c_void, c_long) -> R;

/// An export and its context, in the types that C calls it by. The context must outlive the call that gets them; a test
/// borrows it around one.
pub(crate) fn for_c<T: Sync, R>(f: extern "C" fn(&T, c_long) -> R, context: &T) -> (Callback<R>, *mut c_void) {
    // SAFETY: the two types differ in how they name one pointer to a sized type, and in the word `unsafe`.
    let f = unsafe { std::mem::transmute::<extern "C" fn(&T, c_long) -> R, Callback<R>>(f) };
    (f, (&raw const *context).cast_mut().cast())
}
