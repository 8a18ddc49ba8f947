//! A C call that takes long, asleep or busy, starves nobody: its processor goes to others, and it gets one back.
//!
//! Here C waits for what a green thread does, so that without the hand-off nothing would ever go on. What could break
//! it: a call that is not seen as long because a callback came in between, a processor that nobody gets, or a green thread
//! that comes back from C and finds none.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{Start, call, spawn, yield_now};
use std::ffi::{c_int, c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use support::{Callback, Random, Way, child_on_processors, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

type UntilFlag = unsafe extern "C" fn(*const AtomicI32) -> c_long;
type WithCallback = unsafe extern "C" fn(Callback<()>, *mut c_void, *const AtomicI32) -> c_long;

unsafe extern "C" {
    fn hand_off_sleep_until(flag: *const AtomicI32) -> c_long;
    fn hand_off_spin_until(flag: *const AtomicI32) -> c_long;
    fn hand_off_call_back_and_sleep(f: Callback<()>, context: *mut c_void, flag: *const AtomicI32) -> c_long;
    fn hand_off_sleep_and_call_back(f: Callback<()>, context: *mut c_void, flag: *const AtomicI32) -> c_long;
    fn hand_off_meet(arrived: *const AtomicI32, all: c_int) -> c_long;
    safe fn hand_off_rest(microseconds: c_long) -> c_long;
}

#[test]
fn c_that_sleeps_leaves_its_processor_to_others() {
    child_on_processors("c_sleeps_until_a_green_thread_sets_a_flag", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn c_sleeps_until_a_green_thread_sets_a_flag() {
    run(|| c_waits_for_a_green_thread(hand_off_sleep_until));
}

#[test]
fn c_that_is_busy_leaves_its_processor_to_others() {
    child_on_processors("c_spins_until_a_green_thread_sets_a_flag", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn c_spins_until_a_green_thread_sets_a_flag() {
    run(|| c_waits_for_a_green_thread(hand_off_spin_until));
}

/// Ten times in each way: four calls wait in C for one green thread, which first takes some turns.
fn c_waits_for_a_green_thread(c: UntilFlag) {
    for way in Way::ALL {
        for _ in 0..10 {
            let flag = Arc::new(AtomicI32::new(0));
            let in_c: Vec<_> = (0..4)
                .map(|_| {
                    let flag = Arc::clone(&flag);
                    // SAFETY: C only reads the flag, and returns while it is borrowed.
                    spawn(move || way.call(|| unsafe { c(&*flag) }))
                })
                .collect();
            let setter = spawn(move || {
                for _ in 0..20 {
                    yield_now();
                }
                flag.store(1, Ordering::Release);
            });
            for thread in in_c {
                thread.join().expect("no panic");
            }
            setter.join().expect("no panic");
        }
    }
}

#[test]
fn c_that_sleeps_after_a_callback_leaves_its_processor_to_others() {
    child_on_processors("c_sleeps_after_a_callback", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn c_sleeps_after_a_callback() {
    run(|| c_calls_back(hand_off_call_back_and_sleep));
}

#[test]
fn c_that_slept_may_call_back() {
    child_on_processors("c_calls_back_after_its_processor_went", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn c_calls_back_after_its_processor_went() {
    run(|| c_calls_back(hand_off_sleep_and_call_back));
}

/// In each way: C calls back before or after it waits for a green thread, and the callback uses the runtime or does not.
fn c_calls_back(c: WithCallback) {
    for way in Way::ALL {
        for callback in [do_nothing, spawn_one, wait] {
            for _ in 0..5 {
                let flag = Arc::new(AtomicI32::new(0));
                let in_c: Vec<_> = (0..3)
                    .map(|_| {
                        let flag = Arc::clone(&flag);
                        spawn(move || {
                            way.call(|| {
                                let (f, context) = for_c(callback, &());
                                // SAFETY: C only reads the flag, and returns while it is borrowed.
                                unsafe { c(f, context, &*flag) }
                            })
                        })
                    })
                    .collect();
                let setter = spawn(move || {
                    for _ in 0..20 {
                        yield_now();
                    }
                    flag.store(1, Ordering::Release);
                });
                for thread in in_c {
                    thread.join().expect("no panic");
                }
                setter.join().expect("no panic");
            }
        }
    }
}

#[greenbridge::export]
extern "C" fn do_nothing(_: &(), _: c_long) {}

#[greenbridge::export]
extern "C" fn spawn_one(_: &(), _: c_long) {
    drop(spawn(|| ()));
}

#[greenbridge::export]
extern "C" fn wait(_: &(), _: c_long) {
    let (value, received) = bounded(0);
    let sender = spawn(move || value.send(1));
    yield_now();
    assert_eq!(received.recv(), Ok(1));
    assert_eq!(sender.join().expect("no panic"), Ok(()));
}

#[test]
fn c_that_sleeps_inside_a_nested_call_leaves_its_processor_to_others() {
    child_on_processors("c_sleeps_under_a_callback", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn c_sleeps_under_a_callback() {
    run(|| {
        for _ in 0..10 {
            let flags = Arc::new((AtomicI32::new(0), AtomicI32::new(0)));
            let shared = Arc::clone(&flags);
            let in_c = spawn(move || {
                let (f, context) = for_c(sleep_in_c, &shared.0);
                // SAFETY: C only reads the flags, and returns while they are borrowed.
                call(|| unsafe { hand_off_call_back_and_sleep(f, context, &shared.1) })
            });
            let setter = spawn(move || {
                for flag in [&flags.0, &flags.1] {
                    for _ in 0..20 {
                        yield_now();
                    }
                    flag.store(1, Ordering::Release);
                }
            });
            in_c.join().expect("no panic");
            setter.join().expect("no panic");
        }
    });
}

#[greenbridge::export]
extern "C" fn sleep_in_c(flag: &AtomicI32, _: c_long) {
    // SAFETY: C only reads the flag, and returns while it is borrowed.
    call(|| unsafe { hand_off_sleep_until(flag) });
}

#[test]
fn sixty_four_calls_block_at_once() {
    child_on_processors("sixty_four_calls_meet_in_c", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn sixty_four_calls_meet_in_c() {
    run(|| {
        for way in Way::ALL {
            let arrived = Arc::new(AtomicI32::new(0));
            let in_c: Vec<_> = (0..64)
                .map(|_| {
                    let arrived = Arc::clone(&arrived);
                    // SAFETY: C only uses the counter, and returns while it is borrowed.
                    spawn(move || way.call(|| unsafe { hand_off_meet(&*arrived, 64) }))
                })
                .collect();
            assert_eq!(in_c.into_iter().map(|thread| thread.join().expect("no panic")).sum::<c_long>(), 64, "{way:?}");
        }
    });
}

#[test]
fn calls_of_all_lengths_by_more_green_threads_than_processors_lose_nobody() {
    child_on_processors("calls_between_nothing_and_a_millisecond", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn calls_between_nothing_and_a_millisecond() {
    const THREADS: u64 = 32;
    const ROUNDS: u64 = 40;
    run(|| {
        let (done, finished) = bounded(8);
        for seed in 0..THREADS {
            let done = done.clone();
            spawn(move || {
                let mut random = Random::new(seed);
                for _ in 0..ROUNDS {
                    let way = Way::ALL[random.below(4) as usize];
                    let time = [0, 10, 50, 200, 1000][random.below(5) as usize];
                    assert_eq!(way.call(|| hand_off_rest(time)), time);
                    match random.below(3) {
                        0 => yield_now(),
                        1 => assert_eq!(spawn(move || time).join().expect("no panic"), time),
                        _ => (),
                    }
                    done.send(1).expect("it is received");
                }
            });
        }
        drop(done);
        assert_eq!(finished.iter().sum::<u64>(), THREADS * ROUNDS);
    });
}
