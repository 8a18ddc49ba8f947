//! Does C that blocks keep others from running?
//!
//! | row | figures |
//! |---|---|
//! | `blocking_progress` | `.cpu`: the speed of a green thread that works in slices and yields, while 64 others sit in C calls of 20 ms, over its speed alone; `.calls`: the C calls made, over those that 64 OS threads could make |
//! | `handoff` | one processor, 100 C calls of 30 ms back to back: from the start of a call to when the other, ready green thread runs |
//! | `handoff_once` | the same from idle: 50 ms of rest before each call, the other green thread spawned just before it |
//! | `..._blocking` | each of the three through `call_blocking`, which hands its processor on at once (ours alone) |
//!
//! The rows without a suffix use `call`, the default, as a user would: it is the monitor that takes the processor. Go's
//! delay behind a call is 11 ms in the middle, tokio's `block_in_place` 25 us; may never hands off.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- handoff`

use crate::callee::{rest, sleep_in_c};
use crate::command::Settings;
use crate::gauge::now_ns;
use crate::measure::{put, quantiles};
use greenbridge::{call, call_blocking, spawn, yield_now};
use std::ffi::c_long;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// One C call that blocks for so many microseconds, made in one of the ways.
type BlockingCall = fn(c_long);

fn by_call(us: c_long) {
    call(|| sleep_in_c(us));
}

fn by_call_blocking(us: c_long) {
    call_blocking(|| sleep_in_c(us));
}

pub(crate) fn blocking_progress(settings: Settings) {
    progress(settings, "blocking_progress", by_call);
}

pub(crate) fn blocking_progress_blocking(settings: Settings) {
    progress(settings, "blocking_progress_blocking", by_call_blocking);
}

const CALLERS: usize = 64;

fn progress(settings: Settings, row: &str, block: BlockingCall) {
    let window = Duration::from_secs_f64(0.7 * settings.scale);
    slices(window / 7); // warms up, as below
    let alone = slices(window);
    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            spawn(move || {
                while !stop.load(Relaxed) {
                    block(20_000);
                    calls.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    slices(window / 7);
    let (start, before) = (Instant::now(), calls.load(Relaxed));
    put(&format!("{row}.cpu"), slices(window) / alone, "ratio");
    let possible = CALLERS as f64 * start.elapsed().as_secs_f64() / 0.020;
    put(&format!("{row}.calls"), (calls.load(Relaxed) - before) as f64 / possible, "ratio");
    stop.store(true, Relaxed);
    for caller in callers {
        caller.join().expect("no panic in a row");
    }
}

/// Works in slices with a yield after each, for a window of time; returns slices per second.
fn slices(window: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < window {
        slice();
        count += 1;
        yield_now();
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// A fixed piece of work: 20,000 steps of a linear congruential generator.
fn slice() {
    let last = (0..20_000).fold(1_u64, |x, _| {
        black_box(x).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
    });
    black_box(last);
}

pub(crate) fn handoff(settings: Settings) {
    back_to_back(settings, "handoff", by_call);
}

pub(crate) fn handoff_blocking(settings: Settings) {
    back_to_back(settings, "handoff_blocking", by_call_blocking);
}

/// What the caller and the other green thread share.
#[derive(Default)]
struct Delay {
    /// The clock at the start of the C call; 0 while there is none, or once the other has seen it.
    start: AtomicI64,
    /// From then to when the other ran.
    nanoseconds: AtomicI64,
    /// How often the other ran.
    turns: AtomicUsize,
    stop: AtomicBool,
}

fn back_to_back(settings: Settings, row: &str, block: BlockingCall) {
    let delay = Arc::new(Delay::default());
    let other = spawn({
        let delay = Arc::clone(&delay);
        move || {
            while !delay.stop.load(Relaxed) {
                let start = delay.start.load(Relaxed);
                if start != 0 {
                    delay.nanoseconds.store(now_ns() - start, Relaxed);
                    delay.start.store(0, Relaxed);
                }
                delay.turns.fetch_add(1, Relaxed);
                yield_now();
            }
        }
    });
    while delay.turns.load(Relaxed) == 0 {
        yield_now();
    }
    let delays = (0..settings.scaled(100)).map(|_| {
        yield_now();
        delay.start.store(now_ns(), Relaxed);
        block(30_000);
        while delay.start.load(Relaxed) != 0 {
            yield_now();
        }
        delay.nanoseconds.load(Relaxed) as f64 / 1e3
    });
    quantiles(row, delays.collect(), "us");
    delay.stop.store(true, Relaxed);
    other.join().expect("no panic in a row");
}

pub(crate) fn handoff_once(settings: Settings) {
    from_idle(settings, "handoff_once", by_call);
}

pub(crate) fn handoff_once_blocking(settings: Settings) {
    from_idle(settings, "handoff_once_blocking", by_call_blocking);
}

fn from_idle(settings: Settings, row: &str, block: BlockingCall) {
    let delays = (0..settings.scaled(40)).map(|_| {
        rest(50);
        let start = now_ns();
        let other = spawn(move || now_ns() - start);
        block(30_000);
        other.join().expect("no panic in a row") as f64 / 1e3
    });
    quantiles(row, delays.collect(), "us");
}
