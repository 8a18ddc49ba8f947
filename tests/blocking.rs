//! `blocking` runs any closure of Rust that blocks its OS thread, in place, and holds up nobody else.
//!
//! Here a closure blocks until another green thread does something, so that without the hand-off nothing would ever go on. What could break it: a
//! closure that moves to another OS thread between two waits, one that is cut short in the middle, a result that is lost, a processor that is
//! not handed on because the closure runs in a callback or in another `blocking`, and a processor that nobody has afterwards.

mod support;

use greenbridge::cancel::{CancelToken, Cancelled};
use greenbridge::channel::bounded;
use greenbridge::sync::Mutex;
use greenbridge::{Builder, blocking, call, park, pin, spawn, time, yield_now};
use std::cell::Cell;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;
use support::{
    Movers, Place, Process, child, child_on_processors, gettid, in_callback, panic_text, run, start, start_with,
    wait_until, yield_until,
};

/// Blocks the OS thread until another green thread, which begins afterwards, has sent.
fn blocks_until_another_has_run() -> i32 {
    let (sender, receiver) = mpsc::sync_channel(0);
    let other = spawn(move || {
        for _ in 0..20 {
            yield_now();
        }
        sender.send(7)
    });
    let value = blocking(|| receiver.recv()).expect("it is sent");
    assert_eq!(other.join().expect("no panic"), Ok(()));
    value
}

#[test]
fn a_closure_that_blocks_leaves_its_processor_to_others() {
    child_on_processors("others_run_while_one_blocks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn others_run_while_one_blocks() {
    run(|| {
        for _ in 0..50 {
            assert_eq!(blocks_until_another_has_run(), 7);
        }
    });
}

#[test]
fn it_hands_on_in_a_callback_and_inside_itself_and_runs_in_place_on_an_os_thread() {
    child_on_processors("blocks_everywhere", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn blocks_everywhere() {
    // The runtime has not been started.
    assert_eq!(blocking(gettid), gettid());
    start();
    assert_eq!(blocking(gettid), gettid());
    for place in Place::ALL {
        assert_eq!(place.spawn(blocks_until_another_has_run).join(), 7);
        assert_eq!(place.spawn(|| blocking(blocks_until_another_has_run)).join(), 7);
        assert_eq!(place.spawn(|| call(|| blocking(|| call(blocks_until_another_has_run)))).join(), 7);
        assert_eq!(place.spawn(|| blocking(|| in_callback(blocks_until_another_has_run))).join(), 7);
    }
}

#[test]
fn sixty_four_closures_block_at_once() {
    child_on_processors("sixty_four_meet", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn sixty_four_meet() {
    run(|| {
        for _ in 0..3 {
            let all = Arc::new(Barrier::new(64));
            let blocked: Vec<_> = (0..64)
                .map(|_| {
                    let all = Arc::clone(&all);
                    spawn(move || blocking(|| all.wait().is_leader()))
                })
                .collect();
            let leaders = blocked.into_iter().map(|thread| thread.join().expect("no panic"));
            assert_eq!(leaders.filter(|&leads| leads).count(), 1);
        }
    });
}

thread_local! {
    static MARK: Cell<i32> = const { Cell::new(0) };
}

#[test]
fn a_closure_waits_for_others_and_stays_on_its_os_thread() {
    child_on_processors("waits_in_the_closure", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
#[allow(clippy::disallowed_methods, reason = "the closure is pinned, and the others of this test leave the mark alone")]
fn waits_in_the_closure() {
    run(|| {
        let (movers, ends) = Movers::start();
        for n in 1..50 {
            movers.round();
            blocking(|| {
                let home = gettid();
                MARK.set(n);
                let (sender, receiver) = bounded(0);
                let other = spawn(move || sender.send(n));
                assert_eq!(receiver.recv(), Ok(n));
                assert_eq!(other.join().expect("no panic"), Ok(()));
                movers.round();
                time::sleep(Duration::from_micros(50));
                yield_now();
                assert_eq!((gettid(), MARK.replace(0)), (home, n));
            });
        }
        movers.until_moved();
        drop(movers);
        ends.into_iter().for_each(|mover| mover.join().expect("no panic"));
    });
}

#[test]
fn it_runs_in_place_and_needs_nothing_to_be_send() {
    child_on_processors("borrows", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn borrows() {
    run(|| {
        let _pin = pin();
        let shared = Rc::new(Cell::new(1));
        let mut list = vec![1, 2, 3];
        let back = blocking(|| {
            list.push(4);
            shared.set(2);
            Rc::clone(&shared)
        });
        assert_eq!((list.len(), back.get()), (4, 2));
    });
}

#[test]
fn a_panic_passes_through_and_leaves_nothing_behind() {
    child_on_processors("panics", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn panics() {
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            assert_eq!(blocks_until_another_has_run(), 7);
        }
    }
    run(|| {
        for _ in 0..20 {
            let caught = catch_unwind(|| blocking(|| panic_any(5)));
            assert_eq!(caught.expect_err("it panics").downcast_ref::<i32>(), Some(&5));
            // While it unwinds, the destructor blocks and waits.
            let caught = catch_unwind(AssertUnwindSafe(|| {
                blocking(|| {
                    let _blocks = Blocks;
                    yield_now();
                    panic_any(6)
                })
            }));
            assert_eq!(caught.expect_err("it panics").downcast_ref::<i32>(), Some(&6));
            assert_eq!(blocks_until_another_has_run(), 7);
        }
    });
}

fn never<T>() -> T {
    blocking(|| unreachable!("it has been cancelled"))
}

#[test]
fn one_that_was_cancelled_before_it_began_does_not_begin() {
    child_on_processors("cancelled_before", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn cancelled_before() {
    start();
    let token = CancelToken::new();
    token.cancel();
    assert!(token.run(never::<()>).is_err());
    greenbridge::run(move || {
        assert!(token.run(never::<()>).is_err());
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let cancelled = spawn({
            let is_cancelled = Arc::clone(&is_cancelled);
            move || {
                // Nothing here waits until it has been cancelled.
                while !is_cancelled.load(Ordering::Acquire) {}
                never::<()>()
            }
        });
        cancelled.cancel();
        is_cancelled.store(true, Ordering::Release);
        assert!(cancelled.join().expect_err("it was cancelled").is::<Cancelled>());
    });
}

#[test]
fn one_that_is_cancelled_ends_after_its_closure() {
    child_on_processors("cancelled_within", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn cancelled_within() {
    run(|| {
        let (begun, told) = bounded(0);
        let (values, received) = bounded::<i32>(0);
        let result = Arc::new(Mutex::new(None));
        let green = spawn({
            let result = Arc::clone(&result);
            move || {
                let value = blocking(|| {
                    begun.send(()).expect("somebody listens");
                    // What is cancelled in the closure ends there.
                    let token = CancelToken::new();
                    token.cancel();
                    assert!(token.run(park).is_err());
                    received.recv()
                });
                *result.lock() = Some(value);
                park();
                unreachable!("the wait after the closure is cut short");
            }
        });
        told.recv().expect("it begins");
        green.cancel();
        // The wait in the closure goes on.
        assert_eq!(values.send(3), Ok(()));
        assert!(green.join().expect_err("it was cancelled").is::<Cancelled>());
        assert_eq!(*result.lock(), Some(Ok(3)));
    });
}

#[test]
fn at_the_limit_of_os_threads_everybody_gets_his_turn() {
    child("at_the_limit").succeeds();
}

#[test]
#[ignore = "child process"]
fn at_the_limit() {
    start_with(Builder::new().processors(2).max_threads(2));
    greenbridge::run(|| {
        let most = Arc::new(AtomicUsize::new(0));
        let now = Arc::new(AtomicUsize::new(0));
        let blocked: Vec<_> = (0..40)
            .map(|n| {
                let (most, now) = (Arc::clone(&most), Arc::clone(&now));
                spawn(move || {
                    let number = blocking(|| {
                        most.fetch_max(now.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
                        // SAFETY: takes a number.
                        unsafe { libc::usleep(200) };
                        now.fetch_sub(1, Ordering::AcqRel);
                        n
                    });
                    // A wait in the closure leaves the OS thread to others, so it needs none beside it.
                    blocking(|| spawn(move || number).join().expect("no panic"))
                })
            })
            .collect();
        let sum: i32 = blocked.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..40).sum());
        assert!(most.load(Ordering::Acquire) <= 2, "more closures than OS threads");
    });
}

#[test]
fn where_nobody_can_free_an_os_thread_it_names_the_limit() {
    child("refused").succeeds();
}

#[test]
#[ignore = "child process"]
fn refused() {
    let status = support::alone(|| {
        start_with(Builder::new().processors(1).max_threads(1));
        greenbridge::run(|| {
            let (values, received) = bounded(0);
            let waits = Arc::new(AtomicUsize::new(0));
            let in_closure = spawn({
                let waits = Arc::clone(&waits);
                move || {
                    blocking(|| {
                        waits.fetch_add(1, Ordering::AcqRel);
                        received.recv()
                    })
                }
            });
            yield_until(&waits, 1);
            let refused = catch_unwind(|| blocking(|| unreachable!("there is no OS thread for it")));
            let text = panic_text(&*refused.expect_err("nobody can free an OS thread"));
            assert!(text.contains("GREENBRIDGE_MAX_THREADS"), "{text}");
            values.send(4).expect("it waits");
            assert_eq!(in_closure.join().expect("no panic"), Ok(4));
            assert_eq!(blocking(|| 5), 5);
        });
    });
    assert_eq!(status, 0, "the process that is alone has failed");
}

#[test]
fn in_a_forked_child_it_runs_in_place() {
    child_on_processors("forks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn forks() {
    run(|| {
        let ready: Vec<_> = (0..4).map(|_| spawn(|| (0..1000).for_each(|_| yield_now()))).collect();
        yield_now();
        // SAFETY: the child stays on this stack, and leaves by `_exit`.
        let pid = call(|| unsafe { libc::fork() });
        if pid == 0 {
            let sum: i32 = (0..20).map(blocking_number).sum();
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(i32::from(sum != (0..20).sum())) };
        }
        let mut status = 0;
        // SAFETY: writes the status to where it is told.
        assert_eq!(blocking(|| unsafe { libc::waitpid(pid, &mut status, 0) }), pid);
        assert_eq!(status, 0);
        ready.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
}

fn blocking_number(n: i32) -> i32 {
    blocking(|| n)
}

#[test]
fn files_standard_input_and_commands_hold_up_nobody() {
    child_on_processors("reads_and_runs", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn reads_and_runs() {
    let (mut from, mut to) = pipe();
    // SAFETY: both are open descriptors; nothing has read standard input yet.
    assert_eq!(unsafe { libc::dup2(from.as_raw_fd(), 0) }, 0);
    run(move || {
        let text = blocking(|| fs::read_to_string("Cargo.toml")).expect("it can be read");
        assert!(text.contains("[workspace]"));

        let line = spawn(|| {
            let mut line = String::new();
            blocking(|| io::stdin().read_line(&mut line)).map(|_| line)
        });
        yield_now();
        to.write_all(b"a line\n").expect("somebody reads");
        assert_eq!(line.join().expect("no panic").expect("it is read"), "a line\n");

        // The command ends when another green thread has written what it waits for.
        let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is cat");
        let mut input = cat.stdin.take().expect("it was asked for");
        let output = spawn(move || blocking(|| cat.wait_with_output()));
        spawn(move || input.write_all(b"through a pipe")).join().expect("no panic").expect("it reads");
        let output = output.join().expect("no panic").expect("it ends");
        assert!(output.status.success());
        assert_eq!(output.stdout, b"through a pipe");
        let _ = from.read(&mut []);
    });
}

fn pipe() -> (fs::File, fs::File) {
    use std::os::fd::FromRawFd;
    let mut ends = [0; 2];
    // SAFETY: writes two descriptors, which nobody else owns.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (fs::File::from_raw_fd(ends[0]), fs::File::from_raw_fd(ends[1]))
    }
}

#[test]
fn a_closure_that_spins_until_others_have_run_is_no_obstacle() {
    Process::child("spins").env("GREENBRIDGE_PROCESSORS", "1").run().succeeds();
}

#[test]
#[ignore = "child process"]
fn spins() {
    run(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&count);
        spawn(move || {
            while counts.fetch_add(1, Ordering::AcqRel) < 1000 {
                yield_now();
            }
        });
        blocking(|| wait_until(|| count.load(Ordering::Acquire) >= 1000));
    });
}
