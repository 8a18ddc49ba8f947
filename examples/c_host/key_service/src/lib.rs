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

/// Fetches so many keys at once, of nobody in particular, and waits for all of them: on a green thread each, or, if `by_os_threads` is not 0, on an
/// OS thread each, as a library does that has nothing else. Returns how many came.
#[greenbridge::export(fallback = 0)]
#[unsafe(no_mangle)]
pub extern "C" fn key_service_fetch_many(count: c_uint, by_os_threads: c_int) -> c_uint {
    if by_os_threads == 0 { many::on_green_threads(count) } else { many::on_os_threads(count) }
}
