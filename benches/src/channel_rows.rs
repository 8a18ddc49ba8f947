//! What does a message cost?
//!
//! | row | one operation |
//! |---|---|
//! | `pingpong` | a round trip over two channels of capacity 1 |
//! | `pingpong0` | the same over two of capacity 0 (ours alone; Go's `pingpong` has capacity 0, tokio's 1) |
//! | `pingpong_callback` | `pingpong` with one side inside a C call, whose callbacks receive and send |
//! | `mpmc` | one message; 4 producers, 4 consumers, one channel of capacity 1024 |
//!
//! The floor is OS threads over crossbeam's channels, and depends on luck (spinning or a futex): 0.3 to 2 us for a round
//! trip, 54 ns for a message. The peers are Go, may and tokio. In `pingpong_callback` Go and tokio pay two wake-ups
//! between OS threads, 20 to 60 us; may switches stacks under C, and C may go on on another OS thread.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- pingpong_callback`

use crate::callee::callee_loop;
use crate::command::Settings;
use crate::measure::per_operation;
use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{call, spawn};
use std::ffi::{c_int, c_long};
use std::sync::OnceLock;

pub(crate) fn pingpong(settings: Settings) {
    round_trips(settings, "pingpong", 1);
}

pub(crate) fn pingpong0(settings: Settings) {
    round_trips(settings, "pingpong0", 0);
}

fn round_trips(settings: Settings, row: &str, capacity: usize) {
    per_operation(settings, row, 5_000_000, |n| {
        let (ping, receiver) = bounded(capacity);
        let (sender, pong) = bounded(capacity);
        let echo = spawn(move || {
            while let Ok(value) = receiver.recv() {
                let Ok(()) = sender.send(value + 1) else { break };
            }
        });
        play(&ping, &pong, n);
        drop(ping);
        echo.join().expect("no panic in a row");
    });
}

/// Sends a number and receives its successor, `n` times.
fn play(ping: &Sender<usize>, pong: &Receiver<usize>, n: usize) {
    let mut value = 0;
    for _ in 0..n {
        ping.send(value).expect("the echo is there");
        value = pong.recv().expect("the echo is there");
    }
    assert_eq!(value, n);
}

/// The ends that the callback uses.
static ECHO: OnceLock<(Receiver<usize>, Sender<usize>)> = OnceLock::new();

/// The callback: waits for a number, and sends its successor.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub(crate) extern "C" fn bench_echo(x: c_int) -> c_int {
    let (receiver, sender) = ECHO.get().expect("set before the first call");
    let value = receiver.recv().expect("the other side is there");
    sender.send(value + 1).expect("the other side is there");
    x
}

pub(crate) fn pingpong_callback(settings: Settings) {
    let (ping, receiver) = bounded(1);
    let (sender, pong) = bounded(1);
    ECHO.set((receiver, sender)).expect("set once");
    per_operation(settings, "pingpong_callback", 3_000_000, |n| {
        // SAFETY: `bench_echo` may be called any number of times.
        let echo = spawn(move || call(|| unsafe { callee_loop(bench_echo, 0, n as c_long) }));
        play(&ping, &pong, n);
        echo.join().expect("no panic in a row");
    });
}

pub(crate) fn mpmc(settings: Settings) {
    per_operation(settings, "mpmc", 15_000_000, |n| {
        let (sender, receiver) = bounded::<usize>(1024);
        let each = n / 4;
        let mut producers = Vec::new();
        let mut consumers = Vec::new();
        for _ in 0..4 {
            let (sender, receiver) = (sender.clone(), receiver.clone());
            producers.push(spawn(move || {
                for _ in 0..each {
                    sender.send(1).expect("consumers are there");
                }
            }));
            consumers.push(spawn(move || {
                let mut total = 0;
                while let Ok(value) = receiver.recv() {
                    total += value;
                }
                total
            }));
        }
        drop(sender);
        for producer in producers {
            producer.join().expect("no panic in a row");
        }
        let total: usize = consumers.into_iter().map(|consumer| consumer.join().expect("no panic in a row")).sum();
        assert_eq!(total, each * 4);
    });
}
