//! A pin made in a callback keeps the green thread on its OS thread for as long as the guard lives: longer than the
//! `call_interleaved` it was made under, and beside other interleaved calls that wait there.
//!
//! What could break it: an interleaved call whose end ends the pin, a pinned green thread that cannot be an exclusive resident
//! beside others and is queued instead, or one that moves away from them to call C.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{PinGuard, Start, call_interleaved, pin, spawn, yield_now};
use std::collections::BTreeSet;
use std::ffi::{c_long, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};
use support::{Callback, Movers, Way, child_on_processors, for_c, gettid, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn pin_outlives_call_enter(f: Callback<*mut c_void>, context: *mut c_void, number: c_long) -> *mut c_void;
}

fn enter<T: Sync>(f: extern "C" fn(&T, c_long) -> *mut c_void, context: &T) -> *mut c_void {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    unsafe { pin_outlives_call_enter(f, context, 0) }
}

fn interleaved<T: Sync>(f: extern "C" fn(&T, c_long) -> *mut c_void, context: &T) -> *mut c_void {
    // SAFETY: C keeps nothing across a callback.
    unsafe { call_interleaved(|| enter(f, context)) }
}

/// Where a callback waits first, so that its OS thread keeps it.
struct Seat {
    taken: Sender<i32>,
    go: Receiver<()>,
    movers: OnceLock<[Movers; 2]>,
}

impl Seat {
    /// Waits until it is this one's turn.
    fn take(&self) -> i32 {
        let home = gettid();
        self.taken.send(home).expect("somebody waits for it");
        self.go.recv().expect("its turn comes");
        assert_eq!(gettid(), home, "a callback changed its OS thread");
        home
    }

    fn movers(&self) -> &Movers {
        &self.pairs()[0]
    }

    fn pairs(&self) -> &[Movers; 2] {
        self.movers.get().expect("they were started before the first turn")
    }

    /// Goes on until the caller has been seen on another OS thread. The last mover of each pair has one of its own, so one of the
    /// two is elsewhere.
    fn until_moved(&self) {
        let before = gettid();
        for movers in self.pairs().iter().cycle() {
            movers.round();
            if gettid() != before {
                return;
            }
        }
    }
}

/// Lets interleaved calls wait in callbacks, more than there are OS threads. `turn` makes such a call and waits in its callback by
/// [`Seat::take`]; the turns come one after the other, so that most have others beside them.
fn beside_others(turn: fn(&Seat)) {
    const SEATS: usize = 40;
    run(move || {
        let seats: Vec<_> = (0..SEATS)
            .map(|_| {
                let (taken, home) = bounded(1);
                let (go, told) = bounded(0);
                let seat = Arc::new(Seat { taken, go: told, movers: OnceLock::new() });
                let shared = Arc::clone(&seat);
                let visit = spawn(move || turn(&shared));
                (home.recv().expect("it takes its seat"), seat, go, visit)
            })
            .collect();
        let homes: BTreeSet<i32> = seats.iter().map(|(home, ..)| *home).collect();
        assert!(homes.len() < SEATS, "each call has an OS thread of its own");
        // Not before: an interleaved call does not stay where somebody is pinned.
        let movers = [0, 1].map(|_| Movers::start().0);
        for (_, seat, go, visit) in seats {
            assert!(seat.movers.set(movers.clone()).is_ok());
            go.send(()).expect("it waits");
            visit.join().expect("no panic");
        }
    });
}

/// Pins when its turn comes, and gives the guard to C.
#[greenbridge::export]
extern "C" fn pin_and_keep(seat: &Seat, _: c_long) -> *mut c_void {
    seat.take();
    Box::into_raw(Box::new(pin())).cast()
}

/// A pin that was made in an interleaved call which has ended.
fn pin_that_outlives_its_call(seat: &Seat) -> Box<PinGuard> {
    let guard = interleaved(pin_and_keep, seat);
    // SAFETY: made by `pin_and_keep`, on this green thread, which has been pinned since.
    unsafe { Box::from_raw(guard.cast()) }
}

#[test]
fn a_pin_that_outlives_its_call_holds_beside_interleaved_calls() {
    child_on_processors("pins_outlive_their_calls", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pins_outlive_their_calls() {
    beside_others(|seat| {
        let guard = pin_that_outlives_its_call(seat);
        let home = gettid();
        seat.movers().round();
        assert_eq!(gettid(), home, "the pin has ended with its call");
        yield_now();
        assert_eq!(gettid(), home, "the pin has ended with its call");
        spawn(yield_now).join().expect("no panic");
        assert_eq!(gettid(), home, "the pin has ended with its call");
        drop(guard);
        seat.until_moved();
    });
}

#[test]
fn a_pin_that_outlives_its_call_holds_over_further_calls() {
    child_on_processors("calls_under_pins_that_outlived_their_calls", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn calls_under_pins_that_outlived_their_calls() {
    beside_others(|seat| {
        let guard = pin_that_outlives_its_call(seat);
        let home = gettid();
        drop(pin());
        assert_eq!(gettid(), home, "the pin has ended with another");
        for way in Way::ALL {
            assert!(way.call(|| enter(move_in_callback, seat.movers()).is_null()));
            assert_eq!(gettid(), home, "a pinned green thread has moved to call C: {way:?}");
        }
        drop(guard);
        seat.until_moved();
    });
}

#[greenbridge::export]
extern "C" fn move_in_callback(movers: &Movers, _: c_long) -> *mut c_void {
    let home = gettid();
    movers.round();
    assert_eq!(gettid(), home, "a callback changed its OS thread");
    ptr::null_mut()
}

#[test]
fn a_pin_in_a_waiting_interleaved_callback_holds_beside_others() {
    child_on_processors("pinned_callbacks_wait", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pinned_callbacks_wait() {
    beside_others(|seat| {
        interleaved(pin_and_wait, seat);
        seat.until_moved();
    });
}

#[greenbridge::export]
extern "C" fn pin_and_wait(seat: &Seat, _: c_long) -> *mut c_void {
    let home = seat.take();
    let _pinned = pin();
    seat.movers().round();
    assert_eq!(gettid(), home, "a callback changed its OS thread");
    ptr::null_mut()
}
