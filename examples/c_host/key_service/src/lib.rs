//! A key service for C: it answers in the middle of a C call, and what it answers comes from a slow place.
//!
//! C calls [`key_service_get`] from any thread, in any callback, and never initialises anything. The first call starts the runtime.
//!
//! ```text
//!   a thread of C's ──► key_service_get ──► channel ──► the service: a green thread that keeps the keys
//!         ▲                                               │ not there: a green thread fetches it, a moment of waiting
//!         └────────────── oneshot ◄───────────────────────┴─ there, or when it has come: all who wait for it
//! ```

mod many;
mod service;
mod vault;

use greenbridge::Start;
use std::ffi::{CStr, c_char, c_int, c_uchar, c_uint};
use std::time::Duration;

// SAFETY: nothing in this library touches a thread-local, and all that lives across a wait is `Send`.
const GREENBRIDGE: Start = unsafe { Start::on_first_entry() }.thread_name("keys");

/// The length of a key in bytes.
pub const KEY_SIZE: usize = 16;

/// Writes the key of that name to `key`, which has room for 16 bytes. Returns 0, or -1 if the name is not UTF-8, the runtime could not be
/// started, or one of the pointers is null.
///
/// It waits, and may be called from any thread.
///
/// # Safety
/// `name` is null or a C string; `key` is null or has room for 16 bytes.
#[greenbridge::export(fallback = -1)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn key_service_get(name: *const c_char, key: *mut c_uchar) -> c_int {
    if name.is_null() || key.is_null() {
        return -1;
    }
    // SAFETY: by contract.
    let Ok(name) = unsafe { CStr::from_ptr(name) }.to_str() else { return -1 };
    let Some(answer) = service::ask(name) else { return -1 };
    // SAFETY: by contract there is room.
    unsafe { key.cast::<[u8; KEY_SIZE]>().write(answer) };
    0
}

/// How many keys have been fetched so far: each once, however many have asked for it.
#[greenbridge::export(fallback = 0)]
#[unsafe(no_mangle)]
pub extern "C" fn key_service_fetched() -> u64 {
    vault::fetched()
}

/// Fetches so many keys at once, of nobody in particular and each from a place that takes `delay_ms` to answer, and waits for all of them. `way`
/// says how: on a green thread each (0), on a pool of 512 OS threads as async runtimes have for calls that block (1), or on an OS thread each (2).
/// Writes to `took_ns` after how many nanoseconds each came. Returns how many came.
///
/// # Safety
/// `took_ns` has room for `count` numbers.
#[greenbridge::export(fallback = 0)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn key_service_fetch_many(
    count: c_uint,
    way: c_int,
    delay_ms: c_uint,
    took_ns: *mut u64,
) -> c_uint {
    let delay = Duration::from_millis(delay_ms.into());
    let times = match way {
        0 => many::on_green_threads(count, delay),
        1 => many::on_pool(count, delay),
        2 => many::on_os_threads(count, delay),
        _ => return 0,
    };
    for (at, time) in times.iter().enumerate() {
        // SAFETY: by contract; there are no more than `count`.
        unsafe { took_ns.add(at).write(time.as_nanos() as u64) };
    }
    times.len() as c_uint
}
