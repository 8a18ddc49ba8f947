//! The places that code may wait in: a green thread, a callback from C, an OS thread, somebody's executor.

use super::{Callback, block_on_os_thread};
use greenbridge::{JoinHandle, call, spawn};
use std::ffi::{c_long, c_void};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;

unsafe extern "C" {
    fn everywhere_enter(f: Callback<c_long>, context: *mut c_void) -> c_long;
}

/// Where a function runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    GreenThread,
    Callback,
    OsThread,
}

impl Place {
    pub(crate) const ALL: [Self; 3] = [Self::GreenThread, Self::Callback, Self::OsThread];

    /// Starts `f` there.
    pub(crate) fn spawn<T: Send + 'static>(self, f: impl FnOnce() -> T + Send + 'static) -> Running<T> {
        match self {
            Self::GreenThread => Running::Green(spawn(f)),
            Self::Callback => Running::Green(spawn(|| in_callback(f))),
            Self::OsThread => Running::Os(thread::spawn(f)),
        }
    }
}

/// Starts `future` on an executor of its own.
pub(crate) fn spawn_future<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Running<T> {
    Running::Os(thread::spawn(|| block_on_os_thread(future)))
}

/// What has been started.
pub(crate) enum Running<T> {
    Green(JoinHandle<T>),
    Os(thread::JoinHandle<T>),
}

impl<T> Running<T> {
    /// Waits for it, and demands that it has not panicked.
    pub(crate) fn join(self) -> T {
        match self {
            Self::Green(running) => running.join().expect("no panic"),
            Self::Os(running) => running.join().expect("no panic"),
        }
    }
}

/// Calls C, which calls `f`. A panic of `f` aborts.
pub(crate) fn in_callback<T: Send, F: FnOnce() -> T + Send>(f: F) -> T {
    struct Both<F, T>(Option<F>, Option<T>);
    unsafe extern "C" fn callback<F: FnOnce() -> T, T>(both: *mut c_void, _: c_long) -> c_long {
        // SAFETY: the pointer that C was given below, to what only this call uses.
        let both = unsafe { &mut *both.cast::<Both<F, T>>() };
        both.1 = both.0.take().map(|f| f());
        0
    }
    let mut both = Both(Some(f), None);
    call(|| {
        let both = &mut both;
        // SAFETY: C hands the pointer on to the callback, once, and returns after it.
        unsafe { everywhere_enter(callback::<F, T>, (&raw mut *both).cast()) }
    });
    both.1.expect("C calls back")
}

/// Polls a future with a waker that does nothing: it is then in the queue, if it must wait.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
