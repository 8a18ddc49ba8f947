//! The stack meter says how deep C went, to the byte, whatever the stack was used for before; and elsewhere than on a green
//! thread's stack it says that it cannot.
//!
//! What could break it: bytes left by earlier calls, a page that the kernel does not give back, or a measure that goes on on
//! another OS thread.

mod support;

use greenbridge::stack_meter::{NotOnGreenThread, StackUse, measure};
use greenbridge::{Builder, Start, call, call_on_thread_stack, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use support::{Callback, child, child_on_processors, for_c, start, start_with};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    safe fn stack_meter_frame(bytes: usize) -> c_long;
    safe fn stack_meter_chain(bytes: usize) -> c_long;
    safe fn stack_meter_jump(bytes: usize) -> c_long;
    fn stack_meter_call_back(bytes: usize, f: Callback<c_long>, context: *mut c_void) -> c_long;
}

/// What the frames between the measure and C may take, in a build that is not optimised.
const FRAMES: usize = 2 << 10;

fn use_of(f: impl FnOnce() -> c_long) -> usize {
    let (_, stack_use): (c_long, StackUse) = measure(f).expect("this is a green thread");
    assert!(stack_use.bytes() <= stack_use.room());
    stack_use.bytes()
}

#[track_caller]
fn assert_about(measured: usize, bytes: usize) {
    assert!((bytes..bytes + FRAMES).contains(&measured), "{measured} bytes were measured where {bytes} were used");
}

#[test]
fn the_depth_of_c_is_measured_to_the_frame() {
    child_on_processors("frames_of_many_sizes", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn frames_of_many_sizes() {
    start();
    run(measure_frames);
    spawn(measure_frames).join().expect("no panic");
}

fn measure_frames() {
    // Deep ones first: what they leave behind must not be taken for later use.
    for bytes in [200_000, 4096, 100_001, 10_000, 65_536, 2048, 150_000, 5000] {
        assert_about(use_of(|| call(|| stack_meter_frame(bytes))), bytes);
        let chain = use_of(|| call(|| stack_meter_chain(8192)));
        assert!((4096..16 << 10).contains(&chain), "{chain} bytes");
    }
    assert!(use_of(|| 0) < FRAMES);
}

#[test]
fn a_measure_goes_on_over_waits_and_callbacks() {
    child_on_processors("measures_with_waiting_callbacks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn measures_with_waiting_callbacks() {
    start();
    let threads: Vec<_> = (1..40)
        .map(|n| {
            spawn(move || {
                let bytes = n * 3000;
                let (f, context) = for_c(wait, &());
                let context = context.expose_provenance();
                let measured = use_of(move || {
                    yield_now();
                    // SAFETY: C hands on a pointer to nothing, and returns after the callback.
                    let answer = call(|| unsafe {
                        stack_meter_call_back(bytes, f, std::ptr::with_exposed_provenance_mut(context))
                    });
                    yield_now();
                    answer
                });
                // The callback's own frames come on top.
                assert!((bytes..bytes + (16 << 10)).contains(&measured), "{measured} bytes for {bytes}");
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[greenbridge::export]
extern "C" fn wait(_: &(), number: c_long) -> c_long {
    spawn(move || number).join().expect("no panic")
}

#[test]
fn memory_that_is_locked_is_measured_too() {
    child("a_measure_in_locked_memory").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_measure_in_locked_memory() {
    start();
    run(|| {
        let local = 0_u8;
        let page = (&raw const local).addr() & !0xFFFF;
        // SAFETY: the range lies on this stack, and locking it changes no contents. If the system refuses, the test is about
        // memory that is not locked.
        let refused = unsafe { libc::mlock((page - 0x8000) as *const _, 0x4000) };
        println!("mlock: {refused}");
        for bytes in [150_000, 40_000, 3000] {
            assert_about(use_of(|| call(|| stack_meter_frame(bytes))), bytes);
        }
    });
}

#[test]
fn a_large_stack_is_measured_to_its_end() {
    child("a_measure_of_most_of_a_large_stack").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_measure_of_most_of_a_large_stack() {
    start_with(Builder::new().stack_size(64 << 20));
    run(|| {
        let (_, stack_use) = measure(|| call(|| stack_meter_frame(60 << 20))).expect("this is a green thread");
        assert_about(stack_use.bytes(), 60 << 20);
        assert!((62 << 20..=64 << 20).contains(&stack_use.room()));
    });
}

#[test]
fn elsewhere_nothing_is_measured_and_nothing_runs() {
    child("measures_off_the_green_threads").succeeds();
}

#[test]
#[ignore = "child process"]
fn measures_off_the_green_threads() {
    start();
    let refused = || measure(|| unreachable!("it must not run")) == Err::<((), StackUse), _>(NotOnGreenThread);
    assert!(refused());
    run(move || {
        assert!(call_on_thread_stack(refused));
        assert!(NotOnGreenThread.to_string().contains("call_on_thread_stack"));
    });
}

#[test]
fn an_overflow_by_one_large_frame_is_told_from_a_deep_chain() {
    child("a_frame_larger_than_the_stack").aborts().says("KiB were ever touched: one frame is larger than the rest");
    child("a_chain_deeper_than_the_stack").aborts().says("overflowed its stack of 256 KiB; raise");
}

#[test]
#[ignore = "overflows its stack"]
fn a_frame_larger_than_the_stack() {
    start();
    run(|| call(|| stack_meter_jump(280 << 10)));
}

#[test]
#[ignore = "overflows its stack"]
fn a_chain_deeper_than_the_stack() {
    start();
    run(|| call(|| stack_meter_chain(1 << 20)));
}
