//! The frames of a bare C call stay on their OS thread, whatever its callback calls; a callback that would have to leave that
//! thread is the error that names `call`.
//!
//! What could break it: a `call` in the callback that has lost its processor and queues for one, or that moves away from
//! a resident; and a count of callbacks that stays behind on the OS thread that was left.

mod support;

use greenbridge::channel::{Receiver, bounded};
use greenbridge::{Builder, Start, call, pin, run, spawn, yield_now};
use std::collections::BTreeSet;
use std::ffi::{c_long, c_void};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Callback, child, for_c, gettid, panic_text, start_with, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn bare_frames_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn bare_frames_sleep_until(flag: *const AtomicI32) -> c_long;
}

fn barely<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    unsafe { bare_frames_enter(f, context, number) }
}

/// What a sleep in C waits for, and where the callbacks were.
#[derive(Default)]
struct Sleep {
    in_c: AtomicUsize,
    flag: AtomicI32,
    homes: Mutex<BTreeSet<i32>>,
}

/// Sleeps in C until another green thread has run.
#[greenbridge::export]
extern "C" fn call_that_sleeps(sleep: &Sleep, number: c_long) -> c_long {
    let home = gettid();
    sleep.homes.lock().expect("no panic").insert(home);
    sleep.in_c.fetch_add(1, Ordering::AcqRel);
    // SAFETY: C only reads the flag, and returns while it is borrowed.
    let slept = call(|| unsafe { bare_frames_sleep_until(&sleep.flag) });
    assert_eq!(gettid(), home, "a callback under a bare C call changed its OS thread");
    number + slept
}

/// How many of those that keep the processors busy are to end.
static QUIET: AtomicUsize = AtomicUsize::new(0);

fn bare_frames_stay(processors: usize) {
    // The OS threads that were used are to be there at the end.
    start_with(Builder::new().processors(processors).spare_idle(Duration::from_secs(600)));
    let homes = run(move || {
        // As long as these go on, whoever has lost a processor finds none idle.
        let busy: Vec<_> = (0..2 * processors).map(|_| spawn(|| yield_until(&QUIET, 1))).collect();
        let mut homes = BTreeSet::new();
        for round in 0..30 {
            let sleep = Arc::new(Sleep::default());
            let sleepers: Vec<_> = (0..processors)
                .map(|_| {
                    let sleep = Arc::clone(&sleep);
                    spawn(move || barely(call_that_sleeps, &*sleep, round))
                })
                .collect();
            // All processors' worth of them are in C: that this one runs is the proof that one has lost its processor.
            yield_until(&sleep.in_c, processors);
            yield_now();
            sleep.flag.store(1, Ordering::Release);
            for sleeper in sleepers {
                assert_eq!(sleeper.join().expect("no panic"), round + 1, "-1 means that C changed its OS thread");
            }
            homes.append(&mut sleep.homes.lock().expect("no panic"));
        }
        QUIET.store(1, Ordering::Release);
        busy.into_iter().for_each(|thread| thread.join().expect("no panic"));
        homes
    });
    nobody_is_told_of_a_bare_call(homes);
}

/// Waits on each of the OS threads `homes`, without C and in a callback.
fn nobody_is_told_of_a_bare_call(homes: BTreeSet<i32>) {
    run(move || {
        let (leave, left) = bounded(0);
        let visited = Arc::new(Mutex::new(BTreeSet::new()));
        let mut pinned = Vec::new();
        // Each needs an OS thread of its own; those that exist are taken first.
        while !visited.lock().expect("no panic").is_superset(&homes) {
            assert!(pinned.len() < 100, "the OS threads {homes:?} are gone");
            let (left, seen): (Receiver<()>, _) = (left.clone(), Arc::clone(&visited));
            let (arrived, arrival) = bounded(1);
            pinned.push(spawn(move || {
                let _pinned = pin();
                seen.lock().expect("no panic").insert(gettid());
                arrived.send(()).expect("somebody waits for it");
                let (f, context) = for_c(receive, &left);
                // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                assert_eq!(call(|| unsafe { bare_frames_enter(f, context, 3) }), 3);
                left.recv().expect("it is told to leave");
            }));
            arrival.recv().expect("it arrives");
        }
        for _ in 0..2 * pinned.len() {
            leave.send(()).expect("one waits");
        }
        for thread in pinned {
            thread.join().expect("nobody is told that C was called bare");
        }
    });
}

/// How many callbacks have begun to wait.
static RECEIVING: AtomicUsize = AtomicUsize::new(0);

#[greenbridge::export]
extern "C" fn receive(received: &Receiver<()>, number: c_long) -> c_long {
    RECEIVING.fetch_add(1, Ordering::AcqRel);
    received.recv().expect("the other side is there");
    number
}

#[test]
fn c_under_a_bare_call_stays_on_its_thread_though_a_call_in_its_callback_loses_the_processor() {
    child("bare_frames_stay_on_one_processor").succeeds();
    child("bare_frames_stay_on_two_processors").succeeds();
}

#[test]
#[ignore = "child process"]
fn bare_frames_stay_on_one_processor() {
    bare_frames_stay(1);
}

#[test]
#[ignore = "child process"]
fn bare_frames_stay_on_two_processors() {
    bare_frames_stay(2);
}

#[test]
fn a_callback_under_a_bare_call_is_refused_what_would_move_it() {
    child("bare_calls_beside_a_resident").succeeds().says("called bare");
}

#[test]
#[ignore = "child process"]
fn bare_calls_beside_a_resident() {
    // The one OS thread is the one that keeps the resident.
    start_with(Builder::new().processors(1).max_threads(1));
    run(|| {
        let (leave, left) = bounded(0);
        let resident = spawn(move || {
            let (f, context) = for_c(receive, &left);
            // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
            call(|| unsafe { bare_frames_enter(f, context, 5) })
        });
        yield_until(&RECEIVING, 1);
        for _ in 0..3 {
            assert_eq!(barely(refused_call, &(), 0), 1);
            assert_eq!(barely(refused_pin, &(), 0), 1);
            yield_now();
        }
        leave.send(()).expect("the resident waits");
        assert_eq!(resident.join().expect("no panic"), 5);
        // Nobody is in the way any more.
        assert_eq!(barely(good_call, &(), 8), 8);
        drop(pin());
        assert_eq!(call(|| barely(good_call, &(), 9)), 9);
    });
}

#[greenbridge::export]
extern "C" fn refused_call(_: &(), _: c_long) -> c_long {
    c_long::from(names_the_bare_call(|| call(|| unreachable!("C is called beside a resident"))))
}

#[greenbridge::export]
extern "C" fn refused_pin(_: &(), _: c_long) -> c_long {
    c_long::from(names_the_bare_call(|| drop(pin())))
}

#[greenbridge::export]
extern "C" fn good_call(_: &(), number: c_long) -> c_long {
    drop(pin());
    call(|| number)
}

fn names_the_bare_call(refused: fn()) -> bool {
    let home = gettid();
    let error = catch_unwind(refused).expect_err("it would have to move");
    assert_eq!(gettid(), home);
    panic_text(&*error).contains("called bare")
}
