//! Messages on standard error, without the lock that `eprintln!` takes: in a child of `fork` another thread of the parent may hold it for
//! good.

use greenbridge_runtime::bridge::write_to_stderr;

/// Writes `greenbridge: `, the text and a line end, in one piece if standard error takes it so.
pub(crate) fn say(text: &str) {
    write_to_stderr(format!("greenbridge: {text}\n").as_bytes());
}
