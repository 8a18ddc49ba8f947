//! C called from a green thread may call Rust, which runs on that very green thread, with C's arguments and C's stack
//! alignment, and gives C its result.
//!
//! What could break it: a callback that runs on another stack or for another green thread, a wrapper that loses an
//! argument passed on the stack, or a stack that starts at an odd multiple of eight.

mod support;

use greenbridge::{Start, call, current, spawn, yield_now};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{child, child_on_processors, gettid, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    safe fn callback_with(count: i32) -> i64;
    safe fn callback_apply(f: extern "C" fn(i64) -> i64, argument: i64) -> i64;
    safe fn callback_repeat(f: extern "C" fn(i64) -> i64, times: i64) -> i64;
}

#[test]
fn a_callback_runs_on_the_green_thread_that_called_c() {
    child_on_processors("callbacks_report_where_they_run", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_report_where_they_run() {
    run(|| {
        let threads = (0..50).map(|_| spawn(call_c_and_compare));
        let checked = threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().expect("no panic"));
        assert_eq!(checked.sum::<u64>(), 50 * 20);
    });
}

fn call_c_and_compare() -> u64 {
    for turn in 0..20 {
        let (id, tid) = (current().id(), gettid());
        let local = 0_u8;
        let seen = call(|| callback_apply(where_am_i, (&raw const local).expose_provenance() as i64));
        assert_eq!(seen, i64::from(tid) + 1, "C got another thread's answer in turn {turn}");
        assert_eq!(current().id(), id);
        yield_now();
    }
    20
}

/// Answers with the OS thread, having made sure that it runs on the caller's stack.
#[greenbridge::export]
extern "C" fn where_am_i(local_of_caller: i64) -> i64 {
    let local = 0_u8;
    let distance = ((&raw const local).expose_provenance() as i64).abs_diff(local_of_caller);
    assert!(distance < 64 * 1024, "the callback runs on another stack, {distance} bytes away");
    i64::from(gettid())
}

#[test]
fn a_callback_gets_all_its_arguments_on_an_aligned_stack() {
    child("callbacks_with_0_to_9_arguments").succeeds();
}

#[test]
#[ignore = "child process"]
fn callbacks_with_0_to_9_arguments() {
    run(|| {
        // An odd number of frames above shifts the stack by eight, if anybody has forgotten about alignment.
        shifted(0);
        shifted(1);
        shifted(2);
    });
    // And on an OS thread.
    shifted(0);
}

#[inline(never)]
fn shifted(depth: u32) {
    let padding = black_box([depth; 3]);
    if depth > 0 {
        shifted(depth - 1);
    }
    for count in 0..=9 {
        let expected = [0, 1, -1, 2, -2, 3, -3, 4, 12, 3][count as usize];
        assert_eq!(call(|| callback_with(count)), expected, "{count} arguments, depth {}", padding[0]);
    }
}

/// What the compiler stores here with aligned instructions faults on a stack that is not aligned.
#[repr(align(16))]
struct Aligned([f64; 4]);

#[inline(never)]
fn check_alignment() {
    let mut on_stack = Aligned([1.0; 4]);
    black_box(&mut on_stack);
    let address = black_box((&raw const on_stack).expose_provenance());
    assert_eq!(address % 16, 0, "the stack is not aligned");
    for value in &mut on_stack.0 {
        *value += 1.0;
    }
    assert_eq!(black_box(&on_stack).0.iter().sum::<f64>(), 8.0);
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_0() -> i64 {
    check_alignment();
    0
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_1(a: i64) -> i64 {
    check_alignment();
    a
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_2(a: i64, b: i8) -> i64 {
    check_alignment();
    a + i64::from(b)
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_3(a: i64, b: i8, c: f64) -> i64 {
    check_alignment();
    a + i64::from(b) + c as i64
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_4(a: i64, b: i8, c: f64, d: i16) -> i64 {
    check_alignment();
    a + i64::from(b) + c as i64 + i64::from(d)
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_5(a: i64, b: i8, c: f64, d: i16, e: f32) -> i64 {
    check_alignment();
    a + i64::from(b) + c as i64 + i64::from(d) + e as i64
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_6(a: i64, b: i8, c: f64, d: i16, e: f32, f: i32) -> i64 {
    check_alignment();
    a + i64::from(b) + c as i64 + i64::from(d) + e as i64 + i64::from(f)
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_7(a: i64, b: i8, c: f64, d: i16, e: f32, f: i32, g: u64) -> i64 {
    check_alignment();
    a + i64::from(b) + c as i64 + i64::from(d) + e as i64 + i64::from(f) + g as i64
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_8(a: i64, b: i8, c: f64, d: i16, e: f32, f: i32, g: u64, h: u8) -> i64 {
    check_alignment();
    a + i64::from(b) + c as i64 + i64::from(d) + e as i64 + i64::from(f) + g as i64 + i64::from(h)
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn callback_with_9(a: i64, b: i8, c: f64, d: i16, e: f32, f: i32, g: u64, h: u8, i: i64) -> i64 {
    check_alignment();
    a + i64::from(b) + c as i64 + i64::from(d) + e as i64 + i64::from(f) + g as i64 + i64::from(h) + i
}

#[test]
fn many_callbacks_of_one_call_all_run() {
    child("a_hundred_thousand_callbacks_in_one_call").succeeds();
}

static CALLED: AtomicU64 = AtomicU64::new(0);

#[test]
#[ignore = "child process"]
fn a_hundred_thousand_callbacks_in_one_call() {
    let sum = run(|| call(|| callback_repeat(count_and_return, 100_000)));
    assert_eq!(sum, (0..100_000).sum());
    assert_eq!(CALLED.load(Ordering::Relaxed), 100_000);
}

#[greenbridge::export]
extern "C" fn count_and_return(value: i64) -> i64 {
    CALLED.fetch_add(1, Ordering::Relaxed);
    value
}

#[test]
fn a_callback_may_use_every_service_of_the_runtime() {
    child_on_processors("callbacks_that_spawn_join_yield_and_call_c", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_that_spawn_join_yield_and_call_c() {
    let total = run(|| {
        let threads: Vec<_> = (0..20).map(|n| spawn(move || call(|| callback_repeat(busy_callback, n)))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<i64>()
    });
    // Each callback returns 3 times its argument plus one.
    assert_eq!(total, (0..20).flat_map(|n| (0..n).map(|turn| 3 * turn + 1)).sum());
}

#[greenbridge::export]
extern "C" fn busy_callback(value: i64) -> i64 {
    let child = spawn(move || {
        yield_now();
        2 * value
    });
    yield_now();
    let third = call(|| callback_apply(count_and_return, value));
    third + child.join().expect("no panic")
}
