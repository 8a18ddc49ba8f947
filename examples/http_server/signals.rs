//! Signals, as bytes on a socket: the crate `signal-hook` writes one for each, and a green thread reads them.

use crate::server::End;
use greenbridge::net::UnixStream;
use greenbridge::spawn;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use std::io::{self, Read};
use std::os::unix::net::UnixStream as StdUnixStream;

/// Lets the first `SIGTERM` or `SIGINT` to come drain the server, and the second abandon what is left.
///
/// # Errors
/// If the system gives no socket, or no handler.
pub(crate) fn end_at_signals(end: &End) -> io::Result<()> {
    let (signals, to_green_thread) = StdUnixStream::pair()?;
    pipe::register(SIGTERM, to_green_thread.try_clone()?)?;
    pipe::register(SIGINT, to_green_thread)?;
    let (mut signals, end) = (UnixStream::from(signals), end.clone());
    spawn(move || {
        for token in [end.drain, end.abandon] {
            if signals.read_exact(&mut [0]).is_ok() {
                token.cancel();
            }
        }
    });
    Ok(())
}
