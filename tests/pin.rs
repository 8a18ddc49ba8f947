//! `pin` keeps a green thread on its OS thread until the last guard is gone, whatever else the runtime pins and unpins
//! meanwhile.
//!
//! What could break it: pins that are a flag instead of a count, a callback that ends and takes the user's pin along, or a
//! green thread that ends while it is pinned and leaves its worker out of work.

mod support;

use greenbridge::channel::{Sender, bounded};
use greenbridge::{Start, call, pin, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use support::{Callback, Movers, child, child_on_processors, for_c, gettid, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn pin_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

fn through_c<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    call(|| unsafe { pin_enter(f, context, number) })
}

#[test]
fn an_unpinned_green_thread_is_moved_by_who_wakes_it() {
    // Without this, all that the other tests see is that nobody ever moves.
    child_on_processors("a_green_thread_is_moved_a_hundred_times", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_green_thread_is_moved_a_hundred_times() {
    run(|| {
        let (movers, _) = Movers::start();
        for _ in 0..100 {
            movers.until_moved();
        }
    });
}

#[test]
fn a_pinned_green_thread_stays_on_its_thread() {
    child_on_processors("pinned_green_threads_woken_from_elsewhere", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pinned_green_threads_woken_from_elsewhere() {
    run(|| {
        let (movers, _) = Movers::start();
        let pinned: Vec<_> = (0..8)
            .map(|_| {
                let movers = movers.clone();
                spawn(move || {
                    let _pinned = pin();
                    let home = gettid();
                    for _ in 0..200 {
                        movers.round();
                        assert_eq!(gettid(), home);
                        yield_now();
                        assert_eq!(gettid(), home);
                    }
                })
            })
            .collect();
        for thread in pinned {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn as_many_guards_must_go_as_were_made() {
    child_on_processors("nested_pins", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn nested_pins() {
    run(|| {
        let (movers, _) = Movers::start();
        for _ in 0..20 {
            let mut guards: Vec<_> = (0..5).map(|_| pin()).collect();
            let home = gettid();
            while !guards.is_empty() {
                // From the middle: the order does not matter.
                drop(guards.remove(guards.len() / 2));
                if !guards.is_empty() {
                    movers.round();
                    assert_eq!(gettid(), home, "{} guards are left", guards.len());
                }
            }
            movers.until_moved();
        }
    });
}

#[test]
fn a_pin_taken_and_dropped_in_a_callback_leaves_c_on_its_thread() {
    child_on_processors("pins_inside_callbacks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pins_inside_callbacks() {
    run(|| {
        let (movers, _) = Movers::start();
        for _ in 0..20 {
            assert_eq!(through_c(pin_and_unpin, &movers, 0), 0);
        }
    });
}

#[greenbridge::export]
extern "C" fn pin_and_unpin(movers: &Movers, _: c_long) -> c_long {
    let home = gettid();
    drop(pin());
    movers.round();
    assert_eq!(gettid(), home, "the user's guard took the callback's pin along");
    let guard = pin();
    movers.round();
    drop(guard);
    movers.round();
    assert_eq!(gettid(), home, "the user's guard took the callback's pin along");
    0
}

#[test]
fn a_pin_outlives_the_calls_made_under_it() {
    child_on_processors("calls_under_a_pin", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn calls_under_a_pin() {
    run(|| {
        let (movers, _) = Movers::start();
        for _ in 0..20 {
            let guard = pin();
            let home = gettid();
            through_c(round_in_callback, &movers, 0);
            movers.round();
            assert_eq!(gettid(), home, "the call took the pin along");
            drop(guard);
            movers.until_moved();
        }
    });
}

#[greenbridge::export]
extern "C" fn round_in_callback(movers: &Movers, _: c_long) -> c_long {
    movers.round();
    0
}

#[test]
fn a_pin_survives_a_panic_that_passes_through_c_and_ends_with_its_guard() {
    child_on_processors("a_panic_in_a_callback_under_a_pin", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_panic_in_a_callback_under_a_pin() {
    run(|| {
        let (movers, _) = Movers::start();
        for _ in 0..20 {
            let guard = pin();
            let home = gettid();
            let panicked = catch_unwind(AssertUnwindSafe(|| through_c(round_and_panic, &movers, 0)));
            assert!(panicked.is_err(), "the panic came out of the call");
            movers.round();
            assert_eq!(gettid(), home, "the panic took the pin along");
            drop(guard);
            movers.until_moved();
        }
    });
}

#[greenbridge::export]
extern "C" fn round_and_panic(movers: &Movers, _: c_long) -> c_long {
    movers.round();
    panic!("out of a callback");
}

#[test]
fn a_panic_that_unwinds_past_a_guard_ends_the_pin() {
    child_on_processors("unwinding_drops_the_guard", &[2]);
}

#[test]
#[ignore = "child process"]
fn unwinding_drops_the_guard() {
    run(|| {
        let (movers, _) = Movers::start();
        let panicked = catch_unwind(|| {
            let _guard = pin();
            panic!("under a pin");
        });
        assert!(panicked.is_err());
        movers.until_moved();
    });
}

#[test]
fn a_green_thread_that_ends_pinned_leaves_its_thread_to_others() {
    child_on_processors("green_threads_that_forget_their_guards", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn green_threads_that_forget_their_guards() {
    run(|| {
        for _ in 0..50 {
            let (go, gone) = bounded::<()>(0);
            let forgetful = spawn(move || {
                mem::forget(pin());
                gone.recv().expect("it is sent");
            });
            go.send(()).expect("it is received");
            forgetful.join().expect("no panic");
        }
        // Every worker must still be able to keep a resident and to run others.
        let (movers, _) = Movers::start();
        let threads: Vec<_> = (0..20)
            .map(|n| {
                let movers = movers.clone();
                spawn(move || through_c(round_in_callback, &movers, n))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn a_pin_on_an_os_thread_changes_nothing() {
    child("pins_on_an_os_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn pins_on_an_os_thread() {
    support::start();
    let guard = pin();
    let (value, received): (Sender<i32>, _) = bounded(0);
    let sender = spawn(move || value.send(7));
    assert_eq!(received.recv(), Ok(7));
    drop(guard);
    assert_eq!(sender.join().expect("no panic"), Ok(()));
}
