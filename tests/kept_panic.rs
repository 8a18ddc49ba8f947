//! A panic in a callback never unwinds into C: it is kept, C gets a fallback value and goes on, and the panic resumes when
//! the call returns to Rust, which is left as if it had panicked itself.
//!
//! What could break it: a payload that is lost or comes out of the wrong call, a pin or a stretch of stack that stays
//! behind, a later callback that does not run, or a panic message whose making needs the runtime.

mod support;

use greenbridge::{Start, call, call_blocking, call_on_thread_stack, spawn, yield_now};
use std::any::Any;
use std::ffi::{CStr, c_char, c_long, c_void};
use std::fmt;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Callback, Movers, child, child_on_processors, for_c, panic_text, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn kept_panic_repeat(f: Callback<c_long>, context: *mut c_void, times: c_long, answers: *mut c_long) -> c_long;
    safe fn kept_panic_ask() -> c_long;
}

/// Lets C call `f` once for each of `answers`.
fn repeat<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, answers: &mut [c_long]) -> c_long {
    let (f, context) = for_c(f, context);
    let times = c_long::try_from(answers.len()).expect("a small number");
    // SAFETY: C writes `times` numbers to `answers`, hands the pointer on to `f` and returns after it.
    unsafe { kept_panic_repeat(f, context, times, answers.as_mut_ptr()) }
}

/// What comes out of a panicking `body`.
fn caught<R>(body: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(_) => panic!("no panic came out"),
        Err(payload) => payload,
    }
}

/// A payload that is no text, to see that it is the very one.
#[derive(Debug, PartialEq)]
struct Payload(c_long);

#[greenbridge::export]
extern "C" fn panic_at(turn: &c_long, number: c_long) -> c_long {
    if *turn == number {
        panic_any(Payload(number));
    }
    number + 10
}

#[greenbridge::export(fallback = -77)]
extern "C" fn panic_at_with_fallback(turn: &c_long, number: c_long) -> c_long {
    if *turn == number {
        panic_any(Payload(number));
    }
    number + 10
}

#[test]
fn c_gets_the_fallback_goes_on_and_then_the_panic_resumes() {
    child("a_panic_in_the_second_of_four_callbacks").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_panic_in_the_second_of_four_callbacks() {
    run(|| {
        let mut answers = [-1; 4];
        let payload = caught(|| call(|| repeat(panic_at, &1, &mut answers)));
        assert_eq!(payload.downcast_ref(), Some(&Payload(1)));
        assert_eq!(answers, [10, 0, 12, 13], "without a declared fallback C gets zero");

        let payload = caught(|| call(|| repeat(panic_at_with_fallback, &2, &mut answers)));
        assert_eq!(payload.downcast_ref(), Some(&Payload(2)));
        assert_eq!(answers, [10, 11, -77, 13]);

        let payload = caught(|| call_blocking(|| repeat(panic_at_with_fallback, &0, &mut answers)));
        assert_eq!(payload.downcast_ref(), Some(&Payload(0)));
        assert_eq!(answers, [-77, 11, 12, 13]);

        let payload = caught(|| call_on_thread_stack(|| repeat(panic_at_with_fallback, &3, &mut answers)));
        assert_eq!(payload.downcast_ref(), Some(&Payload(3)));
        assert_eq!(answers, [10, 11, 12, -77]);

        assert_eq!(call(|| repeat(panic_at, &-1, &mut answers)), 4, "the next call is not affected");
    });
}

#[greenbridge::export(fallback = -1)]
extern "C" fn panic_each_time(_: &(), number: c_long) -> c_long {
    panic_any(Payload(number));
}

#[test]
fn of_several_panics_in_one_call_the_first_resumes() {
    child("three_panics_in_one_call").succeeds();
}

#[test]
#[ignore = "child process"]
fn three_panics_in_one_call() {
    run(|| {
        let mut answers = [0; 3];
        let payload = caught(|| call(|| repeat(panic_each_time, &(), &mut answers)));
        assert_eq!(payload.downcast_ref(), Some(&Payload(0)));
        assert_eq!(answers, [-1; 3]);
    });
}

#[test]
fn a_panic_comes_out_of_the_innermost_call_around_it() {
    child("a_panic_under_two_calls").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_panic_under_two_calls() {
    run(|| {
        let mut answers = [0; 2];
        assert_eq!(call(|| repeat(catch_the_inner_panic, &(), &mut answers)), 2);
        assert_eq!(answers, [100, 101], "what was caught in the callback is not seen outside");

        let payload = caught(|| call(|| repeat(pass_the_inner_panic_on, &(), &mut answers)));
        assert_eq!(payload.downcast_ref(), Some(&Payload(0)));
        assert_eq!(answers, [-2, -2]);
    });
}

#[greenbridge::export]
extern "C" fn catch_the_inner_panic(_: &(), number: c_long) -> c_long {
    let payload = caught(|| call(|| repeat(panic_each_time, &(), &mut [0])));
    assert_eq!(payload.downcast_ref(), Some(&Payload(0)));
    number + 100
}

#[greenbridge::export(fallback = -2)]
extern "C" fn pass_the_inner_panic_on(_: &(), _: c_long) -> c_long {
    resume_unwind(caught(|| call(|| repeat(panic_each_time, &(), &mut [0]))));
}

#[test]
fn a_panic_after_waiting_comes_out_of_the_same_call_and_the_green_thread_is_free_again() {
    child_on_processors("panics_after_waiting", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn panics_after_waiting() {
    let several_workers = std::env::var("GREENBRIDGE_PROCESSORS").is_ok_and(|processors| processors != "1");
    run(move || {
        let (movers, _) = Movers::start();
        let threads: Vec<_> = (0..10)
            .map(|id| {
                let movers = movers.clone();
                spawn(move || {
                    for turn in 0..10 {
                        let context = (movers.clone(), 100 * id + turn);
                        let payload = caught(|| call(|| repeat(wait_and_panic, &context, &mut [0])));
                        assert_eq!(payload.downcast_ref(), Some(&Payload(100 * id + turn)), "another one's panic");
                        if several_workers {
                            movers.until_moved();
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no other panic");
        }
    });
}

#[greenbridge::export]
extern "C" fn wait_and_panic((movers, mark): &(Movers, c_long), _: c_long) -> c_long {
    movers.round();
    yield_now();
    panic_any(Payload(*mark));
}

#[test]
fn a_hundred_thousand_panics_leave_nothing_on_the_stack() {
    child("a_panic_a_hundred_thousand_times").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_panic_a_hundred_thousand_times() {
    panic::set_hook(Box::new(|panic| {
        if !panic.payload().is::<Payload>() {
            eprintln!("{panic}");
        }
    }));
    run(|| {
        let first = depth_of_callback();
        for turn in 0..100_000 {
            // Not every call takes the same path through the runtime. But whatever crept would creep on.
            let difference = depth_of_callback().abs_diff(first);
            assert!(difference < 4096, "the stack has crept by {difference} bytes in turn {turn}");
        }
    });
}

static DEPTH: AtomicUsize = AtomicUsize::new(0);

/// Where the stack of a panicking callback begins.
#[inline(never)]
fn depth_of_callback() -> usize {
    let payload = caught(|| call(|| repeat(note_depth_and_panic, &(), &mut [0])));
    assert_eq!(payload.downcast_ref(), Some(&Payload(0)));
    DEPTH.load(Ordering::Relaxed)
}

#[greenbridge::export]
extern "C" fn note_depth_and_panic(_: &(), number: c_long) -> c_long {
    let local = black_box(0_u8);
    DEPTH.store((&raw const local).expose_provenance(), Ordering::Relaxed);
    panic_any(Payload(number));
}

#[test]
fn c_may_ask_for_a_panic() {
    child("a_panic_with_the_words_of_c").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_panic_with_the_words_of_c() {
    run(|| {
        let payload = caught(|| call(|| kept_panic_ask()));
        assert_eq!(panic_text(&*payload), "C is not amused");
    });
}

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn kept_panic_raise(text: *const c_char) -> c_long {
    // SAFETY: the only caller passes a literal.
    let text = unsafe { CStr::from_ptr(text) }.to_str().expect("ASCII");
    panic!("{text}");
}

#[test]
fn a_panic_message_may_need_c_and_callbacks_to_be_made() {
    child("a_display_that_calls_c").succeeds().says("the answer is 42");
}

#[test]
#[ignore = "child process"]
fn a_display_that_calls_c() {
    run(|| {
        let payload = caught(|| call(|| repeat(panic_with_display_that_calls_c, &(), &mut [0])));
        assert_eq!(panic_text(&*payload), "the answer is 42");
    });
}

#[greenbridge::export]
extern "C" fn panic_with_display_that_calls_c(_: &(), _: c_long) -> c_long {
    panic!("the answer is {}", AskedOfC);
}

struct AskedOfC;

impl fmt::Display for AskedOfC {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut answers = [0];
        call(|| repeat(answer, &(), &mut answers));
        answers[0].fmt(f)
    }
}

#[greenbridge::export]
extern "C" fn answer(_: &(), _: c_long) -> c_long {
    42
}

#[test]
fn a_destructor_that_runs_while_unwinding_may_wait() {
    child_on_processors("destructors_wait_while_unwinding", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn destructors_wait_while_unwinding() {
    run(|| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                spawn(|| {
                    let payload = caught(|| {
                        let _waits = JoinsWhenDropped;
                        panic_any(Payload(5));
                    });
                    assert_eq!(payload.downcast_ref(), Some(&Payload(5)));
                    assert!(!std::thread::panicking(), "another green thread's panic is counted here");
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no other panic");
        }
    });
}

struct JoinsWhenDropped;

impl Drop for JoinsWhenDropped {
    fn drop(&mut self) {
        let child = spawn(|| {
            yield_now();
            assert!(!std::thread::panicking(), "another green thread's panic is counted here");
            1
        });
        assert_eq!(child.join().expect("no panic"), 1);
    }
}

#[test]
fn a_call_on_an_os_thread_keeps_panics_too() {
    child("a_panic_under_a_call_on_an_os_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_panic_under_a_call_on_an_os_thread() {
    support::start();
    let mut answers = [-1; 3];
    let payload = caught(|| call(|| repeat(panic_at_with_fallback, &1, &mut answers)));
    assert_eq!(payload.downcast_ref(), Some(&Payload(1)));
    assert_eq!(answers, [10, -77, 12]);
}

#[test]
fn a_panic_that_nobody_catches_comes_out_of_join() {
    child("a_panic_in_a_callback_ends_the_green_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_panic_in_a_callback_ends_the_green_thread() {
    run(|| {
        let payload = spawn(|| call(|| repeat(panic_each_time, &(), &mut [0]))).join().expect_err("it panicked");
        assert_eq!(payload.downcast_ref(), Some(&Payload(0)));
    });
    let payload = caught(|| greenbridge::run(|| call(|| repeat(panic_each_time, &(), &mut [0]))));
    assert_eq!(payload.downcast_ref(), Some(&Payload(0)), "and out of run");
}
