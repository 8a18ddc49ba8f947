//! The clock that every deadline is compared with.

use std::time::Instant;

/// The time.
pub(crate) fn now() -> Instant {
    Instant::now()
}
