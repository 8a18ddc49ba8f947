//! Green threads that call C and are called back by it.
//!
//! A program starts cheap green threads; they run on a few OS threads, and wait like ordinary threads. Any of them may call any C
//! function, C may call back, and the callback may wait. C may also call Rust from threads of its own, or from a `main` that
//! has never heard of this library: the first such call starts the runtime.
//!
//! ```rust,standalone_crate
//! use std::ffi::c_int;
//!
//! // Who starts the runtime: here Rust does, in `main`.
//! const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();
//!
//! /// C may call this from anywhere. It may wait: only the green thread does.
//! #[greenbridge::export(fallback = -1)]
//! #[unsafe(no_mangle)]
//! pub extern "C" fn next_number(previous: c_int) -> c_int {
//!     greenbridge::spawn(move || previous + 1).join().unwrap_or(-1)
//! }
//!
//! /// Stands for a function in C that calls its argument twice.
//! extern "C" fn twice(callback: extern "C" fn(c_int) -> c_int, n: c_int) -> c_int {
//!     callback(callback(n))
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // SAFETY: nothing in this program touches a thread-local across a wait.
//!     unsafe { greenbridge::Builder::new().start()? };
//!     let number = greenbridge::run(|| greenbridge::call(|| twice(next_number, 40)));
//!     assert_eq!(number, 42);
//!     Ok(())
//! }
//! ```
//!
//! # Where to go from here
//! * [`call()`] and its sisters, and which one to take: `docs/which-call.md`.
//! * [`export`](macro@export), and [`Start`] for libraries: `docs/called-by-c.md`. [`Handle`] for the `void *` that C keeps for you.
//! * Programs in C, and libraries for them: `docs/embedding-in-c.md`.
//! * The one unsafe promise, [`Builder::start`]: `docs/safety.md`. [`pin`] for code that cannot keep it.
//! * [`spawn`], [`scope`], [`sync`], [`channel`], [`select!`](macro@select), [`time`], [`cancel`], [`block_on`], as in std, crossbeam and tokio:
//!   `docs/waiting.md`. [`testing`] runs tests in virtual time.
//! * [`blocking`] for files, names, child processes and libraries that block: `docs/blocking.md`.
//! * [`stack_meter`]: how much stack C needs, `docs/stack-use.md`.

/// The programs of the book and of the README are compiled and run.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/blocking.md")]
    mod blocking {}
    #[doc = include_str!("../../docs/called-by-c.md")]
    mod called_by_c {}
    #[doc = include_str!("../../docs/embedding-in-c.md")]
    mod embedding_in_c {}
    #[doc = include_str!("../../docs/errors.md")]
    mod errors {}
    #[cfg(feature = "tokio")]
    #[doc = include_str!("../../docs/futures.md")]
    mod futures {}
    #[doc = include_str!("../../docs/life.md")]
    mod life {}
    #[doc = include_str!("../../docs/model.md")]
    mod model {}
    #[doc = include_str!("../../docs/own-sockets.md")]
    mod own_sockets {}
    #[doc = include_str!("../../docs/safety.md")]
    mod safety {}
    #[doc = include_str!("../../docs/sockets.md")]
    mod sockets {}
    #[doc = include_str!("../../docs/seeing.md")]
    mod seeing {}
    #[doc = include_str!("../../docs/stack-use.md")]
    mod stack_use {}
    #[doc = include_str!("../../docs/troubleshooting.md")]
    mod troubleshooting {}
    #[doc = include_str!("../../docs/waiting.md")]
    mod waiting {}
    #[doc = include_str!("../../docs/which-call.md")]
    mod which_call {}
}

mod builder;
mod call;
mod callback;
#[cfg(feature = "capi")]
pub mod capi;
mod errno;
mod fallback;
mod gate;
mod handle;
mod message;
mod primitive;
mod promise;
mod start;

pub use builder::Builder;
pub use call::{
    call, call_blocking, call_blocking_errno, call_errno, call_interleaved, call_interleaved_errno,
    call_on_thread_stack, call_on_thread_stack_errno,
};
pub use greenbridge_macros::export;
#[cfg(feature = "faults")]
pub use greenbridge_runtime::faults;
#[cfg(feature = "tokio")]
pub use greenbridge_runtime::tokio;
pub use greenbridge_runtime::{
    AccessError, GreenLocal, JoinHandle, PinGuard, Scope, ScopedJoinHandle, StackError, StackShortage, StartError,
    Thread, ThreadBuilder, ThreadId, block_on, blocking, cancel, current, dump, green_local, metrics, net, park, pin,
    run, scope, select, spawn, stack_meter, sync, sync::channel, testing, time, yield_now,
};
#[cfg(feature = "trace")]
pub use greenbridge_runtime::{report, trace};
pub use handle::{Handle, HandleError};
pub use promise::Start;

/// What `#[greenbridge::export]` expands to. Not for users: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::callback::callback;
    pub use crate::fallback::{Declared, Fallback, Zero, ZeroFallback};
    pub use crate::promise::{Promise, Site, missing};
}
