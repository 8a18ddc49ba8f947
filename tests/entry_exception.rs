//! A C++ exception stays on its side. One that C++ throws and catches, with callbacks in between that wait, concerns nobody; one
//! that leaves C++ through frames of Rust ends the process, and says so.
//!
//! What could break it: a callback that moves between a throw and its catch (the exceptions that are being handled are kept for each OS
//! thread), or an exception that skips a callback and leaves its green thread pinned.

mod support;

use greenbridge::{Start, call, spawn, yield_now};
use std::ffi::{CStr, c_long, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use support::{Callback, Outcome, Process, compile_shared_library_of_cpp, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

/// The variable that names the library in C++ to the child.
const LIBRARY: &str = "LIBRARY_IN_CPP";

/// Runs the child, if there is a compiler for what it loads.
fn with_cpp(name: &str) -> Option<Outcome> {
    let library = compile_shared_library_of_cpp("throws.cpp")?;
    Some(Process::child(name).os_env(LIBRARY, library.as_os_str()).run())
}

fn function(name: &CStr) -> *mut c_void {
    let path = std::env::var_os(LIBRARY).expect("the parent names it");
    let path = std::ffi::CString::new(Path::new(&path).as_os_str().as_bytes()).expect("no zero in it");
    // SAFETY: loads a library whose constructors do nothing of note, and looks a symbol up.
    let found = unsafe { libc::dlsym(libc::dlopen(path.as_ptr(), libc::RTLD_NOW), name.as_ptr()) };
    assert!(!found.is_null(), "{name:?} is not there");
    found
}

type Enter = unsafe extern "C" fn(Callback<c_long>, *mut c_void, c_long) -> c_long;

/// Lets C++ call `f` back by its function `name`.
fn enter(name: &CStr, f: extern "C" fn(&(), c_long) -> c_long, number: c_long) -> c_long {
    // SAFETY: this is its type.
    let enter = unsafe { std::mem::transmute::<*mut c_void, Enter>(function(name)) };
    let (f, context) = for_c(f, &());
    // SAFETY: C++ calls `f` with a pointer to nothing.
    call(|| unsafe { enter(f, context, number) })
}

fn throw(number: c_long) -> c_long {
    // SAFETY: this is its type.
    let throw =
        unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(c_long) -> c_long>(function(c"throws_through")) };
    throw(number)
}

fn throw_unwinding(number: c_long) -> c_long {
    // SAFETY: this is its type, too.
    let throw = unsafe {
        std::mem::transmute::<*mut c_void, extern "C-unwind" fn(c_long) -> c_long>(function(c"throws_through"))
    };
    throw(number)
}

#[test]
fn an_exception_that_cpp_catches_is_kept_over_waiting_callbacks() {
    if let Some(child) = with_cpp("callbacks_wait_between_throw_and_catch") {
        child.succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_between_throw_and_catch() {
    run(|| {
        let threads: Vec<_> = (0..40)
            .map(|number| {
                spawn(move || {
                    for _ in 0..20 {
                        assert_eq!(enter(c"throws_within", wait, number), number + 6);
                        assert_eq!(enter(c"throws_catch_around", wait, number), number + 1);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

#[greenbridge::export]
extern "C" fn wait(_: &(), number: c_long) -> c_long {
    yield_now();
    spawn(move || number + 1).join().expect("no panic")
}

/// Who notices first depends on how the compiler has joined the frames: C++, the standard library, or the runtime.
#[track_caller]
fn ends_with_words(name: &str) {
    if let Some(child) = with_cpp(name) {
        child.aborts();
        let words = ["terminate called after throwing", "cannot catch foreign exceptions", "a C++ exception"];
        assert!(words.iter().any(|words| child.stderr.contains(words)), "{child}should have named the exception");
    }
}

#[test]
fn an_exception_out_of_a_call_ends_the_process() {
    ends_with_words("cpp_throws_out_of_a_call");
    if let Some(child) = with_cpp("cpp_throws_out_of_an_unwinding_call") {
        child.aborts().says("unwinds out of a C call");
    }
}

#[test]
#[ignore = "child process"]
fn cpp_throws_out_of_a_call() {
    run(|| call(|| throw(1)));
    unreachable!("the process lives on");
}

#[test]
#[ignore = "child process"]
fn cpp_throws_out_of_an_unwinding_call() {
    run(|| call(|| throw_unwinding(1)));
    unreachable!("the process lives on");
}

#[test]
fn an_exception_over_a_callback_ends_the_process() {
    ends_with_words("cpp_throws_over_a_callback");
    ends_with_words("cpp_throws_over_a_waiting_callback");
    ends_with_words("cpp_throws_unwinding_over_a_callback");
}

#[test]
#[ignore = "child process"]
fn cpp_throws_over_a_callback() {
    run(|| enter(c"throws_catch_around", throw_here, 1));
    unreachable!("the process lives on");
}

#[greenbridge::export]
extern "C" fn throw_here(_: &(), number: c_long) -> c_long {
    throw(number)
}

#[test]
#[ignore = "child process"]
fn cpp_throws_over_a_waiting_callback() {
    run(|| enter(c"throws_catch_around", wait_and_throw, 1));
    unreachable!("the process lives on");
}

#[greenbridge::export]
extern "C" fn wait_and_throw(_: &(), number: c_long) -> c_long {
    yield_now();
    call(|| throw(number))
}

#[test]
#[ignore = "child process"]
fn cpp_throws_unwinding_over_a_callback() {
    run(|| enter(c"throws_catch_around", throw_unwinding_here, 1));
    unreachable!("the process lives on");
}

#[greenbridge::export]
extern "C" fn throw_unwinding_here(_: &(), number: c_long) -> c_long {
    throw_unwinding(number)
}
