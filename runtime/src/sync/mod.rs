//! What green threads, OS threads, callbacks from C and futures wait with.

pub mod broadcast;
pub mod channel;
pub mod oneshot;
pub mod watch;
