//! What does it cost to call C, and to be called by it?
//!
//! | row | one operation |
//! |---|---|
//! | `c_bare` | a bare call of an empty C function from a green thread (ours alone: what `c_call` adds to) |
//! | `c_call` | the same through `call` |
//! | `c_callback` | one callback; all of them in one C call |
//! | `c_call_callback` | a C call that makes one callback |
//! | `c_par_callback` | one callback, on as many green threads as processors at once, each in one C call; per core |
//! | `c_thread_callback` | one callback from a pthread that C made, after its first |
//! | `c_thread_first` | the first callback of a fresh pthread; the median of 200 |
//!
//! The callback adds to a counter. The floor is the same without a runtime and without an exported function: 1.7 to 2 ns
//! for a call or a callback, of which nothing but the machine's own call and return is left. may and tokio make bare
//! calls too; Go's are the ones with a bridge.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- c_call`

use crate::callee::{callee_empty, callee_loop, callee_thread};
use crate::command::{MAX_WORKERS, Settings};
use crate::measure::{median, per_operation, put};
use greenbridge::{call, spawn};
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_long};

/// A counter on a cache line of its own.
#[repr(align(64))]
struct Counter(UnsafeCell<i64>);

// SAFETY: a row lets only one thread at a time use a given counter, and joins it before another reads it.
unsafe impl Sync for Counter {}

static COUNTERS: [Counter; MAX_WORKERS] = [const { Counter(UnsafeCell::new(0)) }; MAX_WORKERS];

/// The callback: adds one to counter `x`.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_add(x: c_int) -> c_int {
    let counter = COUNTERS[x as usize].0.get();
    // SAFETY: this thread alone uses counter `x` now, see `Counter`. Volatile keeps the addition inside C's loop.
    unsafe { counter.write_volatile(counter.read_volatile() + 1) };
    x
}

/// What counter `x` has come to.
pub(crate) fn counted(x: usize) -> i64 {
    // SAFETY: as in `bench_add`; whoever counted has been joined.
    unsafe { COUNTERS[x].0.get().read_volatile() }
}

pub(crate) fn c_bare(settings: Settings) {
    per_operation(settings, "c_bare", 200_000_000, |n| {
        // SAFETY: the callee touches nothing.
        let sum: usize = (0..n).map(|_| unsafe { callee_empty(1) } as usize).sum();
        assert_eq!(sum, n);
    });
}

pub(crate) fn c_call(settings: Settings) {
    per_operation(settings, "c_call", 200_000_000, |n| {
        // SAFETY: the callee touches nothing.
        let sum: usize = (0..n).map(|_| call(|| unsafe { callee_empty(1) }) as usize).sum();
        assert_eq!(sum, n);
    });
}

/// `n` callbacks on counter `x`, in one C call.
fn callbacks(x: usize, n: usize) {
    let before = counted(x);
    // SAFETY: `bench_add` may be called any number of times, and this green thread alone uses counter `x`.
    call(|| unsafe { callee_loop(bench_add, x as c_int, n as c_long) });
    assert_eq!(counted(x), before + n as i64);
}

pub(crate) fn c_callback(settings: Settings) {
    per_operation(settings, "c_callback", 150_000_000, |n| callbacks(0, n));
}

pub(crate) fn c_call_callback(settings: Settings) {
    per_operation(settings, "c_call_callback", 100_000_000, |n| {
        let before = counted(0);
        for _ in 0..n {
            // SAFETY: as in `callbacks`.
            call(|| unsafe { callee_loop(bench_add, 0, 1) });
        }
        assert_eq!(counted(0), before + n as i64);
    });
}

pub(crate) fn c_par_callback(settings: Settings) {
    per_operation(settings, "c_par_callback", 150_000_000, |n| {
        let threads: Vec<_> = (0..settings.workers).map(|worker| spawn(move || callbacks(worker, n))).collect();
        for thread in threads {
            thread.join().expect("the sums are right");
        }
    });
}

/// The callbacks of one fresh pthread: nanoseconds for the first, and for each of the `n` that follow.
fn thread_callbacks(n: usize) -> (f64, f64) {
    let (mut first, mut rest) = (0.0, 0.0);
    // SAFETY: both pointers outlive the call, which outlives the pthread; nobody else uses counter 0 meanwhile.
    call(|| unsafe { callee_thread(bench_add, 0, n as c_long, &mut first, &mut rest) });
    (first, rest)
}

pub(crate) fn c_thread_callback(settings: Settings) {
    let n = settings.scaled(150_000_000);
    thread_callbacks(n / 10);
    let (_, rest) = thread_callbacks(n);
    assert_eq!(counted(0), (n / 10 + n + 2) as i64);
    put("c_thread_callback", rest, "ns");
}

pub(crate) fn c_thread_first(settings: Settings) {
    let threads = settings.scaled(220);
    let mut first: Vec<f64> = (0..threads).map(|_| thread_callbacks(0).0).collect();
    assert_eq!(counted(0), threads as i64);
    first.drain(..20.min(threads - 1)); // the warm-up
    put("c_thread_first", median(first), "ns");
}
