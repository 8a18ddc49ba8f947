//! A timeout cuts short whatever waits under it, wherever that is, and takes nothing from it; one that is not hit leaves nothing.
//!
//! What could break it: a timer that does not reach a wait, an inner timeout that is taken for the outer one, a receive that takes a
//! message with it, and a scope or a timer that is left behind.

mod support;

use greenbridge::channel::{Receiver, bounded, unbounded};
use greenbridge::time::{self, Elapsed, timeout, timeout_at};
use greenbridge::{Start, call, park, pin, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Callback, Way, child_on_processors, for_c, panic_text, run, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn time_timeout_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

const SHORT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn whatever_waits_is_cut_short_after_its_time() {
    child_on_processors("waits_are_cut_short", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn waits_are_cut_short() {
    start();
    // On an OS thread that is not the runtime's, too.
    all_waits();
    greenbridge::run(all_waits);
    // Beside others, and pinned.
    let threads: Vec<_> = (0..50)
        .map(|n| {
            spawn(move || {
                let _pinned = (n % 10 == 0).then(pin);
                all_waits();
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

fn all_waits() {
    let (values, received) = bounded::<u8>(0);
    let parked = spawn(park);
    let waits: [&dyn Fn(); 6] = [
        &|| drop(received.recv()),
        &|| drop(values.send(1)),
        &|| time::sleep(LONG),
        &|| time::sleep(Duration::MAX),
        &|| drop(time::after(LONG).recv()),
        &|| greenbridge::block_on(std::future::pending()),
    ];
    for wait in waits {
        let start = Instant::now();
        assert_eq!(timeout(SHORT, wait), Err(Elapsed));
        assert!(start.elapsed() >= SHORT);
    }
    let thread = parked.thread().clone();
    assert!(timeout(SHORT, move || parked.join()).is_err());
    thread.unpark();
}

#[test]
fn a_timeout_works_in_a_callback() {
    child_on_processors("timeouts_in_callbacks", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn timeouts_in_callbacks() {
    let rounds = || {
        for way in Way::ALL {
            let (values, received) = unbounded();
            let (f, context) = for_c(receive_in_callback, &received);
            let context = context.expose_provenance();
            // SAFETY: C hands the pointer on to `f` and returns after it.
            let enter = || unsafe { time_timeout_enter(f, std::ptr::with_exposed_provenance_mut(context), 7) };
            assert_eq!(way.call(enter), -7, "{way:?}: nothing was sent");
            assert_eq!(values.send(3), Ok(()));
            assert_eq!(way.call(enter), 3, "{way:?}");
            // Around the call: C is not cut short, nor what is under it; the wait after it is.
            let result = timeout(Duration::from_millis(1), || {
                assert_eq!(way.call(enter), -7, "{way:?}");
                park();
            });
            assert_eq!(result, Err(Elapsed), "{way:?}");
        }
    };
    start();
    greenbridge::run(rounds);
}

/// Minus its number, if nothing comes in time.
#[greenbridge::export]
extern "C" fn receive_in_callback(received: &Receiver<c_long>, number: c_long) -> c_long {
    timeout(SHORT, || received.recv().expect("the sender is alive")).unwrap_or(-number)
}

#[test]
fn of_nested_timeouts_the_first_to_be_over_counts() {
    child_on_processors("nested_timeouts", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn nested_timeouts() {
    start();
    let nested = || {
        assert_eq!(timeout(LONG, || timeout(SHORT, || time::sleep(LONG))), Ok(Err(Elapsed)));
        assert_eq!(timeout(SHORT, || timeout(LONG, || time::sleep(LONG))), Err(Elapsed));
        // The inner one is over, and then the outer one.
        let (mut inner, deadline) = (None, time::now() + 2 * SHORT);
        let outer = timeout_at(deadline, || {
            inner = Some(timeout(SHORT, park));
            park();
        });
        assert_eq!((inner, outer), (Some(Err(Elapsed)), Err(Elapsed)));
        assert!(time::now() >= deadline);
    };
    nested();
    greenbridge::run(nested);
}

#[test]
fn a_timeout_of_zero_lets_through_what_needs_no_wait() {
    child_on_processors("zero_timeouts", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn zero_timeouts() {
    start();
    let zero = || {
        let (values, received) = unbounded();
        assert_eq!(timeout(Duration::ZERO, || received.recv()), Err(Elapsed));
        assert_eq!(timeout(Duration::ZERO, || values.send(1)), Ok(Ok(())));
        assert_eq!(timeout(Duration::ZERO, || received.recv()), Ok(Ok(1)));
        assert_eq!(timeout_at(Instant::now(), || time::sleep(Duration::ZERO)), Ok(()));
        assert_eq!(timeout(Duration::MAX, || 5), Ok(5));
    };
    zero();
    greenbridge::run(zero);
}

#[test]
fn a_timeout_that_is_not_hit_leaves_nothing() {
    child_on_processors("timeouts_not_hit", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn timeouts_not_hit() {
    run(|| {
        for n in 0..100 {
            assert_eq!(timeout(SHORT, || n), Ok(n));
        }
        // Their time is over by now, and waits go on.
        time::sleep(2 * SHORT);
        let (values, received) = bounded(0);
        let sender = spawn(move || values.send(1));
        assert_eq!(received.recv(), Ok(1));
        sender.join().expect("no panic").expect("it was received");
        // A panic goes through, and ends the scope as well.
        let panics = spawn(|| {
            let caught = std::panic::catch_unwind(|| timeout(SHORT, || panic!("for the test")));
            let text = panic_text(&*caught.expect_err("it panics"));
            time::sleep(2 * SHORT);
            text
        });
        assert_eq!(panics.join().expect("it goes on"), "for the test");
    });
}

#[test]
fn what_is_cut_short_has_taken_nothing() {
    child_on_processors("nothing_is_lost", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn nothing_is_lost() {
    const MESSAGES: usize = 2000;
    run(|| {
        let (values, received) = bounded(1);
        let sum = Arc::new(AtomicUsize::new(0));
        let receivers: Vec<_> = (0..4_u64)
            .map(|n| {
                let (received, sum) = (received.clone(), Arc::clone(&sum));
                spawn(move || {
                    loop {
                        // Over at any point of a receive.
                        match timeout(Duration::from_micros(n * 13), || received.recv()) {
                            Ok(Ok(value)) => drop(sum.fetch_add(value, Ordering::AcqRel)),
                            Ok(Err(_)) => break,
                            Err(Elapsed) => yield_now(),
                        }
                    }
                })
            })
            .collect();
        for value in 1..=MESSAGES {
            let mut unsent = Some(value);
            while timeout(Duration::from_micros(5), || values.send(unsent.unwrap_or(value))).is_err() {
                // A send that is cut short has not sent.
                unsent = Some(value);
            }
        }
        drop(values);
        for receiver in receivers {
            receiver.join().expect("no panic");
        }
        assert_eq!(sum.load(Ordering::Acquire), MESSAGES * (MESSAGES + 1) / 2);
    });
}

#[test]
fn destructors_run_and_code_that_does_not_wait_comes_to_its_end() {
    child_on_processors("destructors_run", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn destructors_run() {
    struct Sets(Arc<AtomicBool>);
    impl Drop for Sets {
        fn drop(&mut self) {
            // It waits, while it unwinds.
            time::sleep(SHORT);
            self.0.store(true, Ordering::Release);
        }
    }
    run(|| {
        let dropped = Arc::new(AtomicBool::new(false));
        let sets = Sets(Arc::clone(&dropped));
        let result = timeout(SHORT, move || {
            let _sets = sets;
            park();
        });
        assert_eq!(result, Err(Elapsed));
        assert!(dropped.load(Ordering::Acquire));
        let start = Instant::now();
        let result = timeout(SHORT, || {
            while start.elapsed() < 3 * SHORT {
                std::hint::spin_loop();
            }
            "late"
        });
        assert_eq!(result, Ok("late"));
        let (f, context) = for_c(sleep_in_callback, &());
        // SAFETY: C hands the pointer on to `f` and returns after it.
        let over_c = || call(|| unsafe { time_timeout_enter(f, context, 3 * SHORT.as_millis() as c_long) });
        assert_eq!(timeout(SHORT, over_c), Ok(1), "C comes to its end");
    });
}

#[greenbridge::export]
extern "C" fn sleep_in_callback(_: &(), milliseconds: c_long) -> c_long {
    let (start, time) = (Instant::now(), Duration::from_millis(milliseconds as u64));
    time::sleep(time);
    c_long::from(start.elapsed() >= time)
}
