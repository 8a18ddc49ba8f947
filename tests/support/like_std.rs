//! Types in the shape of std's, beside std's.

use super::run;
use std::io;

/// What `ours` sees, on an OS thread and on a green thread, is what `stds` sees with std's types.
#[track_caller]
pub(crate) fn sees_what_std_sees(ours: fn() -> io::Result<Vec<String>>, stds: fn() -> io::Result<Vec<String>>) {
    let expected = stds().expect("no error but those that are looked at");
    assert_eq!(ours().expect("no error but those that are looked at"), expected);
    let on_a_green_thread = run(ours);
    assert_eq!(on_a_green_thread.expect("no error but those that are looked at"), expected);
}
