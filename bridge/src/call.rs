//! The ways to call C.
//!
//! | way | for |
//! |---|---|
//! | the bare C call | short C that does not block; a callback under it may not wait |
//! | [`call`] | any C |
//! | [`call_blocking`] | C that is known to block |
//! | [`call_interleaved`] | thousands of calls whose callbacks wait, of C that keeps no thread-owned state across a callback |
//! | [`call_on_thread_stack`] | C that looks at the bounds of its stack |
//!
//! All of them keep the green thread on its OS thread until C has returned, and all let callbacks wait. They work on any OS thread; off
//! the green threads there is nothing to hand on, and they only keep panics. `docs/which-call.md` helps to choose.

use crate::errno::with_errno;
use greenbridge_runtime::bridge::{Way, in_c, in_c_interleaved, in_c_slowly, on_thread_stack};
use std::ffi::c_int;

/// Calls C: `f` does so, and returns what C returned.
///
/// While C runs, nobody else is held up: if other green threads wait for the processor, it is taken away within a fraction of a
/// millisecond and given to another OS thread. While a callback waits, its OS thread runs other green threads, but none of them
/// calls C there: C never sees two call chains on one OS thread.
///
/// # Blocking
/// As long as C does. If the processor was taken meanwhile, the green thread may queue for one afterwards.
///
/// # Panics
/// With the panic of `f`, or with the first panic of a callback: that is kept over the C frames, C gets the export's fallback, and the panic
/// goes on here. Also if it needs an OS thread of its own at [`Builder::max_threads`](crate::Builder::max_threads), and nothing that
/// runs could ever free one.
///
/// # Examples
/// ```
/// # unsafe extern "C" { safe fn abs(n: std::ffi::c_int) -> std::ffi::c_int; }
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge::Builder::new().start()? };
/// assert_eq!(greenbridge::run(|| greenbridge::call(|| abs(-3))), 3);
/// # Ok::<(), greenbridge::StartError>(())
/// ```
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn call<R>(f: impl FnOnce() -> R) -> R {
    in_c(Way::Call, f)
}

/// As [`call`], and returns C's errno beside the result, 0 if C set none.
///
/// # Panics
/// As [`call`].
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge::Builder::new().start()? };
/// // SAFETY: -1 is no descriptor, and close takes nothing else.
/// let (result, errno) = greenbridge::run(|| greenbridge::call_errno(|| unsafe { libc::close(-1) }));
/// assert_eq!((result, errno), (-1, libc::EBADF));
/// # Ok::<(), greenbridge::StartError>(())
/// ```
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn call_errno<R>(f: impl FnOnce() -> R) -> (R, c_int) {
    call(|| with_errno(f))
}

/// Calls C that is known to block: the processor is handed on at once, where [`call`] waits to see whether C returns soon.
///
/// It costs a hand-off, also where C returns at once. A green thread whose last `call` was so long that its processor was taken does the
/// same without being told.
///
/// # Blocking
/// As [`call`].
///
/// # Panics
/// As [`call`].
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge::Builder::new().start()? };
/// // SAFETY: usleep takes a number.
/// let result = greenbridge::run(|| greenbridge::call_blocking(|| unsafe { libc::usleep(100) }));
/// assert_eq!(result, 0);
/// # Ok::<(), greenbridge::StartError>(())
/// ```
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn call_blocking<R>(f: impl FnOnce() -> R) -> R {
    in_c_slowly(Way::Blocking, f)
}

/// As [`call_blocking`], and returns C's errno beside the result, 0 if C set none.
///
/// # Panics
/// As [`call`].
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn call_blocking_errno<R>(f: impl FnOnce() -> R) -> (R, c_int) {
    call_blocking(|| with_errno(f))
}

/// Calls C whose callbacks wait, without keeping an OS thread for it: thousands of such calls share a few.
///
/// While a callback waits, other calls of this way run on the same OS thread, and return in whatever order. Calls of the other ways do
/// not run there. `errno` is kept for each call.
///
/// # Safety
/// C holds nothing across a callback that belongs to the OS thread: no lock, pthread key, `jmp_buf`, C++ exception in flight, floating
/// point control word, locale, signal mask or error queue. For it the OS thread's state may have changed when the callback returns.
///
/// # Blocking
/// As [`call`]. C that blocks without calling back also holds up the other calls on its OS thread: use [`call_blocking`] for it.
///
/// # Panics
/// As [`call`].
///
/// # Examples
/// ```
/// # unsafe extern "C" { safe fn labs(n: std::ffi::c_long) -> std::ffi::c_long; }
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge::Builder::new().start()? };
/// // SAFETY: labs calls nobody back.
/// assert_eq!(greenbridge::run(|| unsafe { greenbridge::call_interleaved(|| labs(-3)) }), 3);
/// # Ok::<(), greenbridge::StartError>(())
/// ```
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub unsafe fn call_interleaved<R>(f: impl FnOnce() -> R) -> R {
    in_c_interleaved(f)
}

/// As [`call_interleaved`], and returns C's errno beside the result, 0 if C set none.
///
/// # Safety
/// As [`call_interleaved`].
///
/// # Panics
/// As [`call`].
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub unsafe fn call_interleaved_errno<R>(f: impl FnOnce() -> R) -> (R, c_int) {
    // SAFETY: the caller's.
    unsafe { call_interleaved(|| with_errno(f)) }
}

/// Calls C on the OS thread's own stack: for C that asks the system where its stack ends, and for C that needs more than a green
/// thread's stack.
///
/// `f` runs on that stack too, hence `Send`. A callback that waits blocks the OS thread; the processor is handed on first.
///
/// # Blocking
/// As [`call`].
///
/// # Panics
/// As [`call`].
///
/// # Examples
/// ```
/// # unsafe extern "C" { safe fn abs(n: std::ffi::c_int) -> std::ffi::c_int; }
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge::Builder::new().start()? };
/// assert_eq!(greenbridge::run(|| greenbridge::call_on_thread_stack(|| abs(-3))), 3);
/// # Ok::<(), greenbridge::StartError>(())
/// ```
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn call_on_thread_stack<R>(f: impl FnOnce() -> R + Send) -> R {
    in_c(Way::OnThreadStack, || on_thread_stack(f))
}

/// As [`call_on_thread_stack`], and returns C's errno beside the result, 0 if C set none.
///
/// # Panics
/// As [`call`].
#[inline(always)]
#[cfg_attr(feature = "trace", track_caller)]
pub fn call_on_thread_stack_errno<R: Send>(f: impl FnOnce() -> R + Send) -> (R, c_int) {
    call_on_thread_stack(|| with_errno(f))
}
