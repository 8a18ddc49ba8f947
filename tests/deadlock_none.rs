//! No deadlock is reported where somebody can still wake somebody, however long all green threads wait.
//!
//! What could break it: an OS thread that is not counted, one that is taken to block when it has just been woken, or a C call
//! that looks like sleep.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{Builder, Start, block_on, call, park, pin, run, spawn, time};
use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Callback, Process, Way, alone, child, child_on_processors, for_c, pause, start, start_with};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn deadlock_none_enter(f: Callback<c_long>, context: *mut c_void, milliseconds: c_long) -> c_long;
    // Of `deadlock.c`.
    fn deadlock_thread(f: Callback<c_long>, context: *mut c_void, milliseconds: c_long) -> c_int;
}

/// Longer than the monitor looks for a deadlock after the last one has gone to sleep.
const LONG: Duration = Duration::from_millis(500);
const LONG_MS: c_long = 500;

/// Runs `body` in a process with no other OS thread: it must come to its end.
fn ends(body: impl FnOnce()) {
    let status = alone(body);
    assert_eq!(status, 0, "it ended with wait status {status:#x}");
}

/// The channel of this test, whose receiver waits on a green thread of its own. Brings what has come when it is joined.
fn receiver() -> (Sender<c_long>, greenbridge::JoinHandle<c_long>) {
    let (sender, receiver) = bounded(0);
    (sender, spawn(move || receiver.recv().expect("it is sent")))
}

#[greenbridge::export]
extern "C" fn send(sender: &Sender<c_long>, number: c_long) -> c_long {
    sender.send(number).map_or(-1, |()| number)
}

#[test]
fn a_thread_of_c_that_sleeps_may_wake_somebody() {
    child_on_processors("a_thread_of_c_sleeps", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_thread_of_c_sleeps() {
    ends(|| {
        start();
        let (sender, received) = receiver();
        let (f, context) = for_c(send, &sender);
        // SAFETY: this frame is not left before the thread has called, which is what it waits for.
        assert_eq!(unsafe { deadlock_thread(f, context, LONG_MS) }, 0);
        assert_eq!(received.join().expect("no panic"), LONG_MS);
    });
}

#[test]
fn a_thread_of_std_that_sleeps_may_wake_somebody() {
    child_on_processors("a_thread_of_std_sleeps", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_thread_of_std_sleeps() {
    ends(|| {
        start();
        let (sender, received) = receiver();
        let sends = std::thread::spawn(move || {
            pause(LONG);
            sender.send(5).expect("it is received");
        });
        assert_eq!(received.join().expect("no panic"), 5);
        sends.join().expect("no panic");
    });
}

#[test]
fn a_main_thread_that_is_elsewhere_may_wake_somebody() {
    child_on_processors("the_main_thread_sleeps", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn the_main_thread_sleeps() {
    ends(|| {
        start();
        let (sender, received) = receiver();
        let parked: Vec<_> = (0..100).map(|_| spawn(park)).collect();
        pause(LONG);
        sender.send(5).expect("it is received");
        assert_eq!(received.join().expect("no panic"), 5);
        pause(LONG);
        for thread in parked {
            thread.thread().unpark();
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn a_c_call_under_way_may_call_back() {
    child_on_processors("c_calls_back_late", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn c_calls_back_late() {
    ends(|| {
        start();
        for way in Way::ALL {
            let (sender, received) = receiver();
            let calls = spawn(move || {
                let (f, context) = for_c(send, &sender);
                let context = context.addr();
                way.call(move || {
                    let context = std::ptr::with_exposed_provenance_mut(context);
                    // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                    unsafe { deadlock_none_enter(f, context, LONG_MS) }
                })
            });
            assert_eq!(received.join().expect("no panic"), LONG_MS, "{way:?}");
            assert_eq!(calls.join().expect("no panic"), LONG_MS, "{way:?}");
        }
    });
}

#[test]
fn a_green_thread_that_computes_may_wake_somebody() {
    child_on_processors("a_green_thread_computes", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_green_thread_computes() {
    ends(|| {
        start();
        let (sender, received) = receiver();
        run(move || {
            let start = Instant::now();
            support::keep_busy_until(|| start.elapsed() > LONG);
            sender.send(6).expect("it is received");
        });
        assert_eq!(received.join().expect("no panic"), 6);
    });
}

#[test]
fn futures_of_tokio_may_wake_somebody() {
    child_on_processors("tokio_wakes", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn tokio_wakes() {
    ends(|| {
        start();
        let tokio =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("it starts");
        let (sender, received) = receiver();
        tokio.spawn(async move {
            tokio::time::sleep(LONG).await;
            sender.send_async(7).await
        });
        assert_eq!(received.join().expect("no panic"), 7);

        let (tell, told) = tokio::sync::oneshot::channel();
        tokio.spawn(async move {
            tokio::time::sleep(LONG).await;
            tell.send(8)
        });
        assert_eq!(run(move || block_on(told)), Ok(8));

        // A runtime on the main thread, which waits in there.
        let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it starts");
        let (sender, received) = receiver();
        tokio.block_on(async {
            tokio::time::sleep(LONG).await;
            sender.send_async(9).await.expect("it is received");
            assert_eq!(received.await.expect("no panic"), 9);
        });
    });
}

#[test]
fn futures_of_smol_may_wake_somebody() {
    child_on_processors("smol_wakes", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn smol_wakes() {
    ends(|| {
        start();
        run(|| {
            let start = Instant::now();
            block_on(smol::Timer::after(LONG));
            assert!(start.elapsed() >= LONG);
        });
        block_on(smol::Timer::after(LONG));
    });
}

static ROUNDS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_runtime_that_comes_to_rest_all_the_time_is_not_taken_for_stuck() {
    child_on_processors("two_os_threads_and_a_green_one", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn two_os_threads_and_a_green_one() {
    ends(|| {
        start_with(Builder::new().spare_idle(Duration::from_millis(1)));
        let ((to_green, at_green), (to_main, at_main)) = (bounded(0), bounded(0));
        let echo = spawn(move || at_green.iter().try_for_each(|value: c_long| to_main.send(value)));
        let until = Instant::now() + 3 * LONG;
        let mut value = 0;
        while Instant::now() < until {
            // From a new OS thread each time, which then ends; and from a callback that is pinned.
            let (sender, number) = (to_green.clone(), value);
            match value % 3 {
                0 => drop(std::thread::spawn(move || sender.send(number))),
                1 => drop(spawn(move || call(|| sender.send(number)))),
                _ => drop(spawn(move || {
                    let _pin = pin();
                    sender.send(number)
                })),
            }
            assert_eq!(at_main.recv(), Ok(value));
            value += 1;
        }
        ROUNDS.store(usize::try_from(value).expect("it counts up"), Ordering::Relaxed);
        assert!(ROUNDS.load(Ordering::Relaxed) > 100, "{value} rounds");
        drop(to_green);
        assert!(echo.join().is_ok());
    });
}

#[test]
fn messages_that_come_just_before_the_looks_are_not_missed() {
    child_on_processors("messages_come_when_the_monitor_looks", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn messages_come_when_the_monitor_looks() {
    ends(|| {
        start();
        // The main thread blocks in a wait each time, and is woken by an OS thread that ends at once, at about the times of the looks.
        for milliseconds in [9, 10, 10, 11, 39, 40, 40, 41, 139, 140, 141, 320] {
            let (sender, receiver) = bounded(1);
            std::thread::spawn(move || {
                pause(Duration::from_millis(milliseconds));
                sender.send(milliseconds)
            });
            let receiver: Receiver<u64> = receiver;
            assert_eq!(receiver.recv(), Ok(milliseconds));
        }
    });
}

#[test]
fn a_forked_child_is_not_looked_at() {
    child("the_child_of_a_fork_sleeps").succeeds();
}

#[test]
#[ignore = "child process"]
fn the_child_of_a_fork_sleeps() {
    ends(|| {
        start();
        let waits = spawn(park);
        run(|| ());
        // SAFETY: the child sleeps, and leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "the system does not fork");
        if pid == 0 {
            pause(LONG);
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(7) };
        }
        let mut status = 0;
        // SAFETY: writes the status to where it is told.
        assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7);
        waits.thread().unpark();
        waits.join().expect("no panic");
    });
}

/// Waits for what never comes, until a signal ends the process.
fn wait_for_the_alarm() {
    // SAFETY: no memory.
    unsafe { libc::alarm(1) };
    run(park);
}

#[test]
fn where_it_is_switched_off_nothing_is_reported() {
    child("switched_off_by_the_program").succeeds().does_not_say("deadlock");
    let switched_off = Process::child("switched_off_by_the_environment").env("GREENBRIDGE_DEADLOCK_DETECTION", "off");
    switched_off.run().succeeds().does_not_say("deadlock");
}

#[test]
#[ignore = "child process"]
fn switched_off_by_the_program() {
    let status = alone(|| {
        start_with(Builder::new().deadlock_detection(false));
        wait_for_the_alarm();
    });
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGALRM, "wait status {status:#x}");
}

#[test]
#[ignore = "child process"]
fn switched_off_by_the_environment() {
    let status = alone(|| {
        start();
        wait_for_the_alarm();
    });
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGALRM, "wait status {status:#x}");
}

#[test]
fn a_handler_for_a_signal_may_do_something() {
    child("a_signal_is_handled").succeeds().does_not_say("deadlock");
}

#[test]
#[ignore = "child process"]
fn a_signal_is_handled() {
    extern "C" fn handler(_: c_int) {
        // SAFETY: allowed in a handler.
        unsafe { libc::_exit(9) };
    }
    let status = alone(|| {
        start();
        // SAFETY: the handler does what a handler may.
        unsafe { libc::signal(libc::SIGALRM, handler as extern "C" fn(c_int) as libc::sighandler_t) };
        wait_for_the_alarm();
    });
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 9, "wait status {status:#x}");
}

#[test]
fn what_a_timer_will_wake_is_no_deadlock() {
    child_on_processors("timers_are_armed", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn timers_are_armed() {
    ends(|| {
        start();
        let (_sender, received) = bounded::<c_long>(0);
        run(|| time::sleep(LONG));
        let late = received.clone();
        assert!(run(move || late.recv_timeout(LONG).is_err()));
        assert!(run(|| time::timeout(LONG, park).is_err()));
        // The token's deadline ends a wait of this OS thread, and nothing else would.
        let token = CancelToken::new().child_with_timeout(LONG);
        assert!(token.run(|| received.recv()).is_err());
        assert!(received.recv_timeout(LONG).is_err());
    });
}

#[test]
fn a_timer_that_has_fired_holds_no_deadlock_back() {
    child_on_processors("last_timer_fires", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn last_timer_fires() {
    let status = alone(|| {
        start();
        // In the end nobody is left to wake it.
        drop(spawn(|| time::sleep(LONG)));
        run(park);
    });
    assert_eq!(status, 2 << 8, "it ended with wait status {status:#x}");
}
