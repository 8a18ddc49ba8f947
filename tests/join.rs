//! `join` brings the value or the panic of a green thread, once, to whoever waits for it: a green thread, an OS thread, a
//! future, a callback.
//!
//! What could break it: a joiner that is woken before the result is there, or not at all when the green thread finishes
//! while it is just about to wait.

mod support;

use greenbridge::{Start, ThreadBuilder, block_on, call, current, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use support::{Callback, block_on_all, child, child_on_processors, for_c, panic_text, run, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn join_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

#[test]
fn a_value_reaches_a_green_thread_that_joins() {
    child_on_processors("green_threads_join_early_and_late", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn green_threads_join_early_and_late() {
    run(|| {
        for round in 0..200_u64 {
            let quick = spawn(move || round);
            let slow = spawn(move || {
                for _ in 0..round % 7 {
                    yield_now();
                }
                Box::new(round)
            });
            for _ in 0..round % 5 {
                yield_now();
            }
            assert_eq!(*slow.join().expect("no panic"), round);
            assert_eq!(quick.join().expect("no panic"), round);
        }
        let finished = spawn(|| "value");
        while !finished.is_finished() {
            yield_now();
        }
        assert_eq!(finished.join().expect("no panic"), "value");
    });
}

#[test]
fn a_value_reaches_an_os_thread_that_joins() {
    child_on_processors("os_threads_join", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn os_threads_join() {
    start();
    let threads: Vec<_> = (0..4_u64)
        .map(|n| {
            thread::spawn(move || {
                for round in 0..500 {
                    let green = spawn(move || {
                        if round % 2 == 0 {
                            yield_now();
                        }
                        n * round
                    });
                    assert_eq!(green.join().expect("no panic"), n * round);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn a_handle_is_a_future_for_any_executor() {
    child_on_processors("handles_are_awaited", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn handles_are_awaited() {
    start();
    let green = (0..200).map(|n| {
        Box::pin(spawn(move || {
            yield_now();
            assert_ne!(n, 13, "thirteen");
            n
        }))
    });
    for (n, result) in block_on_all(green).into_iter().enumerate() {
        match result {
            Ok(value) => assert_eq!(value, n),
            Err(payload) => assert!(n == 13 && panic_text(&*payload).contains("thirteen")),
        }
    }
    greenbridge::run(|| {
        let total = block_on(async {
            let mut total = 0;
            for n in 0..100 {
                total += spawn(move || n).await.expect("no panic");
            }
            total
        });
        assert_eq!(total, (0..100).sum());
    });
}

#[test]
fn a_handle_that_was_polled_can_be_joined_and_one_that_is_dropped_lets_go() {
    child_on_processors("handles_are_polled_and_dropped", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn handles_are_polled_and_dropped() {
    run(|| {
        for _ in 0..200 {
            let witness = Arc::new(());
            let held = Arc::clone(&witness);
            let mut green = spawn(move || {
                yield_now();
                drop(held);
                7
            });
            match pin!(&mut green).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(value) => assert_eq!(value.expect("no panic"), 7),
                Poll::Pending => assert_eq!(green.join().expect("no panic"), 7),
            }
            let held = Arc::clone(&witness);
            drop(spawn(move || {
                yield_now();
                held
            }));
            // Nobody joins: the result goes with the green thread.
            while Arc::strong_count(&witness) > 1 {
                yield_now();
            }
        }
    });
}

#[test]
fn a_panic_comes_out_of_join() {
    child("green_threads_panic").succeeds();
}

#[derive(Debug, PartialEq)]
struct Payload(u32);

#[test]
#[ignore = "child process"]
fn green_threads_panic() {
    run(|| {
        let payload = spawn(|| panic_any(Payload(3))).join().expect_err("it panicked");
        assert_eq!(payload.downcast_ref(), Some(&Payload(3)));
        let payload = ThreadBuilder::new().name("worrier").spawn(|| panic!("at once")).join().expect_err("it panicked");
        assert_eq!(panic_text(&*payload), "at once");
        // Nobody joins: the others go on.
        drop(spawn(|| panic!("unheard")));
        assert_eq!(spawn(|| 1).join().expect("no panic"), 1);
    });
    let payload = spawn(|| panic_any(Payload(4))).join().expect_err("it panicked");
    assert_eq!(payload.downcast_ref(), Some(&Payload(4)));
    let payload =
        catch_unwind(AssertUnwindSafe(|| greenbridge::run(|| panic_any(Payload(5))))).expect_err("it panicked");
    assert_eq!(payload.downcast_ref(), Some(&Payload(5)), "and out of run");
}

#[test]
fn a_callback_may_join() {
    child_on_processors("callbacks_join", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_join() {
    run(|| {
        let threads = (0..50).map(|n| {
            spawn(move || {
                let (f, context) = for_c(join_in_callback, &n);
                // SAFETY: C hands the pointer on to `f` and returns after it, while `n` is borrowed.
                call(|| unsafe { join_enter(f, context, 3) })
            })
        });
        let sum: c_long = threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..50).map(|n| 4 * n).sum());
    });
}

#[greenbridge::export]
extern "C" fn join_in_callback(n: &c_long, depth: c_long) -> c_long {
    let n = *n;
    let child = spawn(move || {
        yield_now();
        if depth == 0 {
            return n;
        }
        let (f, context) = for_c(join_in_callback, &n);
        // SAFETY: as above.
        n + call(|| unsafe { join_enter(f, context, depth - 1) })
    });
    child.join().expect("no panic")
}

#[test]
fn a_green_thread_knows_its_name_and_identity() {
    child_on_processors("names_and_identities", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn names_and_identities() {
    start();
    let main = current();
    assert_eq!(main.id(), current().id(), "an OS thread has an identity too");
    greenbridge::run(move || {
        assert_ne!(current().id(), main.id());
        let named: Vec<_> = (0..200)
            .map(|n| {
                ThreadBuilder::new().name(format!("green {n}")).spawn(move || {
                    let (id, name) = (current().id(), format!("green {n}"));
                    for _ in 0..10 {
                        assert_eq!(current().id(), id);
                        assert_eq!(current().name(), Some(name.as_str()));
                        yield_now();
                    }
                    id
                })
            })
            .collect();
        let outside: Vec<_> = named.iter().map(|thread| thread.thread().id()).collect();
        assert_eq!(named[7].thread().name(), Some("green 7"));
        let inside: Vec<_> = named.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(inside, outside);
        let mut distinct = inside.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), 200, "no identity is used twice");
        let nameless = spawn(|| current().name().map(str::to_owned));
        assert_eq!(nameless.thread().name(), None);
        assert_eq!(nameless.join().expect("no panic"), None);
    });
}

#[test]
fn a_green_thread_before_the_start_is_an_error_that_says_what_to_do() {
    child("spawn_before_start").succeeds();
}

#[test]
#[ignore = "child process"]
fn spawn_before_start() {
    let refused = catch_unwind(|| drop(spawn(|| ()))).expect_err("nothing has been started");
    let text = panic_text(&*refused);
    assert!(text.contains("start"), "{text}");
    let refused = catch_unwind(|| greenbridge::run(|| ())).expect_err("nothing has been started");
    let text = panic_text(&*refused);
    assert!(text.contains("start"), "{text}");
    // It is not too late.
    start();
    assert_eq!(spawn(|| 1).join().expect("no panic"), 1);
}
