//! What green threads, OS threads, callbacks from C and futures wait with.

pub mod broadcast;
pub mod channel;
pub mod condvar;
pub mod mutex;
pub mod oneshot;
pub mod watch;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard};
