//! A pin made in a callback keeps the green thread on its OS thread for as long as the guard lives: longer than the
//! `call_interleaved` it was made under, and beside other interleaved calls that wait there.
//!
//! What could break it: an interleaved call whose end ends the pin, a pinned green thread that cannot be an exclusive resident
//! beside others and is queued instead, or one that moves away from them to call C.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded, unbounded};
use greenbridge::{PinGuard, Start, call, call_interleaved, pin, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::ptr;
use support::{Callback, Movers, child_on_processors, for_c, gettid, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn pin_outlives_call_enter(f: Callback<*mut c_void>, context: *mut c_void, number: c_long) -> *mut c_void;
}

fn interleaved<T: Sync>(f: extern "C" fn(&T, c_long) -> *mut c_void, context: &T) -> *mut c_void {
    let (f, context) = for_c(f, context);
    // SAFETY: C keeps nothing across a callback. It hands the pointer on to `f` and returns after it, while `context` is
    // borrowed.
    unsafe { call_interleaved(|| pin_outlives_call_enter(f, context, 0)) }
}

/// An interleaved call that waits, so that its OS thread keeps it, and serves whoever asks from there.
struct Resident {
    ask: Sender<Sender<i32>>,
    home: i32,
}

impl Resident {
    fn start() -> Self {
        let (ask, asked) = unbounded();
        spawn(move || {
            interleaved(serve, &asked);
        });
        let mut resident = Self { ask, home: 0 };
        resident.home = resident.woken_by_it();
        resident
    }

    /// Is woken by it, and so is put beside it, or close to it. Returns where the resident is.
    fn woken_by_it(&self) -> i32 {
        let (reply, replied) = bounded(1);
        self.ask.send(reply).expect("the resident lives");
        replied.recv().expect("the resident replies")
    }

    /// Goes on until the caller is on the resident's OS thread.
    fn until_beside_it(&self) {
        while gettid() != self.home {
            assert_eq!(self.woken_by_it(), self.home, "a resident has moved");
        }
    }
}

#[greenbridge::export]
extern "C" fn serve(asked: &Receiver<Sender<i32>>, _: c_long) -> *mut c_void {
    for reply in asked.iter() {
        reply.send(gettid()).expect("whoever asked waits for the reply");
    }
    ptr::null_mut()
}

/// Pins, and gives the guard to C.
#[greenbridge::export]
extern "C" fn pin_and_keep(_: &(), _: c_long) -> *mut c_void {
    Box::into_raw(Box::new(pin())).cast()
}

/// A pin that was made in an interleaved call which has ended.
fn pin_that_outlives_its_call() -> Box<PinGuard> {
    let guard = interleaved(pin_and_keep, &());
    // SAFETY: made by `pin_and_keep`, on this green thread, which has been pinned since.
    unsafe { Box::from_raw(guard.cast()) }
}

#[test]
fn a_pin_that_outlives_its_call_holds_beside_interleaved_calls() {
    child_on_processors("pins_outlive_their_calls_beside_a_resident", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pins_outlive_their_calls_beside_a_resident() {
    run(|| {
        let (movers, _) = Movers::start();
        let resident = Resident::start();
        for _ in 0..50 {
            resident.until_beside_it();
            let guard = pin_that_outlives_its_call();
            assert_eq!(gettid(), resident.home, "an interleaved call stays beside others");
            movers.round();
            assert_eq!(gettid(), resident.home, "the pin has ended with its call");
            yield_now();
            assert_eq!(gettid(), resident.home, "the pin has ended with its call");
            spawn(yield_now).join().expect("no panic");
            assert_eq!(gettid(), resident.home, "the pin has ended with its call");
            drop(guard);
            movers.until_moved();
        }
    });
}

#[test]
fn a_pin_that_outlives_its_call_holds_over_further_calls() {
    child_on_processors("calls_under_pins_that_outlived_their_calls", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn calls_under_pins_that_outlived_their_calls() {
    run(|| {
        let (movers, _) = Movers::start();
        let resident = Resident::start();
        for _ in 0..50 {
            resident.until_beside_it();
            let guard = pin_that_outlives_its_call();
            interleaved(move_in_callback, &movers);
            assert_eq!(gettid(), resident.home, "the pin has ended with an interleaved call");
            drop(pin());
            assert_eq!(gettid(), resident.home, "the pin has ended with another");
            call(|| ());
            assert_eq!(gettid(), resident.home, "a pinned green thread moved to call C");
            drop(guard);
            movers.until_moved();
        }
    });
}

#[test]
fn a_pin_in_a_waiting_interleaved_callback_holds_beside_others() {
    child_on_processors("pinned_callbacks_wait_beside_a_resident", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pinned_callbacks_wait_beside_a_resident() {
    run(|| {
        let (movers, _) = Movers::start();
        let resident = Resident::start();
        for _ in 0..50 {
            resident.until_beside_it();
            interleaved(move_in_callback, &movers);
            movers.until_moved();
        }
    });
}

#[greenbridge::export]
extern "C" fn move_in_callback(movers: &Movers, _: c_long) -> *mut c_void {
    let home = gettid();
    let _pinned = pin();
    movers.round();
    assert_eq!(gettid(), home, "a callback changed its OS thread");
    ptr::null_mut()
}
