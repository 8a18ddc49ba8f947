//! When the system gives no more stacks or OS threads, whoever needed one is told what ran out and which knob moves it, and
//! nothing else is lost.
//!
//! What could break it: a green thread that vanishes with its stack, a processor that is given to a worker which could not
//! be made, or a queue that nobody looks at again.

mod support;

use greenbridge::channel::{bounded, unbounded};
use greenbridge::{Builder, StackError, StackShortage, Start, call, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use support::{Callback, Process, Way, allow_threads, failed_threads, for_c, start_with, wait_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn exhaustion_sleep_until(flag: *const AtomicI32) -> c_long;
    fn exhaustion_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

#[test]
fn out_of_address_space_only_those_without_a_stack_fail_and_say_why() {
    for processors in ["1", "2"] {
        // All of the heap is there before the limit: what fails are stacks.
        let child = Process::child("too_many_stacks").env("MALLOC_ARENA_MAX", "1").env("MALLOC_TOP_PAD_", "67108864");
        child.env("GREENBRIDGE_PROCESSORS", processors).run().succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn too_many_stacks() {
    const THREADS: usize = 1000;
    support::start();
    assert_eq!(spawn(|| 1).join().expect("there is a stack"), 1);
    limit_address_space(Some(address_space() + (64 << 20)));

    let begun = Arc::new(AtomicUsize::new(0));
    let (values, received) = unbounded();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (begun, received) = (Arc::clone(&begun), received.clone());
            spawn(move || {
                begun.fetch_add(1, Ordering::AcqRel);
                received.recv().expect("a value for each")
            })
        })
        .collect();
    let failed = || threads.iter().filter(|thread| thread.is_finished()).count();
    wait_until(|| begun.load(Ordering::Acquire) + failed() == THREADS);
    let begun = begun.load(Ordering::Acquire);
    assert!(begun >= 100, "64 MiB have room for 200 stacks of 320 KiB, less what the system takes, but {begun} began");
    for value in 0..begun {
        values.send(value).expect("they wait");
    }

    let mut sum = 0;
    let mut errors = 0;
    for thread in threads {
        match thread.join() {
            Ok(value) => sum += value,
            Err(payload) => {
                let error = payload.downcast_ref::<StackError>().expect("the payload says what ran out");
                assert_eq!(error.shortage(), StackShortage::AddressSpace);
                let text = error.to_string();
                for word in ["no stack", "address space", "ulimit -v", "GREENBRIDGE_STACK_SIZE"] {
                    assert!(text.contains(word), "{word:?} is missing in {text:?}");
                }
                errors += 1;
            }
        }
    }
    assert_eq!((sum, errors), ((0..begun).sum(), THREADS - begun));

    // Stacks come back to who needs them next, and with a higher limit there are more.
    let again: Vec<_> = (0..100).map(|n| spawn(move || n)).collect();
    assert_eq!(again.into_iter().map(|thread| thread.join().expect("there is a stack")).sum::<i32>(), (0..100).sum());
    limit_address_space(None);
    let (values, received) = bounded(0);
    let more: Vec<_> = (0..THREADS)
        .map(|_| {
            let received = received.clone();
            spawn(move || received.recv().expect("a value for each"))
        })
        .collect();
    for value in 0..THREADS {
        values.send(value).expect("they wait");
    }
    assert_eq!(more.into_iter().map(|thread| thread.join().expect("no error")).sum::<usize>(), (0..THREADS).sum());
}

fn address_space() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("statm can be read");
    let pages = statm.split_ascii_whitespace().next().and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("statm has a first field") * 4096
}

/// Sets the soft limit; `None`: as high as it may be.
fn limit_address_space(bytes: Option<u64>) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to the structure that it is given.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) }, 0);
    limit.rlim_cur = bytes.unwrap_or(limit.rlim_max);
    // SAFETY: reads the structure that it is given.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

#[test]
fn a_start_without_os_threads_is_an_error_that_says_so() {
    for allowed in ["0", "1"] {
        Process::child("start_with_few_threads").with_interposed_threads().env("ALLOWED", allowed).run().succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn start_with_few_threads() {
    let allowed = std::env::var("ALLOWED").expect("it is set").parse().expect("it is a number");
    allow_threads(Some(allowed));
    // SAFETY: docs/safety.md; nothing is started.
    let error = unsafe { Builder::new().start() }.expect_err("there are no OS threads for it").to_string();
    for word in ["did not start", "OS thread", "ulimit -u", "pids.max"] {
        assert!(error.contains(word), "{word:?} is missing in {error:?}");
    }
    // An entry from C learns the same.
    let (f, context) = for_c(fall_back, &());
    // SAFETY: C calls `f` with a pointer to nothing.
    assert_eq!(unsafe { exhaustion_enter(f, context, 1) }, -5);
}

#[greenbridge::export(fallback = -5)]
extern "C" fn fall_back(_: &(), number: c_long) -> c_long {
    number
}

#[test]
fn without_more_os_threads_those_that_exist_do_all_the_work() {
    Process::child("four_processors_and_one_thread").with_interposed_threads().run().succeeds();
}

#[test]
#[ignore = "child process"]
fn four_processors_and_one_thread() {
    // The first worker, and the monitor.
    allow_threads(Some(2));
    start_with(Builder::new().processors(4));
    let (results, summed) = bounded(3);
    for n in 0..200 {
        let results = results.clone();
        spawn(move || {
            let (f, context) = for_c(wait_a_little, &());
            // SAFETY: C calls `f` with a pointer to nothing.
            let value = call(|| unsafe { exhaustion_enter(f, context, n) });
            results.send(value).expect("they are summed up");
        });
    }
    drop(results);
    assert_eq!(summed.iter().sum::<c_long>(), (0..200).sum());
    assert!(failed_threads() > 0, "nobody asked for another OS thread");
}

#[greenbridge::export]
extern "C" fn wait_a_little(_: &(), number: c_long) -> c_long {
    yield_now();
    let (value, received) = bounded(0);
    spawn(move || value.send(number));
    received.recv().expect("it is sent")
}

#[test]
fn a_processor_that_no_thread_could_be_had_for_is_handed_on_when_one_can() {
    Process::child("threads_fail_behind_a_call").with_interposed_threads().run().succeeds();
    Process::child("threads_fail_behind_a_blocking_call").with_interposed_threads().run().succeeds();
}

#[test]
#[ignore = "child process"]
fn threads_fail_behind_a_call() {
    threads_fail_and_then_do_not(Way::Call);
}

#[test]
#[ignore = "child process"]
fn threads_fail_behind_a_blocking_call() {
    threads_fail_and_then_do_not(Way::Blocking);
}

fn threads_fail_and_then_do_not(way: Way) {
    // The first worker, and the monitor.
    allow_threads(Some(2));
    start_with(Builder::new().processors(1));
    let flag = Arc::new(AtomicI32::new(0));
    let other = Arc::clone(&flag);
    let sleeper = spawn(move || {
        // It needs the only processor to set the flag that C waits for.
        let setter = Arc::clone(&flag);
        spawn(move || setter.store(1, Ordering::Release));
        // SAFETY: C only reads the flag, and returns while it is borrowed.
        way.call(|| unsafe { exhaustion_sleep_until(&*flag) })
    });
    wait_until(|| failed_threads() > 0);
    assert_eq!(other.load(Ordering::Acquire), 0, "a worker has come from nowhere");
    allow_threads(Some(1));
    assert_eq!(sleeper.join().expect("no panic"), 1);
}

#[test]
fn a_green_thread_that_the_system_leaves_without_an_os_thread_is_told_what_ran_out() {
    Process::child("two_callbacks_and_one_thread").with_interposed_threads().run().succeeds();
}

#[test]
#[ignore = "child process"]
fn two_callbacks_and_one_thread() {
    let status = support::alone(|| {
        // The first worker, and the monitor.
        allow_threads(Some(2));
        start_with(Builder::new().processors(1));
        let (value, received) = bounded(0);
        let keeps_it = spawn(move || {
            let (f, context) = for_c(receive, &received);
            // SAFETY: C calls `f` with a pointer to what is borrowed meanwhile.
            call(|| unsafe { exhaustion_enter(f, context, 0) })
        });
        // Only this one would end the other's wait, and it needs an OS thread of its own.
        let (refused, its_value) = (Arc::new(AtomicUsize::new(0)), value.clone());
        let count = Arc::clone(&refused);
        let needs_one = spawn(move || {
            while let Err(payload) = std::panic::catch_unwind(|| drop(greenbridge::pin())) {
                let text = support::panic_text(&*payload);
                for word in ["the system makes no more than the 1 ", "os error 11", "ulimit -u", "pids.max"] {
                    assert!(text.contains(word), "{word:?} is missing in {text:?}");
                }
                // The system makes OS threads again.
                assert!(count.fetch_add(1, Ordering::Relaxed) < 3, "there is room by now");
                allow_threads(None);
            }
            its_value.send(7)
        });
        needs_one.join().expect("no panic").expect("it is received");
        assert_eq!(keeps_it.join().expect("no panic"), 7);
        assert!(refused.load(Ordering::Relaxed) > 0, "it was not refused");
        drop(value);
    });
    assert_eq!(status, 0, "the process that is alone has failed");
}

#[greenbridge::export]
extern "C" fn receive(received: &greenbridge::channel::Receiver<c_long>, _: c_long) -> c_long {
    received.recv().expect("it is sent")
}
