//! What wakes green threads from outside the scheduler: time.

pub(crate) mod clock;
pub(crate) mod keeper;
pub(crate) mod timers;
