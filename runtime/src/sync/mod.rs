//! What green threads, OS threads, callbacks from C and futures wait with.

pub mod channel;
