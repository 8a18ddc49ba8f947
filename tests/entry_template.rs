//! A worker that is made while C has changed its own OS thread (signals blocked, confined to one CPU, a higher nice value) has
//! nothing of that: it starts as the thread did that started the runtime.
//!
//! What could break it: an OS thread that is made by whoever hands a processor over, and inherits.

mod support;

use greenbridge::{Builder, call, call_blocking, spawn};
use std::mem;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::{child, keep_busy_until, start_with};

/// Blocked by the thread that starts the runtime, and by C.
const AT_START: i32 = libc::SIGUSR2;
const BY_C: i32 = libc::SIGUSR1;

/// What an OS thread inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Inherited {
    blocks_signal_of_start: bool,
    blocks_signal_of_c: bool,
    cpus: i32,
    nice: Option<i32>,
}

fn change_mask(how: i32, signal: Option<i32>) -> libc::sigset_t {
    // SAFETY: sets of bits, which the calls fill in.
    unsafe {
        let (mut set, mut before): (libc::sigset_t, libc::sigset_t) = (mem::zeroed(), mem::zeroed());
        libc::sigemptyset(&mut set);
        if let Some(signal) = signal {
            libc::sigaddset(&mut set, signal);
        }
        assert_eq!(libc::pthread_sigmask(how, &set, &mut before), 0);
        before
    }
}

fn affinity() -> libc::cpu_set_t {
    // SAFETY: a set of bits, which the call fills in.
    unsafe {
        let mut cpus: libc::cpu_set_t = mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, mem::size_of_val(&cpus), &mut cpus), 0);
        cpus
    }
}

fn look() -> Inherited {
    let mask = change_mask(libc::SIG_BLOCK, None);
    // SAFETY: look at what they are given, or at this OS thread.
    unsafe {
        Inherited {
            blocks_signal_of_start: libc::sigismember(&mask, AT_START) == 1,
            blocks_signal_of_c: libc::sigismember(&mask, BY_C) == 1,
            cpus: libc::CPU_COUNT(&affinity()),
            nice: may_lower_nice_values().then(|| libc::getpriority(libc::PRIO_PROCESS, 0)),
        }
    }
}

/// Not everybody may: then a worker keeps what it inherited.
fn may_lower_nice_values() -> bool {
    let lowered = || {
        // SAFETY: concern this OS thread alone, which ends.
        unsafe {
            let before = libc::getpriority(libc::PRIO_PROCESS, 0);
            libc::setpriority(libc::PRIO_PROCESS, 0, before + 1);
            libc::setpriority(libc::PRIO_PROCESS, 0, before) == 0
        }
    };
    thread::spawn(lowered).join().expect("no panic")
}

/// Stands for C that does so to its own OS thread, and returns.
fn change_own_thread() {
    change_mask(libc::SIG_BLOCK, Some(BY_C));
    // SAFETY: sets of bits; and concern this OS thread alone.
    unsafe {
        let all = affinity();
        let first = (0..libc::CPU_SETSIZE as usize).find(|&cpu| libc::CPU_ISSET(cpu, &all)).expect("it runs somewhere");
        let mut one: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(first, &mut one);
        assert_eq!(libc::sched_setaffinity(0, mem::size_of_val(&one), &one), 0);
        assert_eq!(libc::setpriority(libc::PRIO_PROCESS, 0, libc::getpriority(libc::PRIO_PROCESS, 0) + 3), 0);
    }
}

#[test]
fn a_worker_starts_as_the_thread_that_started_the_runtime() {
    child("workers_are_made_by_changed_threads").succeeds();
}

#[test]
#[ignore = "child process"]
fn workers_are_made_by_changed_threads() {
    const CHAIN: usize = 5;
    static CHANGED: AtomicUsize = AtomicUsize::new(0);
    change_mask(libc::SIG_SETMASK, Some(AT_START));
    let expected = look();
    assert!(expected.blocks_signal_of_start && !expected.blocks_signal_of_c);
    start_with(Builder::new().processors(1));
    let threads: Vec<_> = (0..CHAIN)
        .map(|_| {
            spawn(|| {
                let found = look();
                // Bare, so that nothing takes the processor before it is handed on.
                change_own_thread();
                CHANGED.fetch_add(1, Ordering::Release);
                // The one processor is handed on from here, to a worker that is made for it.
                call_blocking(|| keep_busy_until(|| CHANGED.load(Ordering::Acquire) == CHAIN));
                found
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), expected);
    }
}

#[test]
fn a_program_that_a_green_thread_starts_has_the_signal_mask_of_the_start() {
    child("a_program_tells_its_mask").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_program_tells_its_mask() {
    // std resets the mask of the programs it starts; posix_spawn, as C calls it, does not.
    change_mask(libc::SIG_SETMASK, Some(AT_START));
    start_with(Builder::new().processors(1));
    let status = greenbridge::run(|| {
        call(|| {
            let script = c"mask=$(sed -n 's/^SigBlk:.*\\(.\\{4\\}\\)$/\\1/p' /proc/self/status); [ \"$mask\" = 0800 ]";
            let arguments =
                [c"sh".as_ptr().cast_mut(), c"-c".as_ptr().cast_mut(), script.as_ptr().cast_mut(), ptr::null_mut()];
            let (mut pid, mut status) = (0, 0);
            // SAFETY: strings of C, and a list of them that ends in null.
            unsafe {
                let spawned = libc::posix_spawn(
                    &mut pid,
                    c"/bin/sh".as_ptr(),
                    ptr::null(),
                    ptr::null(),
                    arguments.as_ptr(),
                    [ptr::null_mut()].as_ptr(),
                );
                assert_eq!(spawned, 0);
                assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
            }
            status
        })
    });
    assert_eq!(status, 0, "the program found another mask");
    let usual = greenbridge::run(|| call_blocking(|| Command::new("true").status()));
    assert!(usual.expect("it starts").success());
}
