//! On one processor everybody who is ready gets a turn, whatever the others do with theirs.
//!
//! Each test has some who would go on forever, and one whose turn ends that. What could break it: a `next` slot that is
//! always first, a run queue that is never empty, or a resident that always goes before the others.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{Builder, JoinHandle, Start, call, call_blocking, park, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Callback, Movers, child, for_c, start_with};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn fairness_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    safe fn fairness_return(number: c_long) -> c_long;
}

/// Set by the one whose turn is in question; all others go on until then.
#[derive(Clone, Default)]
struct Over(Arc<AtomicBool>);

impl Over {
    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

fn on_one_processor(body: impl FnOnce(Over) + Send + 'static) {
    start_with(Builder::new().processors(1));
    run(|| body(Over::default()));
}

/// A pair that wake each other, so that one of them is always in `next`.
fn ping_pong(over: &Over) -> [JoinHandle<()>; 2] {
    let (to_first, first) = bounded(0);
    let (to_second, second) = bounded(0);
    let (serves, ends) = (over.clone(), over.clone());
    let server = spawn(move || while !serves.is_set() && to_second.send(()).is_ok() && first.recv().is_ok() {});
    let client = spawn(move || while !ends.is_set() && second.recv().is_ok() && to_first.send(()).is_ok() {});
    [server, client]
}

/// Some that yield all the time, so that the run queue is never empty.
fn yielders(over: &Over) -> Vec<JoinHandle<()>> {
    let each = |over: Over| {
        spawn(move || {
            while !over.is_set() {
                yield_now();
            }
        })
    };
    (0..4).map(|_| each(over.clone())).collect()
}

fn join_all(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn a_pair_that_wake_each_other_leave_turns_to_the_run_queue() {
    child("a_pair_beside_a_new_green_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_pair_beside_a_new_green_thread() {
    on_one_processor(|over| {
        let pair = ping_pong(&over);
        for _ in 0..10 {
            yield_now();
        }
        spawn(move || over.set());
        join_all(pair);
    });
}

#[test]
fn a_pair_or_a_full_queue_leave_turns_to_what_comes_from_outside() {
    child("a_pair_beside_the_injector").succeeds();
    child("a_full_queue_beside_the_injector").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_pair_beside_the_injector() {
    start_with(Builder::new().processors(1));
    let over = Over::default();
    let pair = ping_pong(&over);
    spawn(move || over.set());
    join_all(pair);
}

#[test]
#[ignore = "child process"]
fn a_full_queue_beside_the_injector() {
    start_with(Builder::new().processors(1));
    let over = Over::default();
    let busy = yielders(&over);
    spawn(move || over.set());
    join_all(busy);
}

#[test]
fn those_who_yield_leave_turns_to_one_who_is_woken() {
    child("yielders_beside_one_who_is_woken").succeeds();
}

#[test]
#[ignore = "child process"]
fn yielders_beside_one_who_is_woken() {
    on_one_processor(|over| {
        let busy = yielders(&over);
        let sleeper = spawn(move || {
            park();
            over.set();
        });
        yield_now();
        sleeper.thread().unpark();
        join_all(busy);
        join_all([sleeper]);
    });
}

#[test]
fn a_callback_that_yields_leaves_turns_to_others() {
    child("a_callback_yields_beside_a_green_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_callback_yields_beside_a_green_thread() {
    // With one OS thread, so that nobody else can take the processor.
    start_with(Builder::new().processors(1).max_threads(1));
    run(|| {
        let over = Over::default();
        let setter = over.clone();
        spawn(move || {
            yield_now();
            setter.set();
        });
        let (f, context) = for_c(yield_until_over, &over);
        // SAFETY: C hands the pointer on to `f` and returns after it, while `over` is borrowed.
        call(|| unsafe { fairness_enter(f, context, 0) });
    });
}

#[greenbridge::export]
extern "C" fn yield_until_over(over: &Over, _: c_long) -> c_long {
    while !over.is_set() {
        yield_now();
    }
    0
}

#[test]
fn others_leave_turns_to_a_callback_that_was_woken() {
    child("yielders_beside_a_waiting_callback").succeeds();
}

#[test]
#[ignore = "child process"]
fn yielders_beside_a_waiting_callback() {
    on_one_processor(|over| {
        let (value, received): (Sender<c_long>, Receiver<c_long>) = bounded(0);
        let setter = over.clone();
        let waiting = spawn(move || {
            let (f, context) = for_c(receive, &received);
            // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
            assert_eq!(call(|| unsafe { fairness_enter(f, context, 0) }), 7);
            setter.set();
        });
        let busy = yielders(&over);
        value.send(7).expect("the callback receives");
        join_all(busy);
        join_all([waiting]);
    });
}

#[greenbridge::export]
extern "C" fn receive(received: &Receiver<c_long>, _: c_long) -> c_long {
    received.recv().expect("it is sent")
}

#[test]
fn residents_that_wake_each_other_leave_turns_to_others() {
    child("movers_beside_a_new_green_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn movers_beside_a_new_green_thread() {
    on_one_processor(|over| {
        let (movers, _) = Movers::start();
        let asks = over.clone();
        let asking = spawn(move || {
            while !asks.is_set() {
                movers.round();
            }
        });
        for _ in 0..10 {
            yield_now();
        }
        spawn(move || over.set());
        join_all([asking]);
    });
}

#[test]
fn those_who_yield_leave_turns_to_one_who_comes_back_from_c() {
    child("yielders_beside_one_in_c").succeeds();
}

#[test]
#[ignore = "child process"]
fn yielders_beside_one_in_c() {
    on_one_processor(|over| {
        let busy = yielders(&over);
        // Its processor goes to the others, and it has to queue for it.
        for turn in 0..20 {
            assert_eq!(call_blocking(|| fairness_return(turn)), turn);
        }
        over.set();
        join_all(busy);
    });
}

#[test]
fn one_who_calls_c_all_the_time_leaves_turns_to_others_when_it_yields() {
    child("one_calls_c_and_yields").succeeds();
}

#[test]
#[ignore = "child process"]
fn one_calls_c_and_yields() {
    on_one_processor(|over| {
        let caller = over.clone();
        let calling = spawn(move || {
            while !caller.is_set() {
                call(|| fairness_return(1));
                yield_now();
            }
        });
        spawn(move || over.set());
        join_all([calling]);
    });
}
