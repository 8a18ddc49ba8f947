//! An embedded CPython under `call_on_thread_stack`: Python calls back into Rust, the callback waits for another green thread, and
//! others run Python meanwhile, on whatever OS thread they are. The interpreter finds its own idea of threads and stacks.
//!
//! What could break it: a callback that goes on on another OS thread, where the interpreter has other state; a lock of the
//! interpreter that is held over a wait; C frames on a stack that is smaller than the interpreter's own limit allows for.
//!
//! Passed over where Python cannot be embedded.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::stack_meter::measure;
use greenbridge::{Builder, Start, call, call_on_thread_stack, run, spawn};
use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use support::{Library, Outcome, Process, compile_against, panic_text, start, start_with};

const GREENBRIDGE: Start = Start::by_rust();

const FUNCTIONS: &str = include_str!("fixtures/cpython/functions.py");

type Answer = extern "C" fn(c_long) -> c_long;

/// The interpreter of this process.
struct Python {
    call: unsafe extern "C" fn(*const c_char, c_long, *mut c_char, usize) -> c_long,
}

static PYTHON: OnceLock<Python> = OnceLock::new();

/// Starts the interpreter on the calling OS thread.
fn start_python(answer: Answer) {
    let library = Library::load();
    let source = CString::new(FUNCTIONS).expect("no NUL");
    // SAFETY: `embed.c` declares both so.
    let (start, call) = unsafe {
        (
            library.function::<unsafe extern "C" fn(*const c_char, Answer) -> c_int>("embed_start"),
            library.function("embed_call"),
        )
    };
    // SAFETY: once per process; the source is a string.
    assert_eq!(unsafe { start(source.as_ptr(), answer) }, 0, "the functions are not accepted");
    assert!(PYTHON.set(Python { call }).is_ok());
}

/// Calls a Python function from where the caller is. The error is what Python raised.
fn python(name: &str, number: c_long) -> Result<c_long, String> {
    let python = PYTHON.get().expect("it was started");
    let name = CString::new(name).expect("no NUL");
    let mut error = [0; 200];
    // SAFETY: the name is a string; the error is written with its size heeded, and ends with NUL.
    let result = unsafe { (python.call)(name.as_ptr(), number, error.as_mut_ptr(), error.len()) };
    if error[0] == 0 {
        return Ok(result);
    }
    // SAFETY: as above.
    Err(unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned())
}

/// The same as it should be called.
fn on_thread_stack(name: &'static str, number: c_long) -> Result<c_long, String> {
    call_on_thread_stack(|| python(name, number))
}

/// Where questions go, each with the channel for its answer.
type Questions = Sender<(c_long, Sender<c_long>)>;

static QUESTIONS: OnceLock<Questions> = OnceLock::new();

/// Waits for a green thread that runs Python itself before it answers: with the interpreter's lock held, nobody would go on.
#[greenbridge::export(fallback = -1)]
extern "C" fn answer(number: c_long) -> c_long {
    assert!(number >= 0, "a question below zero");
    let (reply, replied) = bounded(0);
    QUESTIONS.get().expect("the service runs").send((number, reply)).expect("the service runs");
    replied.recv().expect("the service replies")
}

/// Starts runtime, interpreter, and two green threads that answer.
fn start_all() {
    start();
    start_python(answer);
    serve();
}

fn serve() {
    let (questions, asked): (Questions, Receiver<_>) = bounded(0);
    for _ in 0..2 {
        let asked = asked.clone();
        spawn(move || {
            for (number, reply) in asked {
                reply.send(on_thread_stack("double", number).expect("no exception")).expect("somebody waits");
            }
        });
    }
    assert!(QUESTIONS.set(questions).is_ok());
}

/// Any Python that can be embedded.
const ANY: &str = "python3-embed";

/// One that counts its frames. From 3.14 on it compares the stack pointer with the bounds of the OS thread's stack instead.
const COUNTS_FRAMES: &str = "python3-embed < 3.14";

/// Runs the child `name` under each of these numbers of processors; none if there is no such Python here.
fn children(which: &str, name: &str, processors: &[usize]) -> Vec<Outcome> {
    let Some(library) = compile_against(which, "python3-dev pkg-config", "cpython/embed.c") else {
        return Vec::new();
    };
    let (variable, value) = Library::variable(&library);
    let run = |count: &usize| {
        let child = Process::child(name).env(variable, value).env("GREENBRIDGE_PROCESSORS", &count.to_string());
        // The stack that the interpreter is used to: its limit of 1,000 levels takes 1.6 MiB of the 2 that a worker has.
        child.env("RUST_MIN_STACK", "8388608").run()
    };
    processors.iter().map(run).collect()
}

#[track_caller]
fn succeeds(name: &str, processors: &[usize]) {
    for child in children(ANY, name, processors) {
        child.succeeds();
    }
}

#[test]
fn a_python_callback_waits_for_a_green_thread_that_runs_python() {
    succeeds("python_asks_green_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn python_asks_green_threads() {
    start_all();
    run(|| {
        assert_eq!(on_thread_stack("total", 10), Ok(90));
        assert_eq!(on_thread_stack("total_by_ctypes", 10), Ok(90));
        assert_eq!(on_thread_stack("sort", 30), Ok(1));
    });
    // And from an OS thread that is not the runtime's.
    assert_eq!(on_thread_stack("total", 10), Ok(90));
}

#[test]
fn many_green_threads_are_in_python_at_once() {
    succeeds("a_hundred_green_threads_in_python", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_hundred_green_threads_in_python() {
    start_all();
    run(|| {
        let functions = ["total", "total_by_ctypes", "sort", "stay"];
        let threads: Vec<_> = (0..100)
            .map(|n| {
                spawn(move || {
                    for turn in 1..4 {
                        let expected = if n % 4 < 2 { turn * (turn - 1) } else { 1 };
                        assert_eq!(on_thread_stack(functions[n % 4], turn), Ok(expected), "{}", functions[n % 4]);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn threads_that_python_makes_wait_too() {
    succeeds("python_threads_ask", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn python_threads_ask() {
    start_all();
    run(|| assert_eq!(on_thread_stack("ask_on_threads", 20), Ok(380)));
}

#[test]
fn exceptions_and_panics_each_stay_on_their_side() {
    succeeds("exceptions_and_panics", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn exceptions_and_panics() {
    start_all();
    run(|| {
        let raised = on_thread_stack("fail", 7).expect_err("it divides by zero");
        assert!(raised.starts_with("ZeroDivisionError: "), "{raised}");
        // The callback panics, Python gets the fallback, and makes an exception of it, which it handles. Then the panic goes on here.
        let panicked =
            catch_unwind(AssertUnwindSafe(|| on_thread_stack("refused", 5))).expect_err("the callback panicked");
        assert_eq!(panic_text(&*panicked), "a question below zero");
        // The interpreter is as good as new.
        assert_eq!(on_thread_stack("total", 10), Ok(90));
    });
}

#[test]
fn the_interpreters_own_limit_ends_a_recursion() {
    succeeds("recursions_meet_the_limit", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn recursions_meet_the_limit() {
    start_all();
    run(|| {
        assert_eq!(on_thread_stack("flat", 900), Ok(900));
        // A chain of frames in C to nearly the limit of 1,000, and a callback that waits at its end.
        assert_eq!(on_thread_stack("nested", 300), Ok(42));
        for _ in 0..3 {
            let raised = on_thread_stack("without_end", 0).expect_err("it has no end");
            assert!(raised.starts_with("RecursionError: "), "{raised}");
        }
    });
}

#[test]
fn an_ordinary_call_lacks_the_stack_that_the_interpreter_counts_on() {
    for child in children(COUNTS_FRAMES, "a_recursion_under_an_ordinary_call", &[1]) {
        child.aborts().says("overflowed its stack of 256 KiB").says("Builder::stack_size");
    }
}

#[test]
#[ignore = "overflows its stack"]
fn a_recursion_under_an_ordinary_call() {
    start_all();
    let result = run(|| call(|| python("without_end", 0)));
    unreachable!("the interpreter noticed: {result:?}");
}

#[test]
fn an_ordinary_call_works_with_a_stack_that_is_large_enough() {
    for child in children(COUNTS_FRAMES, "ordinary_calls_with_large_stacks", &[1, 2]) {
        child.succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn ordinary_calls_with_large_stacks() {
    start_with(Builder::new().stack_size(8 << 20));
    start_python(answer);
    serve();
    run(|| {
        let threads: Vec<_> = (0..20).map(|_| spawn(|| call(|| python("total", 10)))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), Ok(90));
        }
        let (result, stack_use) = measure(|| call(|| python("without_end", 0))).expect("this is a green thread");
        let raised = result.expect_err("it has no end");
        assert!(raised.starts_with("RecursionError: "), "{raised}");
        println!("down to the limit of the interpreter: {} bytes of stack", stack_use.bytes());
    });
}
