//! C that jumps out of a callback with `longjmp` is found out when the call returns: the process ends with a message, and
//! never goes on with a green thread that is still taken for one in a callback.
//!
//! What could break it: a pin or a count that the skipped frames would have undone.

mod support;

use greenbridge::{Start, call, yield_now};
use std::ffi::{c_long, c_void};
use support::{Callback, child, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn skipped_callback_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    safe fn skipped_callback_jump() -> c_long;
    safe fn skipped_callback_jump_in_c() -> c_long;
}

fn enter(f: extern "C" fn(&(), c_long) -> c_long) -> c_long {
    let (f, context) = for_c(f, &());
    // SAFETY: C calls `f` with a pointer to nothing.
    call(|| unsafe { skipped_callback_enter(f, context, 0) })
}

#[test]
fn a_jump_out_of_a_callback_aborts_and_says_so() {
    child("c_jumps_out_of_a_callback").aborts().says("longjmp");
    child("c_jumps_out_of_a_nested_call").aborts().says("longjmp");
}

#[test]
#[ignore = "child process"]
fn c_jumps_out_of_a_callback() {
    run(|| enter(jump_barely));
    unreachable!("the process lives on");
}

#[greenbridge::export]
extern "C" fn jump_barely(_: &(), _: c_long) -> c_long {
    yield_now();
    skipped_callback_jump()
}

#[test]
#[ignore = "child process"]
fn c_jumps_out_of_a_nested_call() {
    run(|| enter(jump_in_a_call));
    unreachable!("the process lives on");
}

#[greenbridge::export]
extern "C" fn jump_in_a_call(_: &(), _: c_long) -> c_long {
    call(|| skipped_callback_jump())
}

#[test]
fn a_jump_within_c_concerns_nobody() {
    child("c_jumps_within_itself").succeeds();
}

#[test]
#[ignore = "child process"]
fn c_jumps_within_itself() {
    run(|| {
        assert_eq!(call(|| skipped_callback_jump_in_c()), 3);
        assert_eq!(enter(jump_within_c), 0);
    });
}

#[greenbridge::export]
extern "C" fn jump_within_c(_: &(), _: c_long) -> c_long {
    call(|| skipped_callback_jump_in_c())
}
