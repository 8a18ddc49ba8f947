//! How long does the program of Go issue 60961 take?
//!
//! One operation is the whole program: 10 million empty tasks from a full, closed channel, drained by as many green
//! threads as there are processors. Per task: a 32-byte key copied into a buffer from `malloc`, another such buffer for
//! the value, a call of the C function `get_value`, which calls back the exported function `c_call_get_value`
//! and copies what it got, the value copied out, both buffers freed. `get_value` goes through `call`, its callback
//! through the gate and the panic boundary; `malloc` and `free` are bare calls, as short C that never waits should be.
//! Filling the channel is not timed. The floor takes its tasks from a shared counter instead of a channel.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- seed`. The example `cgo_callback` is the same
//! program to read.

use crate::callee::get_value;
use crate::command::Settings;
use crate::measure::put;
use greenbridge::{call, channel, spawn};
use std::hint::black_box;
use std::time::{Duration, Instant};

pub(crate) fn seed(settings: Settings) {
    drain(settings.scaled(100_000), settings.workers);
    let time = drain(settings.scaled(10_000_000), settings.workers);
    put("seed", time.as_secs_f64() * 1e3, "ms");
}

/// Fills a channel with `tasks` tasks, closes it, and times `workers` green threads that drain it.
fn drain(tasks: usize, workers: usize) -> Duration {
    let (sender, receiver) = channel::bounded(tasks);
    for _ in 0..tasks {
        sender.send(()).expect("a receiver is there");
    }
    drop(sender);
    let start = Instant::now();
    let threads: Vec<_> = (0..workers)
        .map(|_| {
            let receiver = receiver.clone();
            spawn(move || {
                let mut count = 0;
                while receiver.recv().is_ok() {
                    task(&[0; 32]);
                    count += 1;
                }
                count
            })
        })
        .collect();
    let done: usize = threads.into_iter().map(|thread| thread.join().expect("the values are right")).sum();
    let time = start.elapsed();
    assert_eq!(done, tasks);
    time
}

/// One task.
fn task(key: &[u8; 32]) {
    let (key, value) = (to_c(key), c_buffer());
    // SAFETY: both are blocks of 32 bytes, which only this call uses.
    call(|| unsafe { get_value(key, value) });
    // SAFETY: `get_value` has written all 32 bytes.
    let copy = black_box(unsafe { to_rust(value) });
    assert_eq!(copy[31], 0);
    // SAFETY: both came from malloc and are not used again.
    unsafe {
        libc::free(key.cast());
        libc::free(value.cast());
    }
}

/// The exported function: copies the key, makes a vector of 32 bytes, and writes it out byte by byte.
///
/// # Safety
/// `key` is good for reading 32 bytes, `value` for writing 32.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn c_call_get_value(key: *mut u8, value: *mut u8) {
    // SAFETY: the caller's promise.
    black_box(unsafe { to_rust(key) });
    let bytes = black_box(vec![0_u8; 32]);
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: within the 32 bytes of the caller's promise. Volatile, or the loop would become one copy.
        unsafe { value.add(i).write_volatile(*byte) };
    }
}

/// A buffer of 32 bytes from C.
fn c_buffer() -> *mut u8 {
    // SAFETY: malloc may be called on any thread.
    let buffer = unsafe { libc::malloc(32) };
    assert!(!buffer.is_null(), "out of memory");
    buffer.cast()
}

/// What Go's `C.CBytes` does: a copy in memory that C owns.
fn to_c(bytes: &[u8; 32]) -> *mut u8 {
    let buffer = c_buffer();
    // SAFETY: the block is fresh and 32 bytes long.
    unsafe { buffer.copy_from_nonoverlapping(bytes.as_ptr(), 32) };
    buffer
}

/// What Go's `C.GoBytes` does: a copy in memory that Rust owns.
///
/// # Safety
/// `bytes` is good for reading 32 bytes.
unsafe fn to_rust(bytes: *const u8) -> Vec<u8> {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(bytes, 32) }.to_vec()
}
