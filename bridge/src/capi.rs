//! The functions of `greenbridge.h`: the runtime for programs in C.
//!
//! They are for C that starts green threads of its own. A library written in Rust for C does not need them: its exports
//! ([`export`](macro@crate::export)) are its face. The header is made from this module by cbindgen, so what is documented here is what a C
//! programmer reads, and it is written for one. `docs/embedding-in-c.md` is the chapter on it.
//!
//! Every function but those that only read a constant passes `entry`: the gate, the count of callbacks, and the panic boundary. Every
//! failure is a code that the function returns; nothing is kept per thread for a later question.
//!
//! # Who makes the promise
//! A library that cargo-c has built holds this code and no other Rust, so the promise about thread-locals is made here, for it. C on a green
//! thread is below one of the ways to call, which pins it, and so the promise covers C as well. For `GB_WAY_INTERLEAVED` the C that asks for it
//! vouches. With the feature `capi` in a program of Rust, that program promises where it starts the runtime, and these functions do not start
//! it: until then they return `GB_ENOTSTARTED`.

#![allow(non_camel_case_types, reason = "C reads these names")]
#![allow(clippy::missing_safety_doc, reason = "the duties of a C caller are told in the words of C")]

mod codes;
mod entry;
mod event;
mod handle;
mod metrics;
mod options;
mod owed;
mod poll;
mod ready;
mod relay;
mod start;
mod thread;
mod version;

pub use codes::{
    GB_EAGAIN, GB_EALREADY, GB_EFORKED, GB_EHANDLE, GB_EINVAL, GB_ENOTSTARTED, GB_EPANIC, GB_EREENTERED, GB_ESETTING,
    GB_ESTACK, GB_ESYSTEM, GB_ETIMEDOUT, GB_OK, gb_strerror,
};
pub use event::{
    GB_EVENT_SIGNALS, gb_event, gb_event_free, gb_event_new, gb_event_notify, gb_event_wait, gb_event_wait_ns,
};
pub use handle::{gb_handle, gb_handle_delete, gb_handle_get, gb_handle_new};
pub use metrics::{gb_metrics, gb_metrics_t};
pub use poll::gb_poll;
pub use ready::{gb_wait_readable, gb_wait_writable};
pub use start::{GB_OFF, GB_ON, gb_options, gb_start};
pub use thread::{
    GB_WAY_CALL, GB_WAY_INTERLEAVED, gb_detach, gb_join, gb_sleep_ns, gb_spawn, gb_spawn_options, gb_thread,
    gb_thread_fn, gb_yield,
};
pub use version::{GB_VERSION, GB_VERSION_MAJOR, GB_VERSION_MINOR, GB_VERSION_PATCH, gb_version};

#[cfg(not(cargo_c))]
const PROMISE: crate::Start = crate::Start::by_rust();

// SAFETY: the only Rust code in such a library is Greenbridge's, which keeps the rules (docs/safety.md); C that waits is pinned by its frames.
#[cfg(cargo_c)]
const PROMISE: crate::Start = unsafe { crate::Start::on_first_entry() };
