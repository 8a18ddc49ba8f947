//! Each way of calling C returns what the closure returns, lets callbacks wait, nests in every other way, and works off
//! green threads; each has a form that returns `errno` too.
//!
//! What could break it: C on a stack that is not the one the way promises, an `errno` of another OS thread, or a frame of
//! one way that a callback takes for another's.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{Start, call, call_on_thread_stack, run, spawn, yield_now};
use std::ffi::{c_int, c_long, c_void};
use support::{Callback, Way, child, child_on_processors, for_c, gettid, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    safe fn call_ways_is_on_thread_stack() -> c_int;
    safe fn call_ways_fail(number: c_int) -> c_long;
    fn call_ways_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

fn through_c<T: Sync>(way: Way, f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long) -> c_long {
    way.call(|| {
        let (f, context) = for_c(f, context);
        // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
        unsafe { call_ways_enter(f, context, number) }
    })
}

#[test]
fn the_result_is_that_of_the_closure() {
    child_on_processors("each_way_returns_a_value", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn each_way_returns_a_value() {
    start();
    let check = || {
        for way in Way::ALL {
            let borrowed = String::from("borrowed");
            assert_eq!(way.call(|| borrowed.len()), 8, "{way:?}");
            assert_eq!(way.call(|| [way; 9]), [way; 9]);
            assert_eq!(way.call(|| borrowed), "borrowed", "{way:?}");
            way.call(|| ());
        }
    };
    run(check);
    check();
}

#[test]
fn errno_is_that_of_the_call() {
    child_on_processors("each_way_returns_errno", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn each_way_returns_errno() {
    start();
    let check = || {
        for way in Way::ALL {
            for number in [libc::ENOENT, libc::EAGAIN, 12345] {
                assert_eq!(way.call_errno(|| call_ways_fail(number)), (c_long::from(-number), number), "{way:?}");
            }
        }
    };
    run(move || {
        let threads: Vec<_> = (0..50)
            .map(|_| {
                spawn(move || {
                    check();
                    yield_now();
                    check();
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
    check();
}

#[test]
fn errno_comes_after_what_callbacks_did() {
    child_on_processors("errno_set_after_a_waiting_callback", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn errno_set_after_a_waiting_callback() {
    start();
    run(|| {
        for way in Way::ALL {
            let seen = way.call_errno(|| {
                let (f, context) = for_c(wait, &());
                // SAFETY: C calls `wait` with a pointer to nothing.
                unsafe { call_ways_enter(f, context, 3) };
                call_ways_fail(libc::EDOM)
            });
            assert_eq!(seen, (c_long::from(-libc::EDOM), libc::EDOM), "{way:?}");
        }
    });
}

#[test]
fn c_runs_on_the_stack_that_the_way_promises() {
    child("each_way_looks_at_its_stack").succeeds();
}

#[test]
#[ignore = "child process"]
fn each_way_looks_at_its_stack() {
    start();
    run(|| {
        for way in Way::ALL {
            let expected = c_int::from(way == Way::OnThreadStack);
            assert_eq!(way.call(|| call_ways_is_on_thread_stack()), expected, "{way:?}");
        }
        // A call inside stays where its callback is.
        assert_eq!(call_on_thread_stack(|| call(|| call_ways_is_on_thread_stack())), 1);
        assert_eq!(call(|| call_on_thread_stack(|| call_ways_is_on_thread_stack())), 1);
        assert_eq!(call_on_thread_stack(|| call_on_thread_stack(|| call_ways_is_on_thread_stack())), 1);
    });
    for way in Way::ALL {
        assert_eq!(way.call(|| call_ways_is_on_thread_stack()), 1, "{way:?} on an OS thread");
    }
}

#[test]
fn a_callback_may_wait_under_each_way() {
    child_on_processors("callbacks_wait_under_each_way", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_wait_under_each_way() {
    start();
    run(|| {
        let threads: Vec<_> = (0..40)
            .map(|n| {
                let way = Way::ALL[n % 4];
                spawn(move || {
                    for turn in 0..10 {
                        assert_eq!(through_c(way, wait, &(), turn), turn + 1, "{way:?}");
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
    for way in Way::ALL {
        assert_eq!(through_c(way, wait, &(), 1), 2, "{way:?} on an OS thread");
    }
}

/// Waits for a green thread that waits for another one.
#[greenbridge::export]
extern "C" fn wait(_: &(), number: c_long) -> c_long {
    let (value, received) = bounded(0);
    let home = gettid();
    spawn(move || {
        let (inner, inner_received) = bounded(0);
        spawn(move || inner.send(number));
        value.send(inner_received.recv().expect("it is sent")).expect("the callback waits");
    });
    let received = received.recv().expect("it is sent");
    assert_eq!(gettid(), home, "a callback changed its OS thread");
    received
}

#[test]
fn each_way_nests_in_each_other() {
    child_on_processors("each_way_inside_each_other", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn each_way_inside_each_other() {
    start();
    run(|| {
        let threads: Vec<_> = (0..64_u8)
            .map(|n| {
                let ways = [n % 4, n / 4 % 4, n / 16].map(|way| Way::ALL[usize::from(way)]);
                spawn(move || assert_eq!(through_c(ways[0], descend, &ways, 1), 8, "{ways:?}"))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

/// Goes one level deeper by the way that is next, and waits before and after.
#[greenbridge::export]
extern "C" fn descend(ways: &[Way; 3], depth: c_long) -> c_long {
    let home = gettid();
    yield_now();
    let deeper = match usize::try_from(depth).ok().and_then(|depth| ways.get(depth)) {
        Some(way) => through_c(*way, descend, ways, depth + 1),
        None => 2,
    };
    wait_plainly();
    assert_eq!(gettid(), home, "a callback changed its OS thread under {ways:?} at depth {depth}");
    deeper + 1
}

fn wait_plainly() {
    let (value, received) = bounded(0);
    spawn(move || value.send(1));
    assert_eq!(received.recv(), Ok(1));
}
