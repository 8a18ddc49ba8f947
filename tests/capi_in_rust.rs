//! In a program of Rust the functions for C use its runtime: they do not start one, they tell panics by a code, and they know Rust's handles.
//!
//! What could break it: a runtime that is started without anybody's promise, or a panic that unwinds into C.

mod support;

use greenbridge::capi::{
    GB_EALREADY, GB_EHANDLE, GB_ENOTSTARTED, GB_EPANIC, GB_OK, gb_event_free, gb_event_new, gb_event_wait,
    gb_event_wait_ns, gb_handle_delete, gb_handle_get, gb_handle_new, gb_join, gb_sleep_ns, gb_spawn, gb_start,
    gb_yield,
};
use greenbridge::{Handle, Start};
use std::ffi::c_void;
use std::ptr;
use support::{child, run, start, thread_count};

const GREENBRIDGE: Start = Start::by_rust();

#[test]
fn nothing_is_started_for_a_program_that_has_not_promised() {
    child("not_started").succeeds();
}

#[test]
#[ignore = "child process"]
fn not_started() {
    let threads = thread_count();
    assert_eq!(gb_yield(), GB_ENOTSTARTED);
    assert_eq!(gb_sleep_ns(1), GB_ENOTSTARTED);
    assert_eq!(thread_count(), threads);
    start();
    assert_eq!(gb_yield(), GB_OK);
    // SAFETY: NULL.
    assert_eq!(unsafe { gb_start(ptr::null()) }, GB_EALREADY);
}

#[greenbridge::export]
unsafe extern "C" fn panics(_: *mut c_void) -> *mut c_void {
    panic!("in a function that C calls");
}

#[test]
fn panic_on_a_green_thread_of_c_is_a_code() {
    child("panic_is_a_code").succeeds().says("in a function that C calls");
}

#[test]
#[ignore = "child process"]
fn panic_is_a_code() {
    start();
    let mut thread = ptr::null_mut();
    let mut result = ptr::dangling_mut();
    // SAFETY: valid pointers; the function takes any argument.
    unsafe {
        assert_eq!(gb_spawn(Some(panics), ptr::null_mut(), ptr::null(), &mut thread), GB_OK);
        assert_eq!(gb_join(thread, &mut result), GB_EPANIC);
    }
    assert!(result.is_null());
}

#[test]
fn wait_under_a_bare_call_is_a_code() {
    child("bare_call_is_a_code").succeeds().says("greenbridge::call");
}

#[test]
#[ignore = "child process"]
fn bare_call_is_a_code() {
    run(|| {
        let mut event = ptr::null_mut();
        // SAFETY: valid pointers, an event that is freed last.
        unsafe {
            assert_eq!(gb_event_new(0, &mut event), GB_OK);
            // This very code stands for C that Rust has called bare.
            assert_eq!(gb_event_wait(event), GB_EPANIC);
            assert_eq!(greenbridge::call(|| gb_event_wait_ns(event, 1000)), greenbridge::capi::GB_ETIMEDOUT);
            gb_event_free(event);
        }
    });
}

#[test]
fn handles_of_rust_and_of_c_are_told_apart() {
    let mut value = ptr::null_mut();
    let mut raw = 0;
    let of_rust = Handle::new(5_u8);
    // SAFETY: valid pointers.
    unsafe {
        assert_eq!(gb_handle_get(of_rust.as_raw(), &mut value), GB_EHANDLE);
        assert_eq!(gb_handle_new(ptr::null_mut(), &mut raw), GB_OK);
    }
    assert!(Handle::from_raw(raw).get::<u8>().expect_err("it is C's").is_wrong_type());
    assert_eq!(gb_handle_delete(of_rust.as_raw()), GB_OK);
    assert!(of_rust.get::<u8>().is_err());
    assert_eq!(gb_handle_delete(raw), GB_OK);
}
