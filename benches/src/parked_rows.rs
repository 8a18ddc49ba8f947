//! What do green threads cost while they wait?
//!
//! | row | figures |
//! |---|---|
//! | `parked_mem` | resident memory and page tables per green thread, with a million of them waiting on one channel |
//! | `idle` | 1000 waiting, 3 s: `.cpu` and `.switches` (voluntary context switches) of the whole process per second, and `.awake` (ours alone): the runtime's OS threads that ran at all, 0 meaning not one system call |
//!
//! The floor of a green thread that has run is one page of stack, 4096 bytes. A parked goroutine takes 2751, a task of
//! tokio, which has no stack, 440; may takes 8534, and dies past 32,000. The thread that measures sleeps once through
//! the window: 0.33 switches per second are its own.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- parked_mem`

use crate::callee::rest;
use crate::command::Settings;
use crate::gauge::{RunCounts, cpu_ns, memory, switches};
use crate::measure::put;
use crate::turnstile::TURNSTILE;
use greenbridge::{run, spawn};

pub(crate) fn parked_mem(settings: Settings) {
    let n = settings.scaled(1_000_000);
    let before = memory();
    park(n);
    put("parked_mem", (memory() - before) as f64 / n as f64, "B");
    TURNSTILE.open();
}

pub(crate) fn idle(settings: Settings) {
    park(1000);
    // In the first third of a second the monitor looks for a deadlock, four times: rest begins after that.
    rest(500);
    let seconds = 3.0 * settings.scale;
    let (counts, cpu, switched) = (RunCounts::read(), cpu_ns(), switches());
    rest((seconds * 1e3) as _);
    let (cpu, switched) = (cpu_ns() - cpu, switches() - switched);
    put("idle.cpu", cpu as f64 / 1e6 / seconds, "ms/s");
    put("idle.switches", switched as f64 / seconds, "1/s");
    if let (Some(before), Some(after)) = (counts, RunCounts::read()) {
        let measuring = 1; // this thread ran
        put("idle.awake", (after.ran_since(&before) - measuring) as f64, "threads");
    }
    TURNSTILE.open();
}

/// Makes `n` green threads wait at the turnstile; returns when all do.
fn park(n: usize) {
    run(move || (0..n).for_each(|_| drop(spawn(|| TURNSTILE.pass()))));
    TURNSTILE.wait_for_arrivals(n);
}
