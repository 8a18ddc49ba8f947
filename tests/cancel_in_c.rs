//! Unwinding never passes C: what is cancelled while C is on its stack goes on until C has returned. A scope that was entered in a callback is
//! cut short in that callback, whatever the way to call.
//!
//! What could break it: a scope that is taken for one of the callback's own, a wait that blocks its OS thread and is not woken, or a
//! cancellation that is forgotten while C runs.

mod support;

use greenbridge::cancel::{CancelToken, Cancelled};
use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{JoinHandle, Start, call_interleaved, park, pin, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use support::{Callback, Process, Way, child_on_processors, for_c, pause, run, start, wait_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn cancel_in_c_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// Has C call `f` with `context`.
fn enter<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    unsafe { cancel_in_c_enter(f, context, number) }
}

/// One test on 1, 2 and 8 processors, which prints no panic.
fn silently_on_processors(name: &str) {
    for processors in ["1", "2", "8"] {
        Process::child(name).env("GREENBRIDGE_PROCESSORS", processors).run().succeeds().does_not_say("panicked");
    }
}

/// A callback that says that it waits, and then receives.
struct Place {
    waits: Sender<()>,
    received: Receiver<c_long>,
    returned: AtomicBool,
}

impl Place {
    fn new() -> (Self, Receiver<()>, Sender<c_long>) {
        let (waits, told) = bounded(0);
        let (values, received) = bounded(0);
        (Self { waits, received, returned: AtomicBool::new(false) }, told, values)
    }

    fn receive(&self) -> c_long {
        self.waits.send(()).expect("somebody listens");
        self.received.recv().expect("a value comes")
    }
}

#[greenbridge::export]
extern "C" fn receive(place: &Place, _: c_long) -> c_long {
    let value = place.receive();
    place.returned.store(true, Ordering::Release);
    value
}

#[test]
fn a_green_thread_is_cut_short_when_c_has_returned() {
    silently_on_processors("cancelled_with_c_on_the_stack");
}

#[test]
#[ignore = "child process"]
fn cancelled_with_c_on_the_stack() {
    run(|| {
        for way in Way::ALL {
            let (place, told, values) = Place::new();
            let place = std::sync::Arc::new(place);
            let inside = std::sync::Arc::clone(&place);
            let green = spawn(move || {
                assert_eq!(way.call(|| enter(receive, &*inside, 1)), 7);
                park();
                unreachable!("a wait went on");
            });
            told.recv().expect("it says so");
            green.cancel();
            (0..20).for_each(|_| yield_now());
            assert!(!place.returned.load(Ordering::Acquire), "{way:?}");
            values.send(7).expect("it still waits");
            let payload: Box<_> = green.join().map(|(): ()| ()).expect_err("it is cut short afterwards");
            assert!(payload.is::<Cancelled>(), "{way:?}");
            assert!(place.returned.load(Ordering::Acquire));
        }
    });
}

/// A callback that enters a scope.
struct Scoped {
    token: CancelToken,
    waits: Sender<()>,
}

#[greenbridge::export]
extern "C" fn wait_in_a_scope(scoped: &Scoped, _: c_long) -> c_long {
    let result = scoped.token.run(|| {
        scoped.waits.send(()).expect("somebody listens");
        park();
    });
    // The scope is over: this one goes on.
    spawn(yield_now).join().expect("no panic");
    c_long::from(result.is_err())
}

#[test]
fn a_scope_entered_in_a_callback_is_cut_short_in_it() {
    silently_on_processors("scopes_in_callbacks");
}

#[test]
#[ignore = "child process"]
fn scopes_in_callbacks() {
    start();
    let scoped = || {
        let (waits, told) = bounded(1);
        (Scoped { token: CancelToken::new(), waits }, told)
    };
    greenbridge::run(move || {
        for way in Way::ALL {
            let (place, told) = scoped();
            let token = place.token.clone();
            let green = spawn(move || way.call(|| enter(wait_in_a_scope, &place, 1)));
            told.recv().expect("it says so");
            (0..20).for_each(|_| yield_now());
            token.cancel();
            assert_eq!(green.join().expect("no panic"), 1, "{way:?}");
        }
    });
    // C on a thread that the runtime did not make, bare.
    for _ in 0..20 {
        let (place, told) = scoped();
        let token = place.token.clone();
        let foreign = thread::spawn(move || enter(wait_in_a_scope, &place, 1));
        told.recv().expect("it says so");
        token.cancel();
        assert_eq!(foreign.join().expect("no panic"), 1);
    }
    // And bare on a green thread, where nothing may wait, but a wait that is cut short need not.
    greenbridge::run(move || {
        let (place, _told) = scoped();
        place.token.cancel();
        assert_eq!(enter(check_in_a_scope, &place, 1), 1);
    });
}

#[greenbridge::export]
extern "C" fn check_in_a_scope(scoped: &Scoped, _: c_long) -> c_long {
    c_long::from(scoped.token.run(park).is_err())
}

/// Rust, C, Rust, C, Rust, with a token for each stretch of Rust.
struct Nested {
    way: Way,
    tokens: [CancelToken; 3],
    place: Place,
    steps: Mutex<Vec<&'static str>>,
}

impl Nested {
    fn step(&self, step: &'static str) {
        self.steps.lock().expect("nobody panics with it").push(step);
    }
}

#[greenbridge::export]
extern "C" fn middle(nested: &Nested, _: c_long) -> c_long {
    let result = nested.tokens[1].run(|| {
        let value = nested.way.call(|| enter(innermost, nested, 2));
        nested.step("C has returned to the middle");
        park();
        value
    });
    assert!(result.is_err());
    nested.step("the middle is cut short");
    // Between the outer scope and this lies C.
    assert_eq!(nested.place.receive(), 2);
    3
}

#[greenbridge::export]
extern "C" fn innermost(nested: &Nested, _: c_long) -> c_long {
    assert_eq!(nested.place.receive(), 1);
    nested.step("the innermost has gone on");
    nested.tokens[2].cancel();
    assert!(nested.tokens[2].run(park).is_err());
    nested.step("the innermost is cut short");
    2
}

#[test]
fn each_stretch_of_rust_is_cut_short_alone() {
    silently_on_processors("rust_c_rust_c_rust");
}

#[test]
#[ignore = "child process"]
fn rust_c_rust_c_rust() {
    run(|| {
        for way in Way::ALL {
            let (place, told, values) = Place::new();
            let tokens = [(); 3].map(|()| CancelToken::new());
            let nested = Nested { way, tokens: tokens.clone(), place, steps: Mutex::new(Vec::new()) };
            let green = spawn(move || {
                let result = nested.tokens[0].run(|| {
                    assert_eq!(way.call(|| enter(middle, &nested, 1)), 3);
                    nested.step("C has returned to the outermost");
                    park();
                });
                assert!(result.is_err());
                nested.steps.into_inner().expect("nobody panics with it")
            });
            told.recv().expect("it says so");
            // Both stand behind C.
            tokens[0].cancel();
            tokens[1].cancel();
            (0..20).for_each(|_| yield_now());
            values.send(1).expect("the innermost waits");
            told.recv().expect("it says so");
            values.send(2).expect("the middle waits");
            assert_eq!(
                green.join().expect("no panic"),
                [
                    "the innermost has gone on",
                    "the innermost is cut short",
                    "C has returned to the middle",
                    "the middle is cut short",
                    "C has returned to the outermost",
                ],
                "{way:?}"
            );
        }
    });
}

#[test]
fn a_callback_may_cancel() {
    child_on_processors("callbacks_cancel", &[1, 2]);
}

struct Cancels {
    token: CancelToken,
    green: JoinHandle<()>,
}

#[greenbridge::export]
extern "C" fn cancel_both(cancels: &Cancels, _: c_long) -> c_long {
    cancels.green.cancel();
    c_long::from(cancels.token.cancel())
}

#[test]
#[ignore = "child process"]
fn callbacks_cancel() {
    run(|| {
        for way in Way::ALL {
            let token = CancelToken::new();
            let inside = token.clone();
            let scoped = spawn(move || inside.run(park));
            let cancels = Cancels { token, green: spawn(park) };
            (0..5).for_each(|_| yield_now());
            assert_eq!(way.call(|| enter(cancel_both, &cancels, 1)), 1);
            assert_eq!(enter(cancel_both, &cancels, 1), 0, "bare, and too late");
            assert!(scoped.join().expect("no panic").is_err());
            assert!(cancels.green.join().is_err());
        }
        // A thread that C made cancels.
        let cancels = Cancels { token: CancelToken::new(), green: spawn(park) };
        let cancels = thread::spawn(move || {
            assert_eq!(enter(cancel_both, &cancels, 1), 1);
            cancels
        });
        let cancels = cancels.join().expect("no panic");
        assert!(cancels.green.join().is_err());
    });
}

/// A seat among interleaved residents: the callback says that it is taken, and comes back with a pin when it may go.
struct Seat {
    taken: Sender<()>,
    go: Receiver<()>,
}

#[greenbridge::export]
extern "C" fn sit_and_pin(seat: &Seat, _: c_long) -> c_long {
    seat.taken.send(()).expect("somebody listens");
    seat.go.recv().expect("its turn comes");
    Box::into_raw(Box::new(pin())) as c_long
}

/// How many have left their callbacks and wait.
static PINNED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_green_thread_that_blocks_its_os_thread_is_cut_short() {
    silently_on_processors("cancelled_while_it_blocks");
}

#[test]
#[ignore = "child process"]
fn cancelled_while_it_blocks() {
    run(|| {
        // A pin that was made in an interleaved callback and outlives it, beside others: such a green thread waits by blocking its
        // OS thread.
        let seats: Vec<_> = (0..8)
            .map(|n| {
                let (taken, told) = bounded(0);
                let (go, goes) = bounded(0);
                let seat = Seat { taken, go: goes };
                let green = spawn(move || {
                    // SAFETY: C keeps nothing across a callback.
                    let guard = unsafe { call_interleaved(|| enter(sit_and_pin, &seat, 1)) };
                    // SAFETY: made by `sit_and_pin`, on this green thread, which has been pinned since.
                    let _pinned = unsafe { Box::from_raw(guard as *mut greenbridge::PinGuard) };
                    PINNED.fetch_add(1, Ordering::AcqRel);
                    park();
                });
                told.recv().expect("it takes its seat");
                (n, green, go)
            })
            .collect();
        for (n, green, go) in seats {
            go.send(()).expect("it waits");
            // Not by a yield alone: it may be the OS thread of this one that blocks.
            support::yield_until(&PINNED, n + 1);
            if n % 2 == 0 {
                greenbridge::call_blocking(|| pause(std::time::Duration::from_millis(5)));
            }
            green.cancel();
            let payload = green.join().expect_err("it has been cancelled");
            assert!(payload.is::<Cancelled>());
        }
    });
    wait_until(|| PINNED.load(Ordering::Acquire) == 8);
}
