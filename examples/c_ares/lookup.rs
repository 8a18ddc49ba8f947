//! One lookup by c-ares, on the caller's green thread.
//!
//! # What the example vouches for, and why it holds
//! `call_interleaved` lets other lookups use this OS thread while one waits. c-ares then must not keep anything that belongs to the OS thread: it has
//! no thread-locals, changes no signals, and before version 1.21 it has no locks; a channel belongs to one green thread.

use crate::waits::Waits;
use greenbridge::call_interleaved;
use greenbridge::cancel::CancelToken;
use greenbridge::channel::{self, Sender};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::{Ipv4Addr, SocketAddr};
use std::ptr;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) address: Ipv4Addr,
    /// How often c-ares has waited in vain for an answer.
    pub(crate) timeouts: u32,
}

/// Who has asked.
struct Lookup(Sender<Found>);

unsafe extern "C" {
    safe fn c_ares_set_up() -> c_int;
    fn c_ares_resolve(
        server: *const c_char,
        name: *const c_char,
        lookup: *const c_void,
        waits: *const c_void,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
}

/// Prepares c-ares. Once, before the first lookup.
pub(crate) fn set_up() -> Result<(), String> {
    if c_ares_set_up() == 0 { Ok(()) } else { Err("c-ares cannot be set up".into()) }
}

/// Asks `server` for the address of `name`. A cancelled `token` ends it.
pub(crate) fn resolve(server: SocketAddr, name: &str, token: CancelToken) -> Result<Found, String> {
    let [server, name] = [server.to_string(), name.to_owned()].map(CString::new);
    let (server, name) = (server.map_err(|_| "no NUL in an address")?, name.map_err(|_| "a name has no NUL")?);
    let (found, answer) = channel::bounded(1);
    let (lookup, waits) = (Lookup(found), Waits(token));
    let [for_found, for_poll] = [ptr::from_ref(&lookup).cast(), ptr::from_ref(&waits).cast()];
    let mut error = [0; 256];
    // SAFETY: the module's documentation says why c-ares bears it. All arguments live as long as the call, and C writes no more than the room that
    // it is told.
    let code = unsafe {
        call_interleaved(|| {
            let (server, name) = (server.as_ptr(), name.as_ptr());
            c_ares_resolve(server, name, for_found, for_poll, error.as_mut_ptr(), error.len())
        })
    };
    if code == 0 {
        return answer.try_recv().map_err(|_| "an answer without an address".into());
    }
    // SAFETY: C ends what it writes with NUL.
    Err(unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned())
}

/// c-ares has found an address. This may wait, with its frames on the stack.
#[greenbridge::export(fallback = ())]
#[unsafe(no_mangle)]
extern "C" fn c_ares_found(lookup: &Lookup, address: &[u8; 4], timeouts: c_int) {
    greenbridge::yield_now();
    let found = Found { address: Ipv4Addr::from(*address), timeouts: timeouts.try_into().unwrap_or(0) };
    // There is room for one, and there is one.
    let _ = lookup.0.send(found);
}
