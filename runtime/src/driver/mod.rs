//! What wakes green threads from outside the scheduler: time, and files that become ready.
//!
//! Reading order: `clock`, `timers`, `keeper`; then `readiness`, `slot`, `poller`, `reactor`, `expectation`, `source`.

mod alarm;
pub(crate) mod clock;
mod expectation;
pub(crate) mod keeper;
mod poller;
pub(crate) mod reactor;
pub(crate) mod readiness;
mod slot;
pub(crate) mod source;
pub(crate) mod timers;
