//! A child that is forked by a green thread is alone: whatever it then does, it runs no other green thread of the parent, and
//! where it cannot go on it says that it was forked. The parent is as before.
//!
//! What could break it: a wait that switches to the worker's loop, which then runs in the child too what is ready in
//! the parent; a wait for OS threads that the child does not have; and a green thread whose end goes back to that loop.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{JoinHandle, block_on, blocking, call, call_blocking, park, pin, run, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use support::{Outcome, child_on_processors, panic_text, start, yield_until};

/// The exit status of a child in which another green thread of the parent has run.
const INTRUDED: i32 = 9;

/// The process that the green threads belong to.
static PARENT: AtomicU32 = AtomicU32::new(0);
static TURNS: AtomicUsize = AtomicUsize::new(0);
static ENOUGH: AtomicBool = AtomicBool::new(false);

/// A green thread that is always ready, and must never run in a child.
fn bystander() -> JoinHandle<()> {
    spawn(|| {
        while !ENOUGH.load(Ordering::Acquire) {
            if std::process::id() != PARENT.load(Ordering::Acquire) {
                // SAFETY: ends the child without running what belongs to the parent.
                unsafe { libc::_exit(INTRUDED) };
            }
            TURNS.fetch_add(1, Ordering::AcqRel);
            yield_now();
        }
    })
}

/// Runs `body`, which forks, on a green thread beside others that are ready, and sees that they go on after it.
fn beside_others(body: impl FnOnce() -> i32 + Send + 'static) -> i32 {
    PARENT.store(std::process::id(), Ordering::Release);
    start();
    let bystanders: Vec<_> = (0..4).map(|_| bystander()).collect();
    let status = run(|| {
        yield_until(&TURNS, 4);
        body()
    });
    let before = TURNS.load(Ordering::Acquire);
    run(move || yield_until(&TURNS, before + 100));
    assert_eq!(run(|| call(|| spawn(|| 5).join().expect("no panic"))), 5);
    ENOUGH.store(true, Ordering::Release);
    bystanders.into_iter().for_each(|thread| thread.join().expect("no panic"));
    status
}

/// Forks, and returns 0 in the child.
fn fork() -> i32 {
    // SAFETY: the child stays on this stack, and leaves by `_exit` or by the abort that is to be seen.
    let pid = call(|| unsafe { libc::fork() });
    assert!(pid >= 0, "the system does not fork");
    pid
}

/// The wait status of a child.
fn wait_for(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: writes the status to where it is told.
    assert_eq!(call_blocking(|| unsafe { libc::waitpid(pid, &mut status, 0) }), pid);
    status
}

/// Runs `body` in a child, which exits with 0 if it says true. Returns the wait status.
fn in_child(body: impl FnOnce() -> bool) -> i32 {
    let pid = fork();
    if pid == 0 {
        let good = catch_unwind(AssertUnwindSafe(body)).unwrap_or(false);
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!good)) };
    }
    wait_for(pid)
}

/// Whether `f` panics with the words that tell of the fork.
fn is_told_of_the_fork<T>(f: impl FnOnce() -> T) -> bool {
    let result = catch_unwind(AssertUnwindSafe(f));
    result.err().is_some_and(|error| {
        let text = panic_text(&*error);
        text.contains("was forked") && text.contains("exec")
    })
}

#[test]
fn a_child_that_must_wait_for_a_channel_is_told_of_the_fork() {
    child_on_processors("receives_and_sends_in_a_child", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn receives_and_sends_in_a_child() {
    let status = beside_others(|| {
        let (values, received) = bounded(1);
        in_child(|| {
            assert!(is_told_of_the_fork(|| received.recv()));
            assert!(is_told_of_the_fork(|| block_on(received.recv_async())));
            // What need not wait works.
            assert_eq!(values.send(5), Ok(()));
            assert!(is_told_of_the_fork(|| values.send(6)));
            received.recv() == Ok(5)
        })
    });
    assert_eq!(status, 0);
}

#[test]
fn a_child_that_joins_is_told_of_the_fork() {
    child_on_processors("joins_in_a_child", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn joins_in_a_child() {
    let status = beside_others(|| {
        let other = bystander();
        in_child(|| is_told_of_the_fork(|| other.join()))
    });
    assert_eq!(status, 0);
}

#[test]
fn a_child_that_yields_goes_on_alone() {
    child_on_processors("yields_in_a_child", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn yields_in_a_child() {
    let status = beside_others(|| {
        in_child(|| {
            (0..50).for_each(|_| yield_now());
            true
        })
    });
    assert_eq!(status, 0);
}

#[test]
fn a_child_that_blocks_keeps_its_processor_and_goes_on_alone() {
    child_on_processors("blocks_in_a_child", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn blocks_in_a_child() {
    let status = beside_others(|| in_child(|| (0..50).all(|n| call_blocking(|| n) == n && blocking(|| n) == n)));
    assert_eq!(status, 0);
}

#[test]
fn a_child_that_parks_is_told_of_the_fork() {
    child_on_processors("parks_in_a_child", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn parks_in_a_child() {
    assert_eq!(beside_others(|| in_child(|| is_told_of_the_fork(park))), 0);
}

#[test]
fn a_child_that_spawns_is_told_of_the_fork() {
    child_on_processors("spawns_in_a_child", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn spawns_in_a_child() {
    let status = beside_others(|| {
        in_child(|| {
            assert!(is_told_of_the_fork(|| spawn(|| ())));
            assert!(is_told_of_the_fork(|| run(|| ())));
            // Neither needs a worker.
            drop(pin());
            call(|| true)
        })
    });
    assert_eq!(status, 0);
}

#[test]
fn a_green_thread_that_returns_in_a_child_aborts_and_says_why() {
    for processors in ["1", "2", "8"] {
        let child: Outcome = support::Process::child("a_green_thread_returns_in_a_child")
            .env("GREENBRIDGE_PROCESSORS", processors)
            .run();
        child.succeeds().says("returned in a forked child").says("exec a program or exit");
    }
}

#[test]
#[ignore = "child process"]
fn a_green_thread_returns_in_a_child() {
    let status = beside_others(|| match fork() {
        0 => 0,
        pid => wait_for(pid),
    });
    assert!(libc::WIFSIGNALED(status), "the child ended with status {status}");
    assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
}
