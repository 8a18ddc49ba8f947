//! What the functions return, and what it means in words.

use crate::{HandleError, StackError};
use greenbridge_runtime::StartError;
use greenbridge_runtime::bridge::{Payload, StartErrorKind};
use std::ffi::{CStr, c_char, c_int};
use std::io::{self, ErrorKind};

/// Success. Every other code is larger than 0.
pub const GB_OK: c_int = 0;
/// An argument is not accepted: a NULL that must not be one, an unknown flag, a name that is not
/// UTF-8, a struct_size that fits no version, a file that is not open or cannot be waited for.
pub const GB_EINVAL: c_int = 1;
/// The time was over first.
pub const GB_ETIMEDOUT: c_int = 2;
/// The runtime has been started already, or is being started.
pub const GB_EALREADY: c_int = 3;
/// The runtime has not been started, and this library leaves that to the Rust program it is part
/// of, or to gb_start().
pub const GB_ENOTSTARTED: c_int = 4;
/// The runtime could not be started: a setting is not accepted. Standard error says which. This
/// is final for the process.
pub const GB_ESETTING: c_int = 5;
/// The runtime could not be started: the system refused an OS thread or something else. Standard
/// error says what. This is final.
pub const GB_ESYSTEM: c_int = 6;
/// The very thread that is starting the runtime called in before it was up.
pub const GB_EREENTERED: c_int = 7;
/// This process was forked from one in which the runtime runs: the child has none of its OS
/// threads. Call exec, or fork earlier.
pub const GB_EFORKED: c_int = 8;
/// The green thread has not run: the system had no memory for its stack.
pub const GB_ESTACK: c_int = 9;
/// The handle stands for no value: it is 0, was never made, was deleted, or is one of Rust's for
/// another type.
pub const GB_EHANDLE: c_int = 10;
/// Rust code panicked; its message is on standard error. Also: this would have to wait, in C that
/// Rust called without greenbridge::call.
pub const GB_EPANIC: c_int = 11;
/// The system has no OS thread, or no file descriptor, left; this may be tried again.
pub const GB_EAGAIN: c_int = 12;

/// A failure, on its way to C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) c_int);

impl From<&StartError> for Code {
    fn from(error: &StartError) -> Self {
        Self(match error.kind() {
            StartErrorKind::AlreadyStarted => GB_EALREADY,
            StartErrorKind::NotStarted => GB_ENOTSTARTED,
            StartErrorKind::ReEntered => GB_EREENTERED,
            StartErrorKind::Forked => GB_EFORKED,
            StartErrorKind::Panicked => GB_EPANIC,
            StartErrorKind::Setting => GB_ESETTING,
            StartErrorKind::System => GB_ESYSTEM,
        })
    }
}

impl From<&Payload> for Code {
    fn from(payload: &Payload) -> Self {
        Self(if payload.is::<StackError>() { GB_ESTACK } else { GB_EPANIC })
    }
}

/// What has ended a wait for files.
impl From<&io::Error> for Code {
    fn from(error: &io::Error) -> Self {
        Self(match (error.kind(), error.raw_os_error()) {
            (ErrorKind::TimedOut, _) => GB_ETIMEDOUT,
            (ErrorKind::Unsupported | ErrorKind::InvalidInput | ErrorKind::PermissionDenied, _) => GB_EINVAL,
            (_, Some(libc::EBADF | libc::EINVAL)) => GB_EINVAL,
            _ => GB_EAGAIN,
        })
    }
}

impl From<HandleError> for Code {
    fn from(_: HandleError) -> Self {
        Self(GB_EHANDLE)
    }
}

/// What a code means, in English. Never NULL; for a number that is no code it says so.
///
/// The text is constant: do not free it.
///
/// Threads: any, also a signal handler. Blocks: no. Callbacks: none.
/// Before the start, after fork, during exit: works, and starts nothing.
/// Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn gb_strerror(code: c_int) -> *const c_char {
    words(code).as_ptr()
}

fn words(code: c_int) -> &'static CStr {
    match code {
        GB_OK => c"success",
        GB_EINVAL => c"an argument is not accepted",
        GB_ETIMEDOUT => c"the time was over first",
        GB_EALREADY => c"the runtime has been started already",
        GB_ENOTSTARTED => c"the runtime has not been started: the Rust program starts it, or gb_start",
        GB_ESETTING => c"the runtime did not start: a setting is not accepted (standard error says which)",
        GB_ESYSTEM => c"the runtime did not start: the system refused something (standard error says what)",
        GB_EREENTERED => c"the thread that is starting the runtime called in before it was up",
        GB_EFORKED => {
            c"this process was forked from one in which the runtime runs: call exec, or fork before the first use"
        }
        GB_ESTACK => c"no memory for the stack of a green thread",
        GB_EHANDLE => c"the handle stands for no value: it is 0, stale, or of another type",
        GB_EPANIC => c"Rust code panicked (its message is on standard error)",
        GB_EAGAIN => c"the system has no OS thread or file descriptor left",
        _ => c"no code of greenbridge.h",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_words_of_its_own() {
        let all: HashSet<_> = (GB_OK..=GB_EAGAIN).map(words).collect();
        assert_eq!(all.len(), 13);
        for number in [-1, 13, c_int::MIN, c_int::MAX] {
            assert!(!all.contains(words(number)));
        }
    }
}
