//! The way in: the gate, the count of callbacks, the panic boundary.
//!
//! It is what `callback.rs` is for exports, but every failure becomes a code: C gets it, and nobody else is told. A panic in here is one of
//! ours or of a destructor that C has never heard of, so it is not kept for a Rust caller further down.

use super::PROMISE;
use super::codes::{Code, GB_EPANIC, GB_OK};
use crate::primitive::{AtomicBool, Ordering};
use crate::promise::Site;
use crate::start;
use greenbridge_runtime::{StartError, bridge};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

static SITE: Site = Site::new("a function of greenbridge.h", &PROMISE);

/// Lets C in, and runs `body`.
///
/// The slots' address is held over `body`, as in `callback::callback` and for the same reason; the functions it is inlined into are called
/// by C, and never inlined.
#[inline(always)]
pub(super) fn entry(body: impl FnOnce() -> Result<(), Code>) -> c_int {
    if !start::is_ready()
        && let Err(Code(code)) = admit()
    {
        return code;
    }
    let result = bridge::slots(|slots| slots.in_callback(|| catch_unwind(AssertUnwindSafe(body))));
    match result {
        Ok(Ok(())) => GB_OK,
        Ok(Err(Code(code))) => code,
        Err(payload) => drop_payload(payload),
    }
}

/// As [`entry`], for what needs no runtime and starts none.
pub(super) fn entry_without_runtime(body: impl FnOnce() -> Result<(), Code>) -> c_int {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => GB_OK,
        Ok(Err(Code(code))) => code,
        Err(payload) => drop_payload(payload),
    }
}

/// Passes the gate the slow way.
#[cold]
#[inline(never)]
fn admit() -> Result<(), Code> {
    match catch_unwind(|| start::from_c(&SITE)) {
        Ok(passed) => passed.map_err(|error| refused("the runtime that a first call starts", &error)),
        Err(_) => Err(Code(GB_EPANIC)),
    }
}

/// The code of a failed start. The reason, which a number cannot tell, goes to standard error once.
#[cold]
pub(super) fn refused(who: &str, error: &StartError) -> Code {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    use bridge::StartErrorKind::{Panicked, Setting, System};
    if matches!(error.kind(), Panicked | Setting | System) && !IS_TOLD.swap(true, Ordering::Relaxed) {
        eprintln!("greenbridge: {who}: {error}");
    }
    Code::from(error)
}

/// What was panicked with may panic when it is dropped.
#[cold]
#[inline(never)]
fn drop_payload(payload: bridge::Payload) -> c_int {
    let Code(code) = Code::from(&payload);
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(again);
    }
    code
}
