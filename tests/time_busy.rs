//! Time is kept whoever is busy: some processor, some worker or a foreign thread.
//!
//! Each test waits for something that happens only when a timer is fired although those who usually look are not there to do so: a
//! timer that nobody keeps is a hang.

mod support;

use greenbridge::channel::{Receiver, bounded};
use greenbridge::{Start, call, call_blocking, call_on_thread_stack, pin, spawn, time, yield_now};
use std::ffi::{c_int, c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{
    Callback, block_on_os_thread, child_on_processors, for_c, keep_busy_until, run, start, switches_of_other_threads,
    wait_until,
};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn time_busy_until(flag: *const c_int);
    fn time_busy_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// A flag that C watches.
struct Flag(AtomicI32);

impl Flag {
    const fn new() -> Self {
        Self(AtomicI32::new(0))
    }

    fn set(&self) {
        self.0.store(1, Ordering::Release);
    }

    /// A C function that returns once the flag is set.
    fn wait_in_c(&self) {
        // SAFETY: C reads the flag, atomically, until it returns.
        unsafe { time_busy_until(self.0.as_ptr()) };
    }
}

#[test]
fn a_timer_is_fired_while_another_processor_is_in_a_long_turn() {
    child_on_processors("a_long_turn", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_long_turn() {
    run(|| {
        for round in 0..200 {
            let awake = Arc::new(AtomicBool::new(false));
            let woken = Arc::clone(&awake);
            // Armed by the very processor that is then in the long turn, and by another one.
            let mut sleep = time::sleep_async(Duration::from_micros(round * 10));
            let sleeper = spawn(move || {
                time::sleep(Duration::from_micros(round * 10));
                woken.store(true, Ordering::Release);
            });
            if round % 2 == 0 {
                yield_now();
            }
            let _ = std::pin::Pin::new(&mut sleep).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
            keep_busy_until(|| awake.load(Ordering::Acquire));
            sleeper.join().expect("no panic");
        }
    });
}

#[test]
fn timers_are_fired_while_all_processors_are_long_in_c() {
    child_on_processors("all_long_in_c", &[1, 2, 4]);
}

#[test]
#[ignore = "child process"]
fn all_long_in_c() {
    static DONE: [Flag; 20] = [const { Flag::new() }; 20];
    run(|| {
        for (round, done) in DONE.iter().enumerate() {
            let in_c: Vec<_> = (0..8)
                .map(|n| {
                    spawn(move || {
                        if n % 2 == 0 {
                            call(|| done.wait_in_c());
                        } else {
                            call_blocking(|| done.wait_in_c());
                        }
                    })
                })
                .collect();
            let sleeper = spawn(move || {
                time::sleep(Duration::from_micros(round as u64 * 500));
                done.set();
            });
            // The caller is in C as well.
            call(|| done.wait_in_c());
            for thread in in_c.into_iter().chain([sleeper]) {
                thread.join().expect("no panic");
            }
        }
    });
}

#[test]
fn a_timer_is_fired_while_a_worker_blocks_its_os_thread() {
    child_on_processors("blocked_workers", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn blocked_workers() {
    run(|| {
        for round in 0..20 {
            let (values, received) = bounded::<c_long>(0);
            let sleeper = spawn(move || {
                time::sleep(Duration::from_micros(round * 200));
                values.send(1)
            });
            let (f, context) = for_c(receive, &received);
            let context = context.addr();
            // SAFETY: C hands the pointer on to `f` and returns after it.
            let enter = || unsafe { time_busy_enter(f, std::ptr::with_exposed_provenance_mut(context), 0) };
            assert_eq!(call_on_thread_stack(enter), 1);
            assert_eq!(sleeper.join().expect("no panic"), Ok(()));
        }
        // The one that blocks is the one that sleeps.
        let (f, context) = for_c(sleep_in_callback, &());
        let context = context.expose_provenance();
        // SAFETY: as above.
        let enter = || unsafe { time_busy_enter(f, std::ptr::with_exposed_provenance_mut(context), 2) };
        assert_eq!(call_on_thread_stack(enter), 2);
    });
}

#[greenbridge::export]
extern "C" fn receive(received: &Receiver<c_long>, _: c_long) -> c_long {
    received.recv().expect("the sleeper sends")
}

#[greenbridge::export]
extern "C" fn sleep_in_callback(_: &(), milliseconds: c_long) -> c_long {
    let (start, time) = (Instant::now(), Duration::from_millis(milliseconds as u64));
    time::sleep(time);
    assert!(start.elapsed() >= time);
    milliseconds
}

#[test]
fn a_timer_is_fired_while_a_resident_yields_in_its_callback() {
    child_on_processors("a_busy_resident", &[1]);
}

#[test]
#[ignore = "child process"]
fn a_busy_resident() {
    run(|| {
        let awake = AtomicBool::new(false);
        let awake: &'static AtomicBool = Box::leak(Box::new(awake));
        let sleeper = spawn(|| {
            time::sleep(2 * MILLISECOND);
            awake.store(true, Ordering::Release);
        });
        let _pinned = pin();
        while !awake.load(Ordering::Acquire) {
            yield_now();
        }
        sleeper.join().expect("no panic");
    });
}

#[test]
fn timers_are_fired_beside_green_threads_that_always_run() {
    child_on_processors("a_full_queue", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_full_queue() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    run(|| {
        let runners: Vec<_> = (0..100)
            .map(|_| {
                spawn(|| {
                    while ENDED.load(Ordering::Acquire) < 1000 {
                        yield_now();
                    }
                })
            })
            .collect();
        // Two that wake each other keep `next` taken.
        let (ping, pinged) = bounded::<()>(0);
        let (pong, ponged) = bounded::<()>(0);
        let echo = spawn(move || pinged.iter().for_each(|()| pong.send(()).unwrap_or_default()));
        let ping = spawn(move || {
            while ENDED.load(Ordering::Acquire) < 1000 {
                ping.send(()).expect("the other one receives");
                ponged.recv().expect("the other one sends");
            }
        });
        let sleepers: Vec<_> = (0..1000)
            .map(|number| {
                spawn(move || {
                    time::sleep(Duration::from_micros(number % 7 * 1000));
                    ENDED.fetch_add(1, Ordering::AcqRel);
                })
            })
            .collect();
        for thread in sleepers.into_iter().chain(runners).chain([ping, echo]) {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn timers_armed_by_foreign_threads_wake_a_runtime_that_sleeps() {
    child_on_processors("armed_from_outside", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn armed_from_outside() {
    start();
    for round in 0..30 {
        if round % 10 == 0 {
            rest();
        }
        let threads: Vec<_> = (0..4_u64)
            .map(|n| {
                std::thread::spawn(move || {
                    for later in 0..5_u64 {
                        let time = Duration::from_micros((n * 300 + later * 171) % 1000);
                        let start = Instant::now();
                        block_on_os_thread(time::sleep_async(time));
                        assert!(start.elapsed() >= time);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    }
}

/// Until every other OS thread sleeps for good, the monitor too.
fn rest() {
    let mut before = None;
    wait_until(|| {
        let now = switches_of_other_threads();
        let is_at_rest = now.is_some() && now == before;
        before = now;
        is_at_rest
    });
}
