//! The ways of calling C as values, for tests that hold for each of them.

use greenbridge::{
    call, call_blocking, call_blocking_errno, call_errno, call_interleaved, call_interleaved_errno,
    call_on_thread_stack, call_on_thread_stack_errno,
};
use std::ffi::c_int;

/// How C is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Call,
    Blocking,
    Interleaved,
    OnThreadStack,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Call, Self::Blocking, Self::Interleaved, Self::OnThreadStack];

    /// Runs `f`, whose C must keep nothing across a callback that belongs to its OS thread.
    pub(crate) fn call<R: Send>(self, f: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Call => call(f),
            Self::Blocking => call_blocking(f),
            // SAFETY: the C of the tests that use all ways keeps nothing across a callback.
            Self::Interleaved => unsafe { call_interleaved(f) },
            Self::OnThreadStack => call_on_thread_stack(f),
        }
    }

    /// The same with `errno`.
    pub(crate) fn call_errno<R: Send>(self, f: impl FnOnce() -> R + Send) -> (R, c_int) {
        match self {
            Self::Call => call_errno(f),
            Self::Blocking => call_blocking_errno(f),
            // SAFETY: as in `call`.
            Self::Interleaved => unsafe { call_interleaved_errno(f) },
            Self::OnThreadStack => call_on_thread_stack_errno(f),
        }
    }
}
