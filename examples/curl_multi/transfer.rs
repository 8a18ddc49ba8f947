//! One transfer by libcurl, on the caller's green thread.
//!
//! # What the example vouches for, and why it holds
//! `call_interleaved` lets other transfers use this OS thread while one waits. libcurl then must not keep anything that belongs to the OS thread:
//! * **In the loop**, where most waits are, no frame of libcurl's is on the stack.
//! * **In the write callback** one is. A multi handle and its easy handle belong to one green thread, they have no locks of their own, and there is no
//!   share handle, whose locks would be held over callbacks. `CURLOPT_NOSIGNAL` is set, so no signal's handling is changed meanwhile.
//! * **Thread-locals.** libcurl itself has none. OpenSSL's error queue is one; libcurl reads it before it calls back.

use crate::waits::Waits;
use greenbridge::call_interleaved;
use greenbridge::cancel::CancelToken;
use greenbridge::channel::Sender;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::slice;

/// Where the bytes of an answer go.
struct Transfer {
    token: CancelToken,
    pieces: Sender<Vec<u8>>,
}

unsafe extern "C" {
    safe fn curl_multi_set_up() -> c_int;
    fn curl_multi_fetch(
        url: *const c_char,
        transfer: *const c_void,
        waits: *const c_void,
        error: *mut c_char,
        room: usize,
    ) -> c_int;
}

/// Prepares libcurl. Once, before the first transfer.
pub(crate) fn set_up() -> Result<(), String> {
    if curl_multi_set_up() == 0 { Ok(()) } else { Err("libcurl cannot be set up".into()) }
}

/// Sends what is at `url` to `pieces`. A cancelled `token` ends it, whatever it waits for.
pub(crate) fn fetch(url: &str, token: CancelToken, pieces: Sender<Vec<u8>>) -> Result<(), String> {
    let url = CString::new(url).map_err(|_| "a URL has no NUL")?;
    let (transfer, waits) = (Transfer { token: token.clone(), pieces }, Waits(token));
    let [for_take, for_poll] = [ptr::from_ref(&transfer).cast(), ptr::from_ref(&waits).cast()];
    let mut error = [0; 256];
    // SAFETY: the module's documentation says why libcurl, used as it is here, bears it. All arguments live as long as the call, and C writes no
    // more than the room that it is told.
    let code = unsafe {
        call_interleaved(|| curl_multi_fetch(url.as_ptr(), for_take, for_poll, error.as_mut_ptr(), error.len()))
    };
    if code == 0 {
        return Ok(());
    }
    // SAFETY: C ends what it writes with NUL.
    Err(unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned())
}

/// A piece has come. Waits until there is room for it, with libcurl's frames on the stack; meanwhile nothing more is read from the socket.
#[greenbridge::export(fallback = -1)]
#[unsafe(no_mangle)]
extern "C" fn curl_multi_take(transfer: &Transfer, bytes: *const c_char, size: usize) -> c_int {
    // SAFETY: libcurl passes so many bytes.
    let piece = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), size) }.to_vec();
    match transfer.token.run(|| transfer.pieces.send(piece)) {
        Ok(Ok(())) => 0,
        Ok(Err(_)) | Err(_) => -1,
    }
}
