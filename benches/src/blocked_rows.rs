//! How many OS threads do callbacks that wait take?
//!
//! | row | figures |
//! |---|---|
//! | `blocked_callbacks` | 200 green threads, each in a C call whose callback waits: the OS threads beyond those at the start `.during`, and `.after`: 15 s after all have ended |
//! | `interleaved_blocked` | 10,000 such calls through `call_interleaved` (ours alone): `.threads` beyond those at the start, and `.wake`, the nanoseconds to wake one, let its C go on, and have its next callback wait |
//!
//! Through `call` each waiting callback keeps an OS thread, as in Go, which needs 199 threads here and keeps them for
//! good; tokio's blocking threads number 200, and end after 10 s. may needs none: it switches stacks under C. At 10,000
//! Go reaches its limit of threads and dies.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- interleaved_blocked`

use crate::callee::{callee_loop, rest};
use crate::command::Settings;
use crate::gauge::threads;
use crate::measure::put;
use crate::turnstile::TURNSTILE;
use greenbridge::channel::{Receiver, Sender, unbounded};
use greenbridge::{call, call_interleaved, run, spawn};
use std::ffi::{c_int, c_long};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The OS threads of this process when every processor has its worker, which the runtime may start only when there is
/// work: as many green threads stay on their workers until all of them run, or for a second at the most.
fn threads_at_the_start(workers: usize) -> i64 {
    run(move || {
        let running = Arc::new(AtomicUsize::new(0));
        let busy: Vec<_> = (0..workers)
            .map(|_| {
                let (running, start) = (Arc::clone(&running), Instant::now());
                spawn(move || {
                    running.fetch_add(1, Relaxed);
                    while running.load(Relaxed) < workers && start.elapsed() < Duration::from_secs(1) {
                        spin_loop();
                    }
                })
            })
            .collect();
        for thread in busy {
            thread.join().expect("no panic in a row");
        }
    });
    threads()
}

/// The callback of `blocked_callbacks`: waits until the row lets it go.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_wait(x: c_int) -> c_int {
    TURNSTILE.pass();
    x
}

pub(crate) fn blocked_callbacks(settings: Settings) {
    const CALLS: usize = 200;
    let before = threads_at_the_start(settings.workers);
    // SAFETY: `bench_wait` may be called on any thread.
    let call_c = || call(|| unsafe { callee_loop(bench_wait, 0, 1) });
    let calls = run(move || (0..CALLS).map(|_| spawn(call_c)).collect::<Vec<_>>());
    TURNSTILE.wait_for_arrivals(CALLS);
    put("blocked_callbacks.during", (threads() - before) as f64, "threads");
    TURNSTILE.open();
    for call in calls {
        call.join().expect("no panic in a row");
    }
    rest(15_000);
    put("blocked_callbacks.after", (threads() - before) as f64, "threads");
}

/// What the callbacks of `interleaved_blocked` share. A round ends when every call is waiting for the next one.
struct Rounds {
    /// One token lets one call go on. The rounds take turns with the channels, so that a call that is early in the next
    /// round cannot take a token of this one.
    tokens: [(Sender<()>, Receiver<()>); 2],
    /// How many callbacks of each call have begun.
    begun: Vec<AtomicUsize>,
    /// How many callbacks have begun in all.
    total: AtomicUsize,
    /// Told when every call has begun the same number of callbacks.
    complete: (Sender<()>, Receiver<()>),
}

static ROUNDS: OnceLock<Rounds> = OnceLock::new();

/// The callback of `interleaved_blocked`: takes a token of its round, and waits for it.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_next_round(x: c_int) -> c_int {
    let rounds = ROUNDS.get().expect("set before the first call");
    let round = rounds.begun[x as usize].fetch_add(1, Relaxed);
    let total = rounds.total.fetch_add(1, Relaxed) + 1;
    if total.is_multiple_of(rounds.begun.len()) {
        rounds.complete.0.send(()).expect("the row is there");
    }
    rounds.tokens[round % 2].1.recv().expect("tokens come until the last round");
    x
}

pub(crate) fn interleaved_blocked(settings: Settings) {
    const ROUNDS_TIMED: usize = 200;
    let calls = settings.scaled(10_000);
    let begun = (0..calls).map(|_| AtomicUsize::new(0)).collect();
    let rounds = ROUNDS.get_or_init(|| Rounds {
        tokens: [unbounded(), unbounded()],
        begun,
        total: AtomicUsize::new(0),
        complete: unbounded(),
    });
    let before = threads_at_the_start(settings.workers);
    let wake_all = move |round: usize| {
        for _ in 0..calls {
            rounds.tokens[round % 2].0.send(()).expect("the calls are there");
        }
    };
    let wait_until_all_wait = || rounds.complete.1.recv().expect("the calls are there");

    // Round 0 is the warm-up: it maps the stacks. The last one lets the calls return.
    let threads_of_calls = run(move || {
        let one = |x| {
            // SAFETY: C keeps nothing across its callbacks but its loop counter, and the callback may wait on any
            // thread.
            move || unsafe { call_interleaved(|| callee_loop(bench_next_round, x, ROUNDS_TIMED as c_long + 2)) }
        };
        let threads: Vec<_> = (0..calls).map(|x| spawn(one(x as c_int))).collect();
        wait_until_all_wait();
        wake_all(0);
        wait_until_all_wait();
        threads
    });
    rest(200);
    put("interleaved_blocked.threads", (threads() - before) as f64, "threads");
    let time = run(move || {
        let start = Instant::now();
        for round in 1..=ROUNDS_TIMED {
            wake_all(round);
            wait_until_all_wait();
        }
        start.elapsed()
    });
    put("interleaved_blocked.wake", time.as_nanos() as f64 / (calls * ROUNDS_TIMED) as f64, "ns");
    wake_all(ROUNDS_TIMED + 1);
    for thread in threads_of_calls {
        thread.join().expect("no panic in a row");
    }
    assert_eq!(rounds.total.load(Relaxed), calls * (ROUNDS_TIMED + 2));
}
