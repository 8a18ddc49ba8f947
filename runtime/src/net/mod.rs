//! Sockets, pipes and other files that one waits for.
//!
//! [`Async`] makes waiting operations out of those of any file that can be non-blocking; [`wait_readable`] and [`wait_writable`] wait for a file
//! that belongs to somebody else, as to a C library.
//!
//! All of them work on a green thread, which switches away, in a callback from C, and on an OS thread, which blocks. Before the runtime has
//! been started an OS thread waits by `poll(2)`.

mod async_fd;
mod ready;

pub use async_fd::Async;
pub use ready::{
    Ready, wait_readable, wait_readable_deadline, wait_readable_timeout, wait_writable, wait_writable_deadline,
    wait_writable_timeout,
};
