//! Whatever the system refuses, and however late a wake comes, a program either does all its work, or is told which part could not be done,
//! what ran out and which knob moves it; the rest is done as if nothing had happened.
//!
//! A workload runs with a fault at the first moment at which there can be one of its kind, then at the second, and so on until it passes
//! untouched; with one fault only, and with every later one, too. Each run is a process, forked from one that has no runtime. It must end
//! before its deadline, with its sums right, and with no loss but what the fault explains; and when the fault is over, all works again.
//!
//! What could break it: a hang, a crash without a message, work that is lost with an OS thread that could not be made, an error that names
//! the wrong cause, a wake that counts on the one who is woken being quick.
//!
//! `GREENBRIDGE_TEST_FAULTS=all` visits every moment. Without it those of which there are hundreds are visited at growing distances.

#![allow(clippy::disallowed_methods, reason = "the test looks again at a child process, on an OS thread")]

mod support;
#[path = "faults/workload.rs"]
mod workload;

use greenbridge::faults::{self, Repeat, Site};
use greenbridge::{Builder, StackShortage, Start};
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, ptr, thread};
use support::{Process, threads_of};
use workload::Tally;

const GREENBRIDGE: Start = Start::by_rust();

/// A run takes some milliseconds. Tools that look for faults make it slower: see the patience of `support`.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn os_threads_that_cannot_be_made() {
    sweep("sweep_thread");
}

#[test]
fn address_space_that_cannot_be_had() {
    sweep("sweep_slab");
}

#[test]
fn guards_that_cannot_be_made() {
    sweep("sweep_guard");
}

#[test]
fn signal_stacks_that_cannot_be_had() {
    sweep("sweep_signal_stack");
}

#[test]
fn a_start_that_is_refused_what_it_needs() {
    sweep("sweep_start");
}

#[test]
fn sockets_that_cannot_be_waited_for() {
    sweep("sweep_poller");
    sweep("sweep_registration");
}

#[test]
fn wakes_that_come_late() {
    sweep("sweep_wake");
}

#[test]
fn os_threads_that_are_slow_to_get_up() {
    sweep("sweep_woken");
}

#[test]
#[ignore = "child process"]
fn sweep_thread() {
    sweep_site(Site::Thread);
}

#[test]
#[ignore = "child process"]
fn sweep_slab() {
    sweep_site(Site::Slab);
}

#[test]
#[ignore = "child process"]
fn sweep_guard() {
    sweep_site(Site::Guard);
}

#[test]
#[ignore = "child process"]
fn sweep_signal_stack() {
    sweep_site(Site::SignalStack);
}

#[test]
#[ignore = "child process"]
fn sweep_start() {
    sweep_site(Site::Start);
}

#[test]
#[ignore = "child process"]
fn sweep_poller() {
    sweep_site(Site::Poller);
}

#[test]
#[ignore = "child process"]
fn sweep_registration() {
    sweep_site(Site::Registration);
}

#[test]
#[ignore = "child process"]
fn sweep_wake() {
    sweep_site(Site::Wake);
}

#[test]
#[ignore = "child process"]
fn sweep_woken() {
    sweep_site(Site::Woken);
}

fn visits_all() -> bool {
    std::env::var_os("GREENBRIDGE_TEST_FAULTS").is_some_and(|value| value == "all")
}

fn sweep(name: &str) {
    let process = Process::child(name);
    let process = if visits_all() { process.deadline(Duration::from_secs(600)) } else { process };
    let outcome = process.run();
    outcome.succeeds();
    let summary = outcome.stdout.lines().filter(|line| line.starts_with("swept "));
    summary.for_each(|line| println!("{line}"));
}

/// One process for each moment, until the workload passes untouched.
fn sweep_site(site: Site) {
    // Where there are hundreds of moments, the distance grows by one for so many.
    let stretch = match site {
        Site::Guard | Site::Wake | Site::Woken if !visits_all() => 10,
        _ => u64::MAX,
    };
    let since = Instant::now();
    let processors: &[usize] = if visits_all() { &[1, 2, 4] } else { &[1, 3] };
    for &processors in processors {
        for repeat in [Repeat::Once, Repeat::FromThenOn] {
            let mut runs = 0;
            let mut nth = 1;
            while one_run(site, nth, repeat, processors) {
                runs += 1;
                nth += 1 + nth / stretch;
            }
            assert!(runs > 0, "the workload never comes to {site:?}");
            println!("swept {site:?} {repeat:?} on {processors}: {runs} faults, {:?}", since.elapsed());
        }
    }
}

/// What a run tells its parent, through memory that both have.
struct Told {
    injected: AtomicU64,
}

/// Whether there was a fault.
fn one_run(site: Site, nth: u64, repeat: Repeat, processors: usize) -> bool {
    let told = shared_memory();
    told.injected.store(0, Ordering::Relaxed);
    // SAFETY: makes a file in memory; the name is a C string.
    let stderr = unsafe { libc::memfd_create(c"stderr".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(stderr >= 0, "a file in memory");
    // SAFETY: just made, and nobody else's.
    let mut stderr = unsafe { fs::File::from_raw_fd(stderr) };
    // SAFETY: the child goes on with its only thread, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "the system does not fork");
    if pid == 0 {
        // SAFETY: both are open.
        unsafe { libc::dup2(stderr.as_raw_fd(), libc::STDERR_FILENO) };
        let result = catch_unwind(AssertUnwindSafe(|| {
            faults::inject(site, nth, repeat);
            if repeat == Repeat::FromThenOn {
                faults::delay_by(Duration::from_micros(100));
            }
            workload_with_a_fault(site, repeat, processors);
        }));
        told.injected.store(faults::injected(site), Ordering::Relaxed);
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    let (status, threads) = wait_for(pid);
    let mut said = String::new();
    stderr.rewind().and_then(|()| stderr.read_to_string(&mut said)).expect("what it has written");
    let what = format!("{site:?} {nth} {repeat:?} on {processors} processors");
    if let Some(threads) = threads {
        panic!("{what}: it hung; its threads were\n{threads}--- stderr\n{said}");
    }
    assert_eq!(status, 0, "{what}: {said}");
    told.injected.load(Ordering::Relaxed) > 0
}

fn shared_memory() -> &'static Told {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address of the kernel's choice.
    let memory = unsafe { libc::mmap(ptr::null_mut(), size_of::<Told>(), protection, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    // SAFETY: zeroed, which is a valid value, large enough, and never unmapped.
    unsafe { &*memory.cast::<Told>() }
}

/// The child's wait status. One that hangs is killed, and its threads are returned.
fn wait_for(pid: i32) -> (i32, Option<String>) {
    let since = Instant::now();
    let mut hung = None;
    let mut status = 0;
    // SAFETY: writes the status to where it is told.
    while unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } == 0 {
        if hung.is_none() && since.elapsed() > DEADLINE {
            hung = Some(threads_of(pid.cast_unsigned()));
            // SAFETY: a plain system call; the child has not been waited for, so the number is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_micros(500));
    }
    (status, hung)
}

fn workload_with_a_fault(site: Site, repeat: Repeat, processors: usize) {
    // SAFETY: docs/safety.md. The workload keeps no thread-local over a wait.
    let started = unsafe { Builder::new().processors(processors).start() };
    if let Err(error) = started {
        return start_was_refused(site, &error.to_string());
    }
    let tally = workload::run();
    let faults = faults::injected(site);
    losses_are_explained(site, repeat, faults, &tally);

    // The fault is over: nothing has been lost by it.
    faults::inject(site, 0, Repeat::Once);
    let again = workload::run();
    assert_eq!(again.lost(), 0, "after the fault: {again:?}");
    assert_eq!(again.done, tally.done + tally.lost());
}

fn start_was_refused(site: Site, error: &str) {
    let words = match site {
        Site::Thread => ["did not start", "create an OS thread", "ulimit -u"],
        Site::Start => ["did not start", "the system would not", "os error"],
        _ => panic!("a start needs no {site:?}: {error}"),
    };
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in {error:?}");
    }
    // There is no second try, and nobody waits for one.
    // SAFETY: as above.
    let again = unsafe { Builder::new().start() }.expect_err("it has failed for good").to_string();
    assert!(again.contains(error) || again.contains("already"), "{again}");
    let refused = catch_unwind(|| drop(greenbridge::spawn(|| ()))).expect_err("nothing runs");
    assert!(support::panic_text(&*refused).contains("start"));
}

/// Nothing is lost but what the faults explain, and each loss names what ran out and the knob.
fn losses_are_explained(site: Site, repeat: Repeat, faults: u64, tally: &Tally) {
    let shown = || format!("{faults} faults, {} done, lost: {tally:?}", tally.done);
    match (site, repeat) {
        // One that fails is asked for in another way, later, or by somebody else.
        (Site::Thread | Site::Slab, Repeat::Once) => assert_eq!(tally.lost(), 0, "{}", shown()),
        (Site::Thread, Repeat::FromThenOn) => {
            assert!(tally.no_stack.is_empty() && tally.no_poller.is_empty(), "{}", shown());
            assert!(tally.peer == 0 || !tally.no_thread.is_empty(), "{}", shown());
        }
        (Site::Poller | Site::Registration, _) => {
            assert_eq!(tally.lost(), tally.no_poller.len(), "{}", shown());
            // A reader that could not wait has learned it, and nobody else.
            assert_eq!(tally.lost() as u64, faults, "{}", shown());
        }
        (Site::Slab | Site::Guard, _) => {
            assert!(tally.no_thread.is_empty() && tally.no_poller.is_empty(), "{}", shown());
            assert!(tally.peer == 0 || !tally.no_stack.is_empty(), "{}", shown());
            if site == Site::Guard && faults > 0 {
                assert!(tally.lost() > 0, "{}", shown());
            }
        }
        _ => assert_eq!(tally.lost(), 0, "{}", shown()),
    }
    for error in &tally.no_stack {
        let expected = if site == Site::Slab { StackShortage::AddressSpace } else { StackShortage::Memory };
        assert_eq!(error.shortage(), expected);
        let text = error.to_string();
        for word in ["no stack for a green thread", "KiB with its guard", "Builder::stack_size"] {
            assert!(text.contains(word), "{word:?} is missing in {text:?}");
        }
    }
    for text in &tally.no_poller {
        let knob = if site == Site::Poller { "ulimit -n" } else { "fs.epoll.max_user_watches" };
        for word in ["waiting for a socket", "the system refuses it", knob] {
            assert!(text.contains(word), "{word:?} is missing in {text:?}");
        }
    }
    for text in &tally.no_thread {
        for word in ["the system makes no more", "ulimit -u", "pids.max"] {
            assert!(text.contains(word), "{word:?} is missing in {text:?}");
        }
    }
}
