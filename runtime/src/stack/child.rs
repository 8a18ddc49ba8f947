//! Tests that end their process run in a child: this test binary again, told to run one ignored test.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this exit code; 0 if its test passed.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

/// Runs the ignored test `name` of the module `module` (its `module_path!()`), and returns how the child ended and what
/// it wrote to stderr. A child that hangs is killed, and the caller's test fails.
pub(super) fn run(module: &str, name: &str) -> (End, String) {
    let (_crate, module) = module.split_once("::").expect("a module below the crate");
    let child = Command::new(env::current_exe().expect("the path of this binary"))
        .args(["--ignored", "--exact", &format!("{module}::{name}"), "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let pid = child.id();
    let (ended, end) = mpsc::channel();
    let waiter = thread::spawn(move || ended.send(child.wait_with_output()));
    let output = end.recv_timeout(Duration::from_secs(60));
    if output.is_err() {
        // SAFETY: the child was not waited for yet, so the number is still its own.
        unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) };
    }
    waiter.join().expect("the waiting thread ends").ok();
    let Output { status, stdout, stderr } = output.expect("the child hangs").expect("the child was waited for");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr).into_owned());
    println!("{name}: {status}\n{stdout}{stderr}");
    assert!(stdout.contains("running 1 test"), "there is no ignored test {module}::{name}");
    (status.code().map_or_else(|| End::Signal(status.signal().expect("ended by a signal")), End::Exit), stderr)
}
