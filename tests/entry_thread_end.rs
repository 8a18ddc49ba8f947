//! C may end or cancel an OS thread of its own, also one that has called back. Where Rust frames lie below it, as they do on a
//! worker and in a callback, the process aborts: they can be neither returned to nor unwound.
//!
//! What could break it: a thread of C's own that is held up, or kept, by what a callback left on it; a worker that ends with a
//! processor in its hands while the others wait for it; a cancellation that ends a thread in the middle of a wait.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded, unbounded};
use greenbridge::{Start, call, call_blocking, call_on_thread_stack, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Callback, child, for_c, keep_busy_until, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    safe fn entry_thread_end_exit() -> c_long;
    safe fn entry_thread_end_cancel() -> c_long;
    fn entry_thread_end_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn entry_thread_end_exits_after(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn entry_thread_end_cancelled_after(
        f: Callback<c_long>,
        context: *mut c_void,
        number: c_long,
        meanwhile: Callback<c_long>,
    ) -> c_long;
}

unsafe extern "C-unwind" {
    safe fn entry_thread_end_exit_and_unwind() -> c_long;
}

/// Where a callback asks for a number, and what it waits for.
struct Service {
    requests: Sender<c_long>,
    answers: Receiver<c_long>,
    /// Lets the service answer.
    go: Sender<()>,
    waiting: AtomicUsize,
}

impl Service {
    /// Answers each request once it is let.
    fn start() -> Self {
        let (requests, requested) = unbounded();
        let (answer, answers) = unbounded();
        let (go, gone) = unbounded();
        spawn(move || {
            for number in requested {
                gone.recv().expect("somebody says go");
                answer.send(number).expect("the callback waits");
            }
        });
        Self { requests, answers, go, waiting: AtomicUsize::new(0) }
    }
}

#[greenbridge::export]
extern "C" fn ask(service: &Service, number: c_long) -> c_long {
    service.requests.send(number).expect("the service runs");
    service.waiting.fetch_add(1, Ordering::Release);
    service.answers.recv().expect("it answers")
}

#[test]
fn a_thread_of_c_may_end_itself_after_a_callback() {
    child("threads_of_c_end_themselves").succeeds();
}

#[test]
#[ignore = "child process"]
fn threads_of_c_end_themselves() {
    start();
    let service = Service::start();
    let (f, context) = for_c(ask, &service);
    for number in 0..100 {
        service.go.send(()).expect("the service runs");
        // SAFETY: C hands the pointer on, and joins its thread while `service` is borrowed.
        assert_eq!(unsafe { entry_thread_end_exits_after(f, context, number) }, number);
    }
    assert_eq!(run(|| spawn(|| 5).join().expect("no panic")), 5);
}

#[test]
fn a_thread_of_c_that_is_cancelled_while_its_callback_waits_ends_when_it_is_back_in_c() {
    child("threads_of_c_are_cancelled").succeeds();
}

#[test]
#[ignore = "child process"]
fn threads_of_c_are_cancelled() {
    start();
    let service = Service::start();
    let (f, context) = for_c(ask, &service);
    let (meanwhile, _) = for_c(first_wait_then_let_go, &service);
    for number in 1..=100 {
        service.waiting.store(0, Ordering::Relaxed);
        // SAFETY: as above; `meanwhile` gets the same context.
        assert_eq!(unsafe { entry_thread_end_cancelled_after(f, context, number, meanwhile) }, 1);
    }
    // Whatever was asked for was received: no cancellation took an answer along.
    assert!(service.answers.try_recv().is_err());
    assert_eq!(run(|| spawn(|| 5).join().expect("no panic")), 5);
}

/// Called before the cancellation and after it.
#[greenbridge::export]
extern "C" fn first_wait_then_let_go(service: &Service, _: c_long) -> c_long {
    if service.waiting.load(Ordering::Acquire) < 2 {
        keep_busy_until(|| service.waiting.load(Ordering::Acquire) == 1);
        service.waiting.store(2, Ordering::Release);
    } else {
        service.go.send(()).expect("the service runs");
    }
    0
}

#[test]
fn c_that_ends_its_thread_above_rust_frames_aborts_the_process() {
    for name in [
        "c_exits_in_a_call",
        "c_exits_in_a_blocking_call",
        "c_exits_on_the_thread_stack",
        "c_exits_under_a_bare_call",
        "c_exits_under_a_callback",
        "c_exits_under_a_callback_on_a_thread_of_its_own",
        "c_is_cancelled_in_a_call",
    ] {
        child(name).aborts();
    }
}

#[test]
fn c_that_ends_its_thread_in_a_call_that_may_unwind_is_told_why() {
    child("c_exits_in_a_call_that_may_unwind").aborts().says("unwinds out of a C call").says("pthread_exit");
}

#[test]
#[ignore = "child process"]
fn c_exits_in_a_call_that_may_unwind() {
    among_others(|| call(|| entry_thread_end_exit_and_unwind()));
}

/// Lets `body` run as a green thread among others, on the one processor.
fn among_others(body: impl FnOnce() -> c_long + Send + 'static) {
    support::start_with(greenbridge::Builder::new().processors(1));
    let (_kept, silence) = bounded::<()>(0);
    spawn(move || silence.recv());
    spawn(body).join().expect("no panic");
    unreachable!("the process lives on");
}

#[test]
#[ignore = "child process"]
fn c_exits_in_a_call() {
    among_others(|| call(|| entry_thread_end_exit()));
}

#[test]
#[ignore = "child process"]
fn c_exits_in_a_blocking_call() {
    among_others(|| call_blocking(|| entry_thread_end_exit()));
}

#[test]
#[ignore = "child process"]
fn c_exits_on_the_thread_stack() {
    among_others(|| call_on_thread_stack(|| entry_thread_end_exit()));
}

#[test]
#[ignore = "child process"]
fn c_exits_under_a_bare_call() {
    among_others(|| entry_thread_end_exit());
}

#[greenbridge::export]
extern "C" fn exit_here(_: &(), _: c_long) -> c_long {
    entry_thread_end_exit()
}

#[greenbridge::export]
extern "C" fn wait_and_exit_in_a_call(_: &(), _: c_long) -> c_long {
    yield_now();
    call(|| entry_thread_end_exit())
}

fn enter(f: extern "C" fn(&(), c_long) -> c_long) -> c_long {
    let (f, context) = for_c(f, &());
    // SAFETY: C calls `f` with a pointer to nothing.
    unsafe { entry_thread_end_enter(f, context, 0) }
}

#[test]
#[ignore = "child process"]
fn c_exits_under_a_callback() {
    among_others(|| call(|| enter(wait_and_exit_in_a_call)));
}

#[test]
#[ignore = "child process"]
fn c_exits_under_a_callback_on_a_thread_of_its_own() {
    start();
    enter(exit_here);
    unreachable!("the process lives on");
}

#[test]
#[ignore = "child process"]
fn c_is_cancelled_in_a_call() {
    among_others(|| call(|| entry_thread_end_cancel()));
}
