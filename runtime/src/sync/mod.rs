//! What green threads, OS threads, callbacks from C and futures wait with.
//!
//! | type | one waits for |
//! |---|---|
//! | [`channel`] | messages, each for one receiver |
//! | [`oneshot`] | one message |
//! | [`broadcast`] | messages, each for every receiver |
//! | [`watch`] | the latest value |
//! | [`Mutex`] | a value that one holds at a time |
//! | [`Condvar`] | a change of what a [`Mutex`] protects |
//! | [`RwLock`] | a value that many read, or one writes |
//! | [`Semaphore`] | a share of something that there is so much of |
//! | [`Barrier`] | a number of others to come to the same point |
//! | [`Once`], [`OnceLock`], [`LazyLock`] | something to be done, or made, the first time |
//! | [`Notify`] | an event, without a value |
//! | [`WaitGroup`] | a number of others to finish |
//!
//! They have the names and shapes of `std::sync`, and of `tokio::sync` for what std lacks. Three rules hold for all of them:
//!
//! * **Waiting works everywhere.** On a green thread only that waits; in a callback from C too; any other OS thread blocks. Forms that
//!   end in `_async` are futures, for any executor.
//! * **Nothing is poisoned.** A panic releases what the guards on its way hold, and others go on with what they find.
//! * **A wait that is cut short has taken nothing**: by a timeout, by [cancellation](crate::cancel), or because its future is dropped.

mod acquire;
mod barrier;
pub mod broadcast;
pub mod channel;
pub mod condvar;
mod lazy;
pub mod mutex;
mod notify;
mod once;
mod once_lock;
pub mod oneshot;
mod permits;
mod rwlock;
mod semaphore;
mod timed_out;
mod wait_group;
pub mod watch;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use lazy::LazyLock;
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::{Notified, Notify};
pub use once::Once;
pub use once_lock::OnceLock;
pub use rwlock::{MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{
    AcquireError, AcquireTimeoutError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
};
pub use timed_out::TimedOut;
pub use wait_group::{WaitGroup, WaitGroupMember};
