//! A cancelled wait ends by unwinding, wherever it is: on a green thread or an OS thread, in whatever it waits for. Destructors run, nothing
//! has been taken, and nobody else notices.
//!
//! What could break it: a wait that does not look, a look that comes before the wake and a park after it, or an unwinding that is caught
//! in the wrong place.

mod support;

use greenbridge::cancel::{self, CancelToken, Cancelled};
use greenbridge::channel::{bounded, unbounded};
use greenbridge::{JoinHandle, block_on, park, spawn, yield_now};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use support::{block_on_os_thread, child, child_on_processors, panic_text, run, start, yield_until};

/// Every way to wait that needs nothing but itself.
fn waits() -> Vec<(&'static str, fn())> {
    vec![
        ("recv", || {
            let (_sender, receiver) = unbounded::<i32>();
            let _ = receiver.recv();
        }),
        ("iter", || {
            let (_sender, receiver) = bounded::<i32>(1);
            let _ = receiver.iter().next();
        }),
        ("send to nobody", || {
            let (sender, _receiver) = bounded(0);
            let _ = sender.send(1);
        }),
        ("send where there is no room", || {
            let (sender, _receiver) = bounded(1);
            let _ = sender.send(1);
            let _ = sender.send(2);
        }),
        ("join", || drop(spawn(park).join())),
        ("park", park),
        ("block_on", || block_on(pending())),
        ("cancelled", || CancelToken::new().cancelled()),
        ("yield_now", || {
            loop {
                yield_now();
            }
        }),
        ("check", || {
            loop {
                cancel::check();
                std::hint::spin_loop();
            }
        }),
    ]
}

#[track_caller]
fn is_cancelled<T>(joined: Result<T, Box<dyn std::any::Any + Send>>) {
    match joined {
        Ok(_) => panic!("it was not cut short"),
        Err(payload) => assert!(payload.is::<Cancelled>(), "{}", panic_text(&*payload)),
    }
}

#[test]
fn every_wait_of_a_cancelled_green_thread_ends() {
    for processors in ["1", "2", "8"] {
        let child = support::Process::child("green_threads_are_cancelled").env("GREENBRIDGE_PROCESSORS", processors);
        child.run().succeeds().does_not_say("panicked");
    }
}

#[test]
#[ignore = "child process"]
fn green_threads_are_cancelled() {
    run(|| {
        for (name, wait) in waits() {
            for delay in [0, 1, 20] {
                let begun = Arc::new(AtomicUsize::new(0));
                let dropped = Arc::new(AtomicUsize::new(0));
                let (begins, witness) = (Arc::clone(&begun), Witness(Arc::clone(&dropped)));
                let waiting = spawn(move || {
                    let _witness = witness;
                    begins.store(1, Ordering::Release);
                    wait();
                });
                // `check` does not yield, so with one processor it would never be left.
                if name != "check" {
                    yield_until(&begun, 1);
                }
                (0..delay).filter(|_| name != "check").for_each(|_| yield_now());
                waiting.cancel();
                is_cancelled(waiting.join());
                assert_eq!(dropped.load(Ordering::Acquire), 1, "{name}");
            }
        }
    });
}

/// Counts its end.
struct Witness(Arc<AtomicUsize>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
fn every_wait_in_the_scope_of_a_token_ends_on_any_thread() {
    for processors in ["1", "2"] {
        let child = support::Process::child("scopes_are_cancelled").env("GREENBRIDGE_PROCESSORS", processors);
        child.run().succeeds().does_not_say("panicked");
    }
}

#[test]
#[ignore = "child process"]
fn scopes_are_cancelled() {
    start();
    let in_scope = |wait: fn()| {
        let token = CancelToken::new();
        let (begun, begins) = (Arc::new(AtomicBool::new(false)), token.clone());
        let flag = Arc::clone(&begun);
        let body = move || {
            let result = begins.run(|| {
                flag.store(true, Ordering::Release);
                wait();
            });
            // The scope is over, and so is its effect.
            spawn(yield_now).join().expect("no panic");
            result
        };
        (token, begun, body)
    };
    for (name, wait) in waits() {
        let (token, begun, body) = in_scope(wait);
        let green = spawn(body);
        support::wait_until(|| begun.load(Ordering::Acquire));
        assert!(token.cancel());
        assert!(!token.cancel(), "once is enough");
        assert!(green.join().expect("no panic").is_err(), "{name} on a green thread");

        let (token, begun, body) = in_scope(wait);
        let foreign = thread::spawn(body);
        support::wait_until(|| begun.load(Ordering::Acquire));
        support::pause(Duration::from_millis(2));
        token.cancel();
        assert!(foreign.join().expect("no panic").is_err(), "{name} on a foreign thread");

        let (token, _, body) = in_scope(wait);
        token.cancel();
        assert!(body().is_err(), "{name} on the main thread, cancelled before");
    }
}

#[test]
fn a_scope_that_ends_by_itself_is_not_cut_short() {
    child("scopes_end_by_themselves").succeeds();
}

#[test]
#[ignore = "child process"]
fn scopes_end_by_themselves() {
    run(|| {
        let token = CancelToken::new();
        assert_eq!(token.run(|| spawn(|| 7).join().ok()), Ok(Some(7)));
        token.cancel();
        assert_eq!(token.run(|| 8), Ok(8), "it need not wait");
        let (values, received) = bounded(1);
        values.send(9).expect("there is room");
        assert_eq!(token.run(|| received.recv()), Ok(Ok(9)), "it need not wait");
        assert!(token.run(|| received.recv()).is_err());
        // A panic is not taken for a cancellation.
        let panicked = catch_unwind(|| token.run(|| panic!("of its own")));
        assert_eq!(panic_text(&*panicked.expect_err("it panicked")), "of its own");
        // And a green thread that never waits is not cut short.
        let busy = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&busy);
        let green = spawn(move || {
            while flag.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            10
        });
        green.cancel();
        green.cancel();
        busy.store(false, Ordering::Release);
        match green.join() {
            Ok(value) => assert_eq!(value, 10),
            // It had not begun.
            Err(payload) => assert!(payload.is::<Cancelled>()),
        }
        let finished = spawn(|| 11);
        while !finished.is_finished() {
            yield_now();
        }
        finished.cancel();
        assert_eq!(finished.join().expect("it had finished"), 11);
    });
}

#[test]
fn the_outermost_cancelled_scope_is_left() {
    child_on_processors("scopes_are_nested", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn scopes_are_nested() {
    let nested = || {
        let outer = CancelToken::new();
        let inner = outer.child();
        let other = CancelToken::new();
        // The inner one alone: the outer one goes on.
        let passed = outer.run(|| {
            inner.cancel();
            assert!(inner.run(park).is_err());
            assert!(!outer.is_cancelled());
            spawn(yield_now).join().expect("no panic");
            1
        });
        assert_eq!(passed, Ok(1));
        // The outer one: nothing stops on the way.
        let result = outer.run(|| {
            let result = other.run(|| {
                let child = outer.child();
                outer.cancel();
                assert!(child.is_cancelled() && outer.child().is_cancelled());
                child.run(park)
            });
            unreachable!("stopped at an inner scope: {result:?}")
        });
        assert_eq!(result.map(|(): ()| ()).map_err(|error| error.to_string()), Err("cancelled".to_owned()));
        assert!(!other.is_cancelled());
    };
    start();
    nested();
    greenbridge::run(nested);
    thread::spawn(nested).join().expect("no panic");
}

#[test]
fn destructors_run_and_may_wait() {
    for processors in ["1", "2", "8"] {
        let child = support::Process::child("destructors_wait").env("GREENBRIDGE_PROCESSORS", processors);
        child.run().succeeds().does_not_say("panicked");
    }
}

struct WaitsAsItGoes(Arc<AtomicUsize>);

impl Drop for WaitsAsItGoes {
    fn drop(&mut self) {
        let child = spawn(|| {
            yield_now();
            1
        });
        self.0.fetch_add(child.join().expect("no panic"), Ordering::AcqRel);
    }
}

#[test]
#[ignore = "child process"]
fn destructors_wait() {
    run(|| {
        let ends = Arc::new(AtomicUsize::new(0));
        for round in 1..=50 {
            let token = CancelToken::new();
            let begun = Arc::new(AtomicUsize::new(0));
            let (inside, flag, counted) = (token.clone(), Arc::clone(&begun), Arc::clone(&ends));
            let green = spawn(move || {
                let _outer = WaitsAsItGoes(Arc::clone(&counted));
                inside.run(|| {
                    let _inner = [WaitsAsItGoes(Arc::clone(&counted)), WaitsAsItGoes(counted)];
                    flag.store(1, Ordering::Release);
                    park();
                })
            });
            yield_until(&begun, 1);
            if round % 2 == 0 {
                token.cancel();
                assert!(green.join().expect("no panic").is_err());
            } else {
                green.cancel();
                is_cancelled(green.join());
            }
            assert_eq!(ends.load(Ordering::Acquire), 3 * round);
        }
    });
}

#[test]
fn a_wait_that_is_cut_short_has_taken_nothing() {
    child_on_processors("nothing_is_taken", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn nothing_is_taken() {
    run(|| {
        for capacity in support::CAPACITIES {
            let (values, received) = support::with_capacity(capacity);
            let token = CancelToken::new();
            let cut_short: Vec<_> = (0..5)
                .map(|_| {
                    let (token, received) = (token.clone(), received.clone());
                    spawn(move || token.run(|| received.recv()))
                })
                .collect();
            (0..20).for_each(|_| yield_now());
            token.cancel();
            // A rendezvous sender must not be taken for served by one of those.
            let sender = spawn(move || values.send(5));
            for receiver in cut_short {
                let received = receiver.join().expect("no panic");
                assert!(matches!(received, Err(_) | Ok(Ok(5) | Err(_))));
                if received.is_ok() {
                    // It looked only now, and was served, or another one had been: then it is no wait that was cut short.
                    return;
                }
            }
            assert_eq!(received.recv(), Ok(5), "capacity {capacity:?}");
            sender.join().expect("no panic").expect("somebody receives");
        }
        // A sender that is cut short takes its message along.
        let witness = Arc::new(());
        let (values, received) = bounded(0);
        let held = Arc::clone(&witness);
        let sender = spawn(move || values.send(held));
        (0..20).for_each(|_| yield_now());
        sender.cancel();
        is_cancelled(sender.join());
        assert_eq!(Arc::strong_count(&witness), 1);
        assert!(received.try_recv().is_err());
    });
}

#[test]
fn a_green_thread_cancelled_before_its_first_turn_does_not_run() {
    support::Process::child("cancelled_before_the_first_turn").env("GREENBRIDGE_PROCESSORS", "1").run().succeeds();
}

#[test]
#[ignore = "child process"]
fn cancelled_before_the_first_turn() {
    run(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let witness = Witness(Arc::clone(&dropped));
        // On one processor it cannot have begun.
        let green = spawn(move || {
            drop(witness);
            panic!("it runs")
        });
        green.cancel();
        is_cancelled::<()>(green.join());
        assert_eq!(dropped.load(Ordering::Acquire), 1, "its closure is dropped");
    });
}

#[test]
fn code_that_catches_the_unwinding_is_cut_short_again() {
    child_on_processors("cancellations_are_caught", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn cancellations_are_caught() {
    start();
    let stubborn = |token: &CancelToken| {
        let caught = AtomicUsize::new(0);
        let result = token.run(|| {
            for _ in 0..3 {
                let payload = catch_unwind(AssertUnwindSafe(park)).expect_err("it has been cancelled");
                assert!(payload.is::<Cancelled>());
                caught.fetch_add(1, Ordering::AcqRel);
            }
            // One that is raised by hand ends where it would have.
            resume_unwind(catch_unwind(AssertUnwindSafe(park)).expect_err("it has been cancelled"));
        });
        assert!(result.map(|(): ()| ()).is_err());
        assert_eq!(caught.load(Ordering::Acquire), 3);
    };
    let token = CancelToken::new();
    token.cancel();
    stubborn(&token);
    greenbridge::run(move || stubborn(&token));
}

#[test]
fn a_green_thread_may_cancel_itself() {
    child_on_processors("green_threads_cancel_themselves", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn green_threads_cancel_themselves() {
    run(|| {
        let (give, given) = bounded::<Arc<JoinHandle<()>>>(1);
        let green = Arc::new(spawn(move || {
            let own = given.recv().expect("it is sent");
            own.cancel();
            drop(own);
            park();
            unreachable!("a wait went on");
        }));
        give.send(Arc::clone(&green)).expect("it receives");
        let mut green = green;
        let green = loop {
            match Arc::try_unwrap(green) {
                Ok(green) => break green,
                Err(shared) => green = shared,
            }
            yield_now();
        };
        is_cancelled(green.join());

        let token = CancelToken::new();
        let result = token.run(|| {
            token.cancel();
            park();
        });
        assert!(result.is_err());
    });
}

#[test]
fn of_many_who_cancel_one_is_the_first() {
    child_on_processors("everybody_cancels", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn everybody_cancels() {
    run(|| {
        for _ in 0..100 {
            let token = CancelToken::new();
            let waiting: Vec<_> = (0..4)
                .map(|n| {
                    let token = if n % 2 == 0 { token.clone() } else { token.child() };
                    spawn(move || token.run(park))
                })
                .collect();
            let cancels: Vec<_> = (0..4)
                .map(|_| {
                    let token = token.clone();
                    spawn(move || token.cancel())
                })
                .collect();
            let other = token.clone();
            let foreign = thread::spawn(move || other.cancel());
            let first = cancels.into_iter().map(|green| green.join().expect("no panic"));
            let firsts = first.filter(|first| *first).count() + usize::from(foreign.join().expect("no panic"));
            assert_eq!(firsts, 1);
            for green in waiting {
                assert!(green.join().expect("no panic").is_err());
            }
        }
    });
}

#[test]
fn a_shield_lets_waits_go_on() {
    child_on_processors("shields", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn shields() {
    start();
    let shielded = || {
        let token = CancelToken::new();
        token.cancel();
        let result = token.run(|| {
            let value = cancel::shield(|| {
                // A scope inside a shield is observed.
                assert!(token.run(park).is_err());
                spawn(|| 3).join().expect("no panic")
            });
            assert_eq!(value, 3);
            park();
        });
        assert!(result.is_err());
    };
    shielded();
    greenbridge::run(shielded);
    greenbridge::run(|| {
        let (begin, begun) = bounded(0);
        let (values, received) = bounded(0);
        let green = spawn(move || {
            begin.send(()).expect("it is awaited");
            let value = cancel::shield(|| received.recv());
            assert_eq!(value, Ok(4));
            park();
        });
        begun.recv().expect("it begins");
        green.cancel();
        (0..20).for_each(|_| yield_now());
        values.send(4).expect("it waits, although it has been cancelled");
        is_cancelled(green.join());
    });
}

#[test]
fn a_token_can_be_awaited() {
    child_on_processors("tokens_are_awaited", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn tokens_are_awaited() {
    run(|| {
        let token = CancelToken::new();
        let inside = token.clone();
        let green = spawn(move || inside.cancelled());
        let child = token.child();
        let foreign = thread::spawn(move || block_on_os_thread(child.cancelled_async()));
        let mut given_up = Box::pin(token.cancelled_async());
        assert_eq!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
        drop(given_up);
        token.cancel();
        green.join().expect("no panic");
        foreign.join().expect("no panic");
        assert_eq!(pin!(token.cancelled_async()).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        token.cancelled();
    });
}
