//! A fork may come at every moment of a start, from the thread that starts or from another one: the child can start a runtime of its
//! own if its parent had not begun, and gets an error otherwise; neither of the two ever hangs.
//!
//! What could break it: a gate that the fork leaves half open, a handler for forks that is registered too late, or a lock that
//! another thread held at the fork, that of standard error included.

mod support;

use greenbridge::{Start, call, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::io::Write;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use support::{Process, before_each_thread, child, for_c, keep_busy_until};

// SAFETY: docs/safety.md. No test here touches a thread-local around a wait.
const GREENBRIDGE: Start = unsafe { Start::on_first_entry() }.processors(2).thread_name("lazy");

unsafe extern "C" {
    safe fn entry_fork_exec(by_vfork: c_long) -> c_long;
}

#[greenbridge::export(fallback = -7)]
extern "C" fn with_fallback(_: *mut c_void, number: c_long) -> c_long {
    spawn(move || number + 1).join().expect("no panic")
}

fn enter() -> c_long {
    with_fallback(ptr::null_mut(), 1)
}

/// Enters in a forked child, twice; returns its answers. A child that hangs is ended by a signal.
fn enter_in_forked_child() -> [c_long; 2] {
    // SAFETY: the child enters on its only thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "the system does not fork");
    if pid == 0 {
        // SAFETY: the answers are small enough for an exit status.
        unsafe {
            libc::alarm(20);
            let code = [enter(), enter()].iter().fold(0, |code, answer| 8 * code + i32::from(*answer == 2));
            libc::_exit(code);
        }
    }
    let mut status = 0;
    // SAFETY: writes the status to where it is told.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "the child ended with status {status}");
    let code = libc::WEXITSTATUS(status);
    [code / 8, code % 8].map(|entered| if entered == 1 { 2 } else { -7 })
}

const WORKS: [c_long; 2] = [2, 2];
const REFUSED: [c_long; 2] = [-7, -7];

/// How many OS threads the start has been about to make.
static MOMENT: AtomicUsize = AtomicUsize::new(0);
/// How many times a fork was asked for, and how many are done.
static ASKED: AtomicUsize = AtomicUsize::new(0);
static DONE: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_fork_by_another_thread_at_each_moment_of_the_start() {
    let child = Process::child("another_thread_forks").with_interposed_threads().run();
    child.succeeds().says("forked").says("with_fallback");
}

#[test]
#[ignore = "child process"]
fn another_thread_forks() {
    let forker = thread::spawn(|| {
        // Before the start, at its two OS threads, and after it.
        [WORKS, REFUSED, REFUSED, REFUSED].iter().enumerate().for_each(|(moment, expected)| {
            keep_busy_until(|| ASKED.load(Ordering::Acquire) > moment);
            assert_eq!(enter_in_forked_child(), *expected, "at moment {moment}");
            DONE.fetch_add(1, Ordering::Release);
        });
    });
    ask_for_a_fork();
    before_each_thread(Some(ask_during_the_start));
    assert_eq!(enter(), 2);
    before_each_thread(None);
    assert_eq!(MOMENT.load(Ordering::Relaxed), 2, "a start makes two OS threads");
    ask_for_a_fork();
    forker.join().expect("the children ended as they should");
    assert_eq!(enter(), 2);
}

fn ask_for_a_fork() {
    let asked = ASKED.fetch_add(1, Ordering::Release) + 1;
    keep_busy_until(|| DONE.load(Ordering::Acquire) == asked);
}

extern "C" fn ask_during_the_start() {
    // Later OS threads are the green threads' business.
    if MOMENT.load(Ordering::Relaxed) < 2 {
        MOMENT.fetch_add(1, Ordering::Relaxed);
        ask_for_a_fork();
    }
}

#[test]
fn a_fork_by_the_thread_that_starts() {
    Process::child("the_starter_forks").with_interposed_threads().run().succeeds().says("forked");
}

#[test]
#[ignore = "child process"]
fn the_starter_forks() {
    extern "C" fn fork_here() {
        if MOMENT.fetch_add(1, Ordering::Relaxed) < 2 {
            assert_eq!(enter_in_forked_child(), REFUSED);
        }
    }
    before_each_thread(Some(fork_here));
    assert_eq!(enter(), 2);
    before_each_thread(None);
    assert_eq!(enter(), 2);
}

#[test]
fn forks_while_many_make_the_first_entry_hang_nobody() {
    for _ in 0..20 {
        child("forks_among_first_entries").succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn forks_among_first_entries() {
    static OVER: AtomicBool = AtomicBool::new(false);
    let forker = thread::spawn(|| {
        while !OVER.load(Ordering::Acquire) {
            let answers = enter_in_forked_child();
            assert!(answers == WORKS || answers == REFUSED, "{answers:?}");
        }
        assert_eq!(enter_in_forked_child(), REFUSED);
    });
    let entries: Vec<_> = (0..8).map(|_| thread::spawn(|| assert_eq!(enter(), 2))).collect();
    for entry in entries {
        entry.join().expect("it works");
    }
    OVER.store(true, Ordering::Release);
    forker.join().expect("the children ended as they should");
}

#[test]
fn a_child_that_falls_back_needs_no_lock_that_its_parent_held() {
    child("standard_error_is_locked_at_the_fork").succeeds().says("forked");
}

#[test]
#[ignore = "child process"]
fn standard_error_is_locked_at_the_fork() {
    static LOCKED: AtomicBool = AtomicBool::new(false);
    static FORKED: AtomicBool = AtomicBool::new(false);
    assert_eq!(enter(), 2);
    let holder = thread::spawn(|| {
        let mut stderr = std::io::stderr().lock();
        LOCKED.store(true, Ordering::Release);
        keep_busy_until(|| FORKED.load(Ordering::Acquire));
        writeln!(stderr, "it was locked").expect("standard error can be written");
    });
    keep_busy_until(|| LOCKED.load(Ordering::Acquire));
    let answers = enter_in_forked_child();
    FORKED.store(true, Ordering::Release);
    holder.join().expect("no panic");
    assert_eq!(answers, REFUSED);
}

#[test]
fn a_callback_may_fork_and_start_programs() {
    child("callbacks_fork_and_exec").succeeds().says("forked");
}

#[test]
#[ignore = "child process"]
fn callbacks_fork_and_exec() {
    assert_eq!(fork_and_exec(&(), 1), 5);
    run(|| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                spawn(move || {
                    let (f, context) = for_c(fork_and_exec, &());
                    // SAFETY: `f` gets a pointer to nothing.
                    assert_eq!(call(|| unsafe { f(context, number % 2) }), 5);
                    assert_eq!(call(|| entry_fork_exec(number % 2)), 5);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

#[greenbridge::export]
extern "C" fn fork_and_exec(_: &(), by_vfork: c_long) -> c_long {
    yield_now();
    assert_eq!(enter_in_forked_child(), REFUSED);
    let status = entry_fork_exec(by_vfork);
    assert_eq!(spawn(|| 5).join().expect("no panic"), status);
    status
}
