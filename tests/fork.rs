//! A fork before the first use works. After it, a child that enters, or uses the runtime, gets an error that says so; it
//! never waits for OS threads that it does not have. The parent goes on.
//!
//! What could break it: a lock that some worker held at the fork, or a gate that looks open in the child.

mod support;

use greenbridge::{Builder, Start, run, spawn};
use std::ffi::{c_long, c_void};
use std::panic::catch_unwind;
use support::{Outcome, child, panic_text, start};

const GREENBRIDGE: Start = Start::by_rust();

#[greenbridge::export(fallback = -7)]
extern "C" fn with_fallback(_: *mut c_void, number: c_long) -> c_long {
    spawn(move || number + 1).join().expect("no panic")
}

#[greenbridge::export]
extern "C" fn without_fallback(_: *mut c_void, number: c_long) -> c_long {
    number + 1
}

/// Runs `body` in a forked child, and waits for it. Returns its wait status.
fn in_forked_child(body: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child runs `body` on its only thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "the system does not fork");
    if pid == 0 {
        let good = body();
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(if good { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: writes the status to where it is told.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    status
}

#[track_caller]
fn says_that_it_was_forked(child: &Outcome) {
    child.succeeds().says("forked").says("exec");
}

#[test]
fn a_child_forked_before_the_first_use_may_start() {
    child("fork_and_then_start").succeeds();
}

#[test]
#[ignore = "child process"]
fn fork_and_then_start() {
    let use_it = || {
        start();
        run(|| spawn(|| 5).join().expect("no panic")) == 5 && with_fallback(std::ptr::null_mut(), 1) == 2
    };
    assert_eq!(in_forked_child(use_it), 0);
    // And so may the parent.
    assert!(use_it());
}

#[test]
fn a_child_forked_after_the_start_gets_the_fallback() {
    let child = child("enter_after_fork");
    says_that_it_was_forked(&child);
    child.says("with_fallback");
}

#[test]
#[ignore = "child process"]
fn enter_after_fork() {
    start();
    assert_eq!(with_fallback(std::ptr::null_mut(), 1), 2);
    for _ in 0..5 {
        assert_eq!(in_forked_child(|| (0..3).all(|_| with_fallback(std::ptr::null_mut(), 1) == -7)), 0);
        // The parent goes on.
        assert_eq!(with_fallback(std::ptr::null_mut(), 1), 2);
        assert_eq!(run(|| spawn(|| 5).join().expect("no panic")), 5);
    }
}

#[test]
fn a_child_forked_after_the_start_aborts_where_no_fallback_is_declared() {
    let child = child("enter_after_fork_without_a_fallback");
    says_that_it_was_forked(&child);
    child.says("without_fallback");
}

#[test]
#[ignore = "child process"]
fn enter_after_fork_without_a_fallback() {
    start();
    let status = in_forked_child(|| without_fallback(std::ptr::null_mut(), 1) == 2);
    assert!(libc::WIFSIGNALED(status), "the child ended with status {status}");
    assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
    assert_eq!(without_fallback(std::ptr::null_mut(), 1), 2);
}

#[test]
fn a_child_forked_after_the_start_cannot_spawn_or_start() {
    says_that_it_was_forked(&child("spawn_after_fork"));
}

#[test]
#[ignore = "child process"]
fn spawn_after_fork() {
    start();
    let refused = || {
        let spawned = catch_unwind(|| drop(spawn(|| ()))).expect_err("there is no worker");
        // SAFETY: docs/safety.md; nothing is started.
        let started = unsafe { Builder::new().start() }.expect_err("the process was forked");
        panic_text(&*spawned).contains("forked") && started.to_string().contains("forked")
    };
    assert_eq!(in_forked_child(refused), 0);
    assert_eq!(run(|| 5), 5);
}

#[test]
fn a_fork_on_a_green_thread_leaves_the_parent_alone() {
    child("fork_on_a_green_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn fork_on_a_green_thread() {
    start();
    let busy: Vec<_> = (0..20).map(|n| spawn(move || (0..200).map(|turn| yielding(n + turn)).sum::<u64>())).collect();
    let statuses =
        run(|| (0..10).map(|_| in_forked_child(|| with_fallback(std::ptr::null_mut(), 1) == -7)).collect::<Vec<_>>());
    assert_eq!(statuses, [0; 10]);
    let sum: u64 = busy.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(sum, (0..20).flat_map(|n| (0..200).map(move |turn| n + turn)).sum());
}

fn yielding(value: u64) -> u64 {
    greenbridge::yield_now();
    value
}
