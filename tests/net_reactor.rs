//! Whoever has nothing else to do waits for files, and whoever has looks at them in between: no event waits while anybody could run what it
//! wakes, and nothing is done while none comes.
//!
//! What could break it: a keeper that sleeps beside the poller, a call that does not end its sleep there, a busy processor or a flood that keeps
//! the events from being fetched, a child of a fork that takes files out of its parent's epoll.

mod support;

use greenbridge::net::{self, Async};
use greenbridge::testing::Check;
use greenbridge::{Builder, call, park, spawn, time, yield_now};
use std::fs::File;
use std::io::{Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::{
    Process, alone, child, child_on_processors, in_callback, nobody_runs_for, pause, read_byte, run, start, start_with,
    streams, wait_until, write_byte,
};

#[test]
fn a_runtime_in_which_all_wait_for_files_does_nothing() {
    child_on_processors("nothing_while_none_comes", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn nothing_while_none_comes() {
    start();
    let readers: Vec<_> = (0..100)
        .map(|_| {
            let (ours, theirs) = streams();
            (spawn(move || (read_byte(&ours), read_byte(&ours))), theirs)
        })
        .collect();
    nobody_runs_for(Duration::from_secs(2));
    readers.iter().for_each(|(_, theirs)| write_byte(theirs, 1));
    nobody_runs_for(Duration::from_secs(2));
    for (reader, theirs) in readers {
        write_byte(theirs, 2);
        assert_eq!(reader.join().expect("no panic"), (1, 2));
    }
    // Nothing is registered any more.
    nobody_runs_for(Duration::from_secs(2));
}

#[test]
fn whoever_sleeps_in_the_poller_is_called() {
    child_on_processors("calls_end_the_sleep_in_the_poller", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn calls_end_the_sleep_in_the_poller() {
    start();
    let (ours, theirs) = streams();
    let waits = spawn(move || read_byte(&ours));
    for round in 0..500 {
        // By new work, by a timer that is armed elsewhere, and by the wake of a pinned green thread.
        assert_eq!(spawn(move || round).join().expect("no panic"), round);
        spawn(|| time::sleep(Duration::from_micros(50))).join().expect("no panic");
        let (ours, theirs) = streams();
        let in_c = spawn(move || in_callback(move || read_byte(&ours)));
        if round % 2 == 0 {
            yield_now();
        }
        write_byte(&theirs, 1);
        assert_eq!(in_c.join().expect("no panic"), 1);
    }
    write_byte(theirs, 2);
    assert_eq!(waits.join().expect("no panic"), 2);
}

#[test]
fn busy_processors_fetch_events() {
    child_on_processors("events_beside_busy_green_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn events_beside_busy_green_threads() {
    start();
    let stop = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..20)
        .map(|_| {
            let stop = Arc::clone(&stop);
            spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    yield_now();
                }
            })
        })
        .collect();
    let (ours, theirs) = streams();
    let echoes = spawn(move || {
        for _ in 0..100 {
            write_byte(&ours, read_byte(&ours));
        }
    });
    for round in 0..100 {
        write_byte(&theirs, round);
        assert_eq!(read_byte(&theirs), round);
    }
    echoes.join().expect("no panic");
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn a_flood_starves_nobody() {
    child_on_processors("a_flood", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_flood() {
    start();
    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..4)
        .map(|_| {
            let (ours, mut theirs) = streams();
            let stop = Arc::clone(&stop);
            let sends = std::thread::spawn({
                let stop = Arc::clone(&stop);
                move || {
                    while !stop.load(Ordering::Relaxed) && theirs.write_all(&[7; 4096]).is_ok() {}
                }
            });
            let reads = spawn(move || {
                let mut buffer = [0; 64];
                while !stop.load(Ordering::Relaxed) {
                    (&ours).read_exact(&mut buffer).expect("more comes");
                }
            });
            (sends, reads)
        })
        .collect();
    // Others run, a timer is fired, and another file is served.
    for round in 0..20 {
        assert_eq!(spawn(move || round).join().expect("no panic"), round);
        spawn(|| time::sleep(Duration::from_millis(1))).join().expect("no panic");
        let (ours, theirs) = streams();
        let reads = spawn(move || read_byte(&ours));
        write_byte(theirs, round);
        assert_eq!(reads.join().expect("no panic"), round);
    }
    stop.store(true, Ordering::Relaxed);
    for (sends, reads) in floods {
        reads.join().expect("no panic");
        sends.join().expect("no panic");
    }
}

#[test]
fn events_are_fetched_while_all_processors_are_in_c() {
    child_on_processors("events_beside_c", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn events_beside_c() {
    start();
    for _ in 0..10 {
        let (ours, theirs) = streams();
        let in_c = Arc::new(AtomicUsize::new(0));
        // C is let go by who waits for the event.
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (mut end, ends) = pipe().expect("a pipe");
                let in_c = Arc::clone(&in_c);
                let calls = spawn(move || {
                    call(|| {
                        in_c.fetch_add(1, Ordering::Release);
                        end.read_exact(&mut [0]).expect("a byte");
                    });
                });
                (calls, ends)
            })
            .collect();
        let (calls, ends): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        let waits = spawn(move || {
            let byte = read_byte(&ours);
            ends.iter().for_each(|end| write_byte(end, byte));
        });
        wait_until(|| in_c.load(Ordering::Acquire) == 8);
        write_byte(theirs, 1);
        waits.join().expect("no panic");
        calls.into_iter().for_each(|thread| thread.join().expect("no panic"));
    }
}

#[test]
fn whoever_waits_for_a_file_is_not_stuck() {
    child_on_processors("no_deadlock_while_a_file_is_waited_for", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn no_deadlock_while_a_file_is_waited_for() {
    // In a process with no other OS thread, and without a timer of the runtime's: the byte comes from another process.
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    // SAFETY: the child goes on with its only thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "the system does not fork");
    if pid == 0 {
        // Longer than the monitor looks for a deadlock after the last one has gone to sleep.
        pause(Duration::from_millis(700));
        write_byte(&theirs, 1);
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(0) };
    }
    let status = alone(|| {
        start();
        let ours = Async::new(ours).expect("non-blocking");
        assert_eq!(greenbridge::run(move || read_byte(&ours)), 1);
    });
    assert_eq!(status, 0, "it ended with wait status {status:#x}");
    // SAFETY: asks for no status.
    assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
}

#[test]
fn a_file_that_nobody_waits_for_hides_no_deadlock() {
    Process::child("a_deadlock_beside_a_file").run().succeeds().says("greenbridge: deadlock");
}

#[test]
#[ignore = "child process"]
fn a_deadlock_beside_a_file() {
    let status = alone(|| {
        start();
        greenbridge::run(|| {
            let (ours, theirs) = streams();
            write_byte(&theirs, 1);
            ours.wait_readable_timeout(Duration::ZERO).expect("it is readable");
            assert_eq!(read_byte(&ours), 1);
            ours.wait_readable_timeout(Duration::from_millis(5)).expect_err("nothing comes");
            park();
        });
    });
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 2, "it ended with wait status {status:#x}");
}

#[test]
fn a_forked_child_leaves_the_files_of_its_parent_alone() {
    child_on_processors("a_fork_beside_files", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_fork_beside_files() {
    start();
    let (ours, theirs) = streams();
    let ours = Arc::new(ours);
    let reads = {
        let ours = Arc::clone(&ours);
        spawn(move || [read_byte(&*ours), read_byte(&*ours)])
    };
    pause(Duration::from_millis(20));
    // SAFETY: the child goes on with its only thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "the system does not fork");
    if pid == 0 {
        let error = ours.wait_readable().expect_err("it would have to wait");
        let other = net::wait_readable(theirs.as_fd()).expect_err("it would have to wait");
        let good = [error, other].iter().all(|error| error.to_string().contains("forked"));
        // What need not wait works.
        write_byte(&*ours, 9);
        drop(ours);
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!good)) };
    }
    let mut status = 0;
    // SAFETY: writes the status to where it is told.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
    assert_eq!(read_byte(&theirs), 9);
    write_byte(&theirs, 1);
    pause(Duration::from_millis(20));
    write_byte(&theirs, 2);
    assert_eq!(reads.join().expect("no panic"), [1, 2]);
}

/// Opens files until the system refuses.
fn take_all_numbers() -> Vec<File> {
    let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    // SAFETY: reads from `limit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn whoever_finds_no_number_left_is_told_what_for() {
    child_on_processors("no_number_left", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn no_number_left() {
    run(|| {
        let listener = Async::new(TcpListener::bind("127.0.0.1:0").expect("a listener")).expect("non-blocking");
        let address = listener.get_ref().local_addr().expect("an address");
        let (ours, theirs) = streams();
        let client = TcpStream::connect(address).expect("connected");
        let mut taken = take_all_numbers();
        // The reactor itself; each part of it is named.
        for _ in 0..3 {
            let error = ours.wait_readable_timeout(Duration::from_millis(5)).expect_err("no number is left");
            assert!(error.to_string().contains("and the system refuses it: Too many open files"), "{error}");
            drop(taken.pop());
        }
        // An accept: the operation's own error. The connection is not lost.
        taken.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        let error = listener.read_with(TcpListener::accept).expect_err("no number is left");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        taken.clear();
        let (server, _) = listener.read_with(TcpListener::accept).expect("the connection");
        write_byte(server, 3);
        assert_eq!(read_byte(client), 3);
        // And the wait that could not be begun can be now.
        let reads = spawn(move || read_byte(&ours));
        yield_now();
        write_byte(theirs, 4);
        assert_eq!(reads.join().expect("no panic"), 4);
    });
}

#[test]
fn signals_disturb_no_wait() {
    child_on_processors("a_storm_of_signals", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_storm_of_signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    // Without SA_RESTART: every system call that waits is interrupted.
    // SAFETY: all zeros is a valid action, and the handler does nothing.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    start_with(Builder::new().deadlock_detection(false));
    let stop = Arc::new(AtomicBool::new(false));
    let storm = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                for task in std::fs::read_dir("/proc/self/task").expect("/proc is there").flatten() {
                    let number: i32 = task.file_name().to_str().and_then(|n| n.parse().ok()).expect("a number");
                    // SAFETY: takes no pointer; a thread that has gone is an error.
                    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), number, libc::SIGUSR1) };
                }
            }
        }
    });
    for round in 0..200 {
        let (ours, theirs) = streams();
        let reads = spawn(move || {
            ours.wait_readable().expect("it is readable");
            (read_byte(&ours), ours.wait_readable_timeout(Duration::from_millis(1)).is_err())
        });
        spawn(|| time::sleep(Duration::from_millis(1))).join().expect("no panic");
        write_byte(&theirs, round as u8);
        assert_eq!(reads.join().expect("no panic"), (round as u8, true));
    }
    stop.store(true, Ordering::Relaxed);
    storm.join().expect("no panic");
}

#[test]
fn files_work_in_virtual_time() {
    child("virtual_time").succeeds();
}

#[test]
#[ignore = "child process"]
fn virtual_time() {
    let test = || {
        let (ours, theirs) = streams();
        let reads = spawn(move || (0..20).map(|_| read_byte(&ours)).collect::<Vec<_>>());
        let writes = spawn(move || {
            for byte in 0..20 {
                time::sleep(Duration::from_secs(60));
                write_byte(&theirs, byte);
            }
        });
        writes.join().expect("no panic");
        assert_eq!(reads.join().expect("no panic"), (0..20).collect::<Vec<_>>());
    };
    // SAFETY: docs/safety.md; nothing here keeps a thread-local over a wait.
    unsafe { Check::new().runs(20).run(test) };
}
