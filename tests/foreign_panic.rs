//! A panic in a callback that no call from Rust stands behind ends the process with a message that names the function,
//! or gives C the declared fallback value.
//!
//! That is so on a thread of C's own, and under a bare C call. What could break it: a panic that unwinds into C, or a
//! message that does not say where.

mod support;

use greenbridge::{Start, run};
use std::ffi::{c_long, c_void};
use support::{child, start};

const GREENBRIDGE: Start = Start::by_rust();

type Callback = extern "C" fn(*mut c_void, c_long) -> c_long;

unsafe extern "C" {
    safe fn foreign_panic_on_thread(f: Callback, number: c_long) -> c_long;
    safe fn foreign_panic_here(f: Callback, number: c_long) -> c_long;
}

#[greenbridge::export]
extern "C" fn refuse_odd_numbers(_: *mut c_void, number: c_long) -> c_long {
    assert!(number % 2 == 0, "{number} is odd");
    number / 2
}

#[greenbridge::export(fallback = -1)]
extern "C" fn refuse_odd_numbers_politely(_: *mut c_void, number: c_long) -> c_long {
    assert!(number % 2 == 0, "{number} is odd");
    number / 2
}

#[test]
fn a_panic_on_a_c_thread_aborts_and_names_the_function() {
    child("a_panic_on_a_c_thread").aborts().says("33 is odd").says("refuse_odd_numbers").says("fallback");
}

#[test]
#[ignore = "child process"]
fn a_panic_on_a_c_thread() {
    start();
    assert_eq!(foreign_panic_on_thread(refuse_odd_numbers, 32), 16);
    foreign_panic_on_thread(refuse_odd_numbers, 33);
    unreachable!("the process lives on");
}

#[test]
fn with_a_declared_fallback_the_c_thread_gets_it_and_the_panic_is_reported() {
    let child = child("a_panic_on_a_c_thread_with_a_fallback");
    child.succeeds().says("33 is odd").says("refuse_odd_numbers_politely");
}

#[test]
#[ignore = "child process"]
fn a_panic_on_a_c_thread_with_a_fallback() {
    start();
    for _ in 0..3 {
        assert_eq!(foreign_panic_on_thread(refuse_odd_numbers_politely, 32), 16);
        assert_eq!(foreign_panic_on_thread(refuse_odd_numbers_politely, 33), -1);
    }
}

#[test]
fn a_panic_under_a_bare_call_aborts_and_names_the_function() {
    child("a_panic_under_a_bare_call").aborts().says("33 is odd").says("refuse_odd_numbers");
}

#[test]
#[ignore = "child process"]
fn a_panic_under_a_bare_call() {
    start();
    run(|| {
        assert_eq!(foreign_panic_here(refuse_odd_numbers, 32), 16);
        foreign_panic_here(refuse_odd_numbers, 33);
    });
    unreachable!("the process lives on");
}

#[test]
fn with_a_declared_fallback_a_bare_call_gets_it() {
    child("a_panic_under_a_bare_call_with_a_fallback").succeeds().says("refuse_odd_numbers_politely");
}

#[test]
#[ignore = "child process"]
fn a_panic_under_a_bare_call_with_a_fallback() {
    start();
    run(|| {
        assert_eq!(foreign_panic_here(refuse_odd_numbers_politely, 33), -1);
        assert_eq!(foreign_panic_here(refuse_odd_numbers_politely, 34), 17);
    });
}
