//! The C functions that the rows call, as declared in `c/callee.h`.

use std::ffi::{c_int, c_long};

/// A callback as C sees it.
pub(crate) type Callback = extern "C" fn(c_int) -> c_int;

unsafe extern "C" {
    /// Returns `x`.
    pub(crate) fn callee_empty(x: c_int) -> c_int;
    /// Calls `f(x)` `n` times.
    pub(crate) fn callee_loop(f: Callback, x: c_int, n: c_long);
    /// Sleeps, and blocks the OS thread for it.
    fn callee_usleep(us: c_long);
    /// Calls back from one fresh pthread, and waits for its end.
    pub(crate) fn callee_thread(f: Callback, x: c_int, n: c_long, first_ns: *mut f64, rest_ns: *mut f64);
    /// Calls the exported `c_call_get_value`; both pointers are to 32 bytes.
    pub(crate) fn get_value(key: *mut u8, value: *mut u8);
}

/// A bare C call that sleeps for `us` microseconds. The rows wrap it in the way of calling C that they measure.
pub(crate) fn sleep_in_c(us: c_long) {
    // SAFETY: takes a number, touches nothing, may be called on any thread.
    unsafe { callee_usleep(us) }
}

/// Sleeps for `ms` milliseconds outside of what is measured: the processor is handed on at once, and off a green thread
/// only the OS thread sleeps.
pub(crate) fn rest(ms: c_long) {
    greenbridge::call_blocking(|| sleep_in_c(ms * 1000));
}
