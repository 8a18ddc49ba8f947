//! `#[greenbridge::export]` takes every form of function that C can call, and each stays the function that it was: its
//! arguments, patterns, early returns and order of drops.
//!
//! What could break it: an argument that the body does not name and that is therefore dropped outside the panic boundary, a
//! pattern that is not bound again, a return type or a comma inside `<..>` that is cut in the wrong place.

mod support;

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{child, run, start};

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[test]
fn each_form_of_function_is_called_as_written() {
    child("calls_of_every_form").succeeds();
}

#[test]
#[ignore = "child process"]
fn calls_of_every_form() {
    start();
    assert_eq!(early_return(ptr::null()), -1);
    assert_eq!(early_return(c"x".as_ptr()), 1);
    assert_eq!(nested::pattern(Pair { left: 1, right: 2 }, 3, 4), 8);
    assert_eq!(unsafe_function(&raw const SEVEN), 7);
    assert_eq!(with_lifetimes(&1, &2), 1);
    assert_eq!(*elided(&5), 5);
    assert_eq!(function_pointer(Some(twice), 4), 8);
    assert_eq!(Rows::count(&Rows(Mutex::new(vec![1, 2]))), 2);
    assert_eq!(from_a_macro(Some(Box::new(3))).as_deref(), Some(&3));
    assert_eq!(r#type(2), 2);
    nothing();
}

static SEVEN: c_int = 7;

#[greenbridge::export]
#[unsafe(no_mangle)]
extern "C" fn early_return(text: *const c_char) -> c_int {
    if text.is_null() {
        return -1;
    }
    1
}

#[repr(C)]
struct Pair {
    left: c_int,
    right: c_int,
}

mod nested {
    use super::*;

    /// The attribute may stand on either side of `no_mangle`, and the promise is found from inside a module.
    #[unsafe(no_mangle)]
    #[greenbridge::export(fallback = -1,)]
    pub(super) extern "C" fn pattern(Pair { left, .. }: Pair, mut count: c_int, _: c_int) -> c_int {
        count += left;
        count * 2
    }
}

fn unsafe_function(number: *const c_int) -> c_int {
    /// # Safety
    /// `number` points to a number.
    #[greenbridge::export]
    unsafe extern "C" fn read(number: *const c_int) -> c_int {
        // SAFETY: the caller vouches for it.
        unsafe { *number }
    }
    // SAFETY: it points to a static.
    unsafe { read(number) }
}

#[greenbridge::export]
extern "C" fn with_lifetimes<'a, 'b: 'a>(first: &'a c_int, _second: &'b c_int) -> c_int {
    *first
}

#[greenbridge::export(fallback = &0)]
extern "C" fn elided(number: &c_int) -> &c_int {
    number
}

#[greenbridge::export]
extern "C" fn function_pointer(f: Option<extern "C" fn(c_int, *mut Option<u8>) -> c_int>, number: c_int) -> c_int {
    f.map_or(0, |f| f(number, ptr::null_mut()))
}

#[greenbridge::export]
extern "C" fn twice(number: c_int, _unused: *mut Option<u8>) -> c_int {
    number * 2
}

struct Rows(Mutex<Vec<c_int>>);

impl Rows {
    /// The guard of the last expression is dropped before the argument that it borrows.
    #[greenbridge::export]
    extern "system" fn count(rows: &Self) -> usize {
        rows.0.lock().expect("not poisoned").len()
    }
}

macro_rules! identity {
    ($visibility:vis $name:ident, $ty:ty, $body:block) => {
        #[greenbridge::export]
        $visibility extern "C" fn $name(value: $ty) -> $ty {
            let passed: $ty = $body;
            passed.or(value)
        }
    };
}

identity!(pub(crate) from_a_macro, Option<Box<c_int>>, { None });

#[greenbridge::export]
extern "C" fn r#type(r#in: c_int) -> c_int {
    r#in
}

#[greenbridge::export]
extern "C" fn nothing() {}

#[test]
fn an_argument_is_dropped_inside_the_panic_boundary() {
    child("arguments_whose_drop_panics").succeeds();
}

/// Panics when it is dropped.
struct Bomb;

static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Bomb {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        panic!("the bomb was dropped");
    }
}

#[test]
#[ignore = "child process"]
fn arguments_whose_drop_panics() {
    start();
    assert_eq!(takes_unused(Some(Box::new(Bomb))), -1);
    assert_eq!(takes_wildcard(Some(Box::new(Bomb))), -1);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 2);
}

#[greenbridge::export(fallback = -1)]
extern "C" fn takes_unused(_bomb: Option<Box<Bomb>>) -> c_int {
    0
}

#[greenbridge::export(fallback = -1)]
extern "C" fn takes_wildcard(_: Option<Box<Bomb>>) -> c_int {
    0
}

#[test]
fn a_body_that_never_returns_gives_the_fallback() {
    child("bodies_that_only_panic").succeeds();
}

#[test]
#[ignore = "child process"]
fn bodies_that_only_panic() {
    run(|| {
        assert_eq!(echo_on_panic(7), 7);
        let kept = std::panic::catch_unwind(|| {
            greenbridge::call(|| {
                nothing_but_a_panic();
                assert!(null_on_panic().is_null());
            });
        });
        assert!(kept.is_err(), "the panic was lost");
    });
}

/// The fallback may be an argument.
#[greenbridge::export(fallback = otherwise)]
extern "C" fn echo_on_panic(otherwise: c_int) -> c_int {
    panic!("no answer")
}

#[greenbridge::export]
extern "C" fn nothing_but_a_panic() {
    panic!("no answer")
}

#[greenbridge::export]
extern "C" fn null_on_panic() -> *mut c_void {
    panic!("no answer")
}
