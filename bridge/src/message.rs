//! Messages on standard error, without the lock that `eprintln!` takes: in a child of `fork` another thread of the parent may hold it for
//! good.

use std::io;

/// Writes `greenbridge: `, the text and a line end, in one piece if standard error takes it so.
pub(crate) fn say(text: &str) {
    let line = format!("greenbridge: {text}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        // SAFETY: the range is valid for reading.
        let written = unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => rest = &rest[written..],
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            // There is nobody to tell.
            _ => return,
        }
    }
}
