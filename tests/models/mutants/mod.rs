//! The mutants: faults to be put into the shipped protocols, one table per protocol, and the model that must catch
//! each.
//!
//! Read by the build script alone. A model that passes with a mutant in place proves nothing about what the mutant
//! breaks.

pub(crate) mod channel;
pub(crate) mod front;
pub(crate) mod gate;
pub(crate) mod idle;
pub(crate) mod inbox;
pub(crate) mod keeper;
pub(crate) mod mutex;
pub(crate) mod owed;
pub(crate) mod parker;
pub(crate) mod queue;
pub(crate) mod readiness;
pub(crate) mod select;
pub(crate) mod semaphore;
pub(crate) mod state;
pub(crate) mod status;

/// One fault.
pub(crate) struct Mutant {
    /// Its name: the module of its test.
    pub(crate) name: &'static str,
    /// What is wrong with it, and what happens then.
    #[allow(dead_code, reason = "for the reader")]
    pub(crate) wrong: &'static str,
    /// The exact text of the shipped file, found once.
    pub(crate) text: &'static str,
    /// What stands there instead, on as many lines.
    pub(crate) becomes: &'static str,
    /// The model that must fail.
    pub(crate) model: &'static str,
    /// A part of the message with which it fails.
    pub(crate) panics_with: &'static str,
}

/// What loom says when plain memory is read without a happens-before from its last write.
pub(crate) const DATA_RACE: &str = "Causality violation";
/// What loom says when every thread waits.
pub(crate) const DEADLOCK: &str = "deadlock";
