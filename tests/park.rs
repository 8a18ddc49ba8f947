//! `unpark` lets exactly the next `park` return, before or after it began, whoever calls it and whatever else the green
//! thread waits for in between.
//!
//! What could break it: a token that a channel's wake-up takes along, a `park` that returns for somebody else's wake-up,
//! or an `unpark` between the decision to park and the switch.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{Start, Thread, call, current, park, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::{Callback, child, child_on_processors, for_c, run, start, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn park_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

#[test]
fn an_unpark_before_the_park_is_kept_and_several_count_once() {
    child("unparks_come_first").succeeds();
}

#[test]
#[ignore = "child process"]
fn unparks_come_first() {
    run(|| {
        current().unpark();
        current().unpark();
        park();
        // A second token would let this one return before the flag is set.
        let flag = Arc::new(AtomicBool::new(false));
        let (me, set) = (current(), Arc::clone(&flag));
        let waker = spawn(move || {
            set.store(true, Ordering::Release);
            me.unpark();
        });
        park();
        assert!(flag.load(Ordering::Acquire), "park returned without an unpark");
        waker.join().expect("no panic");
    });
}

#[test]
fn a_token_is_kept_over_waits_for_other_things() {
    child_on_processors("channel_waits_between_unpark_and_park", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn channel_waits_between_unpark_and_park() {
    run(|| {
        for round in 0..500 {
            let (value, received) = bounded(0);
            let me = current();
            let peer = spawn(move || {
                // The token comes while the other side waits for the channel, before it or after it.
                if round % 3 == 0 {
                    yield_now();
                }
                me.unpark();
                value.send(round).expect("it is received");
            });
            if round % 2 == 0 {
                yield_now();
            }
            assert_eq!(received.recv(), Ok(round));
            peer.join().expect("no panic");
            park();
        }
    });
}

#[test]
fn a_park_does_not_return_for_the_wake_up_of_another_wait() {
    child_on_processors("parks_after_channel_waits", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn parks_after_channel_waits() {
    run(|| {
        for round in 0..500_usize {
            let allowed = Arc::new(AtomicBool::new(false));
            let (value, received) = bounded(1);
            let (me, allow) = (current(), Arc::clone(&allowed));
            let peer = spawn(move || {
                value.send(round).expect("it is received");
                for _ in 0..round % 4 {
                    yield_now();
                }
                allow.store(true, Ordering::Release);
                me.unpark();
            });
            assert_eq!(received.recv(), Ok(round));
            park();
            assert!(allowed.load(Ordering::Acquire), "park returned without an unpark in round {round}");
            peer.join().expect("no panic");
        }
    });
}

/// Two sides take turns: each waits for its turn in `park`, and gives it to the other by `unpark`.
struct Turns {
    turn: AtomicUsize,
    sides: Mutex<[Option<Thread>; 2]>,
}

impl Turns {
    fn new() -> Arc<Self> {
        Arc::new(Self { turn: AtomicUsize::new(0), sides: Mutex::new([None, None]) })
    }

    fn register(&self, side: usize) {
        self.sides.lock().expect("no panic")[side] = Some(current());
    }

    fn both_are_there(&self) -> bool {
        self.sides.lock().expect("no panic").iter().all(Option::is_some)
    }

    fn take_turns(&self, side: usize, rounds: usize) {
        let other = self.sides.lock().expect("no panic")[1 - side].clone().expect("both are there");
        for round in 0..rounds {
            while self.turn.load(Ordering::Acquire) != 2 * round + side {
                park();
            }
            self.turn.store(2 * round + side + 1, Ordering::Release);
            other.unpark();
        }
    }
}

#[test]
fn no_unpark_is_lost_between_green_threads() {
    child_on_processors("green_threads_take_turns", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn green_threads_take_turns() {
    run(|| {
        let sides: Vec<_> = (0..10)
            .flat_map(|_| {
                let turns = Turns::new();
                [0, 1].map(|side| {
                    let turns = Arc::clone(&turns);
                    spawn(move || {
                        turns.register(side);
                        while !turns.both_are_there() {
                            yield_now();
                        }
                        turns.take_turns(side, 2000);
                    })
                })
            })
            .collect();
        for side in sides {
            side.join().expect("no panic");
        }
    });
}

#[test]
fn no_unpark_is_lost_between_a_green_thread_and_an_os_thread() {
    child_on_processors("a_green_thread_and_an_os_thread_take_turns", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_green_thread_and_an_os_thread_take_turns() {
    start();
    let turns = Turns::new();
    turns.register(0);
    let shared = Arc::clone(&turns);
    let green = spawn(move || {
        shared.register(1);
        while !shared.both_are_there() {
            yield_now();
        }
        shared.take_turns(1, 2000);
    });
    while !turns.both_are_there() {
        yield_now();
    }
    turns.take_turns(0, 2000);
    green.join().expect("no panic");
}

#[test]
fn a_callback_may_park() {
    child_on_processors("callbacks_take_turns", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_take_turns() {
    run(|| {
        let turns = Turns::new();
        let sides = [0, 1].map(|side| {
            let turns = Arc::clone(&turns);
            spawn(move || {
                let (f, context) = for_c(take_turns_in_callback, &*turns);
                // SAFETY: C hands the pointer on to `f` and returns after it, while `turns` is borrowed.
                call(|| unsafe { park_enter(f, context, side) })
            })
        });
        for side in sides {
            assert_eq!(side.join().expect("no panic"), 0);
        }
    });
}

#[greenbridge::export]
extern "C" fn take_turns_in_callback(turns: &Turns, side: c_long) -> c_long {
    let side = usize::try_from(side).expect("0 or 1");
    turns.register(side);
    while !turns.both_are_there() {
        yield_now();
    }
    turns.take_turns(side, 500);
    0
}

#[test]
fn unparking_somebody_who_has_finished_does_nothing() {
    child_on_processors("unparks_race_with_the_end", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn unparks_race_with_the_end() {
    run(|| {
        let ended = Arc::new(AtomicUsize::new(0));
        for _ in 0..1000 {
            let count = Arc::clone(&ended);
            let green = spawn(move || {
                park();
                count.fetch_add(1, Ordering::AcqRel);
            });
            let thread = green.thread().clone();
            let other = thread.clone();
            spawn(move || other.unpark());
            thread.unpark();
            green.join().expect("no panic");
            thread.unpark();
        }
        yield_until(&ended, 1000);
    });
}
