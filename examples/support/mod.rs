//! What the examples that compare share: the three ways of today and ours, what a way needs, and the command line.

pub(crate) mod arguments;
pub(crate) mod figures;
pub(crate) mod flags;
mod gauge;
pub(crate) mod ways;

/// An error from any thread.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;
