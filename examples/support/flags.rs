//! The flags of a child, and a limit of the process.

use super::AnyError;
use super::ways::Way;

/// The way with this number, in a child's command line.
pub(crate) fn way(number: usize) -> Option<Way> {
    Way::ALL.get(number).copied()
}

/// The number of a way.
pub(crate) fn number_of(way: Way) -> usize {
    Way::ALL.iter().position(|other| *other == way).unwrap_or_default()
}

/// Lets the process have as many descriptors as the system allows: each request under way has a socket.
///
/// # Errors
/// If the system refuses.
pub(crate) fn raise_descriptors() -> Result<(), AnyError> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it fills, and then reads, a limit.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
        }
    };
    if done { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
