//! Standard error without a lock, for where `eprintln!` may not be used: in a signal handler; in a child of `fork`, where another thread of the
//! parent may hold the lock for good; beside green threads that wait with it.

use std::io;

/// Writes all of it, if standard error takes it at all. It may be called from a signal handler.
pub fn write_to_stderr(mut rest: &[u8]) {
    while !rest.is_empty() {
        // SAFETY: the range is valid for reading, and write may be called from a handler.
        let written = unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => rest = &rest[written..],
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            // There is nobody to tell.
            _ => return,
        }
    }
}
