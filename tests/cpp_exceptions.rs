//! A C++ exception stays among C++ frames: one that is thrown and caught there concerns nobody, whatever callbacks wait
//! meanwhile, and one that would enter a Rust frame ends the process with a message.
//!
//! What could break it: the exceptions in flight, which C++ keeps for each OS thread, mixed up between green threads; or an
//! exception that unwinds Rust and leaves a call that is never over.
//!
//! Passed over where there is no compiler for C++.

mod support;

use greenbridge::{Start, call, call_on_thread_stack, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::LazyLock;
use support::{Callback, Library, Outcome, Process, Way, compile_cpp_library, for_c, start};

const GREENBRIDGE: Start = Start::by_rust();

type CallsBack = unsafe extern "C" fn(Callback<c_long>, *mut c_void, c_long) -> c_long;

/// The C++ half, in the child.
struct Cpp {
    catch: extern "C" fn(c_long) -> c_long,
    in_handler: CallsBack,
    in_flight: CallsBack,
    from_callback: CallsBack,
    escape: extern "C" fn(c_long) -> c_long,
    /// The same function, declared as one that may unwind.
    escape_and_unwind: extern "C-unwind" fn(c_long) -> c_long,
}

static CPP: LazyLock<Cpp> = LazyLock::new(|| {
    let library = Library::load();
    // SAFETY: `exceptions.cpp` declares them so; what the two escapes do to Rust is what the tests are about.
    unsafe {
        Cpp {
            catch: library.function("exceptions_catch"),
            in_handler: library.function("exceptions_call_back_in_handler"),
            in_flight: library.function("exceptions_call_back_in_flight"),
            from_callback: library.function("exceptions_catch_from_callback"),
            escape: library.function("exceptions_escape"),
            escape_and_unwind: library.function("exceptions_escape"),
        }
    }
});

fn children(name: &str, processors: &[usize]) -> Vec<Outcome> {
    let Some(library) = compile_cpp_library("cpp/exceptions.cpp") else { return Vec::new() };
    let (variable, value) = Library::variable(&library);
    let run = |count: &usize| {
        Process::child(name).env(variable, value).env("GREENBRIDGE_PROCESSORS", &count.to_string()).run()
    };
    processors.iter().map(run).collect()
}

/// Calls C++, which calls `f` with `number`.
fn calling_back(how: CallsBack, f: extern "C" fn(&(), c_long) -> c_long, number: c_long) -> c_long {
    let (f, context) = for_c(f, &());
    // SAFETY: C++ hands on a pointer to nothing, and returns after the callback.
    unsafe { how(f, context, number) }
}

#[test]
fn what_is_caught_in_cpp_concerns_nobody() {
    for child in children("exceptions_are_caught_in_cpp", &[1, 2, 8]) {
        child.succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn exceptions_are_caught_in_cpp() {
    start();
    run(|| {
        let threads: Vec<_> = (0..40)
            .map(|n| {
                spawn(move || {
                    for way in Way::ALL {
                        assert_eq!(way.call(|| (CPP.catch)(n)), n, "{way:?}");
                        yield_now();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

/// Others throw and catch on this OS thread, in calls that need none of their own, and this one waits for them.
#[greenbridge::export]
extern "C" fn wait(_: &(), number: c_long) -> c_long {
    let others: Vec<_> = (0..3).map(|n| spawn(move || call(|| (CPP.catch)(number + n)))).collect();
    let sum: c_long = others.into_iter().map(|other| other.join().expect("no panic")).sum();
    sum - 2 * number - 3
}

#[test]
fn a_callback_waits_while_an_exception_is_handled_or_in_flight() {
    for child in children("callbacks_wait_amid_exceptions", &[1, 2, 8]) {
        child.succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_amid_exceptions() {
    start();
    run(|| {
        let ways = [Way::Call, Way::Blocking, Way::OnThreadStack];
        let threads: Vec<_> = (0..45)
            .map(|n| {
                let way = ways[n as usize % 3];
                spawn(move || {
                    for how in [CPP.in_handler, CPP.in_flight] {
                        assert_eq!(way.call(|| calling_back(how, wait, n)), n, "{way:?}");
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
fn an_exception_that_leaves_cpp_for_a_call_ends_the_process() {
    for name in ["an_exception_escapes_to_a_call", "an_exception_escapes_from_the_thread_stack"] {
        for child in children(name, &[1]) {
            // Whether C++ finds that it has nowhere to go, or Rust that it is none of its own, is up to what was inlined.
            let words = ["terminate called after throwing", "Rust cannot catch foreign exceptions"];
            let said = words.iter().any(|words| child.stderr.contains(words));
            assert!(said, "{}should have said one of {words:?}", child.aborts());
        }
    }
}

#[test]
#[ignore = "the process aborts"]
fn an_exception_escapes_to_a_call() {
    start();
    let result = run(|| call(|| (CPP.escape)(5)));
    unreachable!("the process lives on: {result}");
}

#[test]
#[ignore = "the process aborts"]
fn an_exception_escapes_from_the_thread_stack() {
    start();
    let result = run(|| call_on_thread_stack(|| (CPP.escape)(5)));
    unreachable!("the process lives on: {result}");
}

#[test]
fn one_that_is_declared_to_unwind_ends_it_too() {
    for child in children("an_exception_unwinds_a_call", &[1]) {
        child.aborts().says("Rust cannot catch foreign exceptions");
    }
    for child in children("an_exception_unwinds_the_thread_stack", &[1]) {
        child.aborts().says("Rust cannot catch foreign exceptions");
    }
}

#[test]
#[ignore = "the process aborts"]
fn an_exception_unwinds_a_call() {
    start();
    let result = run(|| call(|| (CPP.escape_and_unwind)(5)));
    unreachable!("the process lives on: {result}");
}

#[test]
#[ignore = "the process aborts"]
fn an_exception_unwinds_the_thread_stack() {
    start();
    let result = run(|| call_on_thread_stack(|| (CPP.escape_and_unwind)(5)));
    unreachable!("the process lives on: {result}");
}

#[test]
fn no_exception_passes_a_callback() {
    for child in children("an_exception_meets_a_callback", &[1]) {
        child.aborts().says("Rust cannot catch foreign exceptions");
    }
}

#[test]
#[ignore = "the process aborts"]
fn an_exception_meets_a_callback() {
    start();
    let result = run(|| call(|| calling_back(CPP.from_callback, let_through, 5)));
    unreachable!("the process lives on: {result}");
}

#[greenbridge::export]
extern "C" fn let_through(_: &(), number: c_long) -> c_long {
    (CPP.escape_and_unwind)(number)
}
