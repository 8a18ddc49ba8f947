//! The way OS threads are made, interposed: what `fixtures/pthread_create.c` offers to a process that has it preloaded.

use super::{Process, compile_shared_library};
use std::ffi::{CStr, c_long, c_void};

impl Process {
    /// Preloads the `pthread_create` that [`allow_threads`] and its neighbours control.
    pub(crate) fn with_interposed_threads(self) -> Self {
        self.preload(&compile_shared_library("pthread_create.c"))
    }
}

/// Lets that many OS threads be made and no more; `None`: any number.
pub(crate) fn allow_threads(number: Option<c_long>) {
    // SAFETY: this is its type.
    let allow: extern "C" fn(c_long) = unsafe { std::mem::transmute(function(c"interposed_allow")) };
    allow(number.unwrap_or(-1));
}

/// Lets the making of each OS thread take that long.
pub(crate) fn delay_threads(milliseconds: c_long) {
    // SAFETY: this is its type.
    let delay: extern "C" fn(c_long) = unsafe { std::mem::transmute(function(c"interposed_delay")) };
    delay(milliseconds);
}

/// Runs `f` on whatever thread makes another one, first.
pub(crate) fn before_each_thread(f: Option<extern "C" fn()>) {
    // SAFETY: this is its type; `None` is a null pointer.
    let run_first: extern "C" fn(Option<extern "C" fn()>) =
        unsafe { std::mem::transmute(function(c"interposed_run_first")) };
    run_first(f);
}

/// How many OS threads could not be made.
pub(crate) fn failed_threads() -> c_long {
    // SAFETY: this is its type.
    let failures: extern "C" fn() -> c_long = unsafe { std::mem::transmute(function(c"interposed_failures")) };
    failures()
}

fn function(name: &CStr) -> *mut c_void {
    // SAFETY: looks for a symbol in the libraries that are loaded.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?} was not preloaded");
    found
}
