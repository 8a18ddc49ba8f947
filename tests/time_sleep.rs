//! No sleep ends before its time, none is forgotten, and they end in the order of their deadlines.
//!
//! What could break it: a timer that is fired early or in the wrong order, one that is lost among many, and one that is
//! left behind when its owner does not want it any more.

mod support;

use greenbridge::time::{self, Sleep};
use greenbridge::{Start, block_on, call, spawn};
use std::ffi::{c_long, c_void};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use support::{
    Callback, Random, block_on_all, block_on_os_thread, child, child_on_processors, for_c, resident_bytes, run, start,
    yield_until,
};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn time_sleep_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_hundred_thousand_sleepers_all_wake_in_time() {
    child_on_processors("a_hundred_thousand_sleepers", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_hundred_thousand_sleepers() {
    run(|| {
        let sleepers: Vec<_> = (0..100_000)
            .map(|number| {
                spawn(move || {
                    let (start, duration) = (Instant::now(), Duration::from_micros(number * 7 % 200_000));
                    time::sleep(duration);
                    assert!(start.elapsed() >= duration, "it ended early");
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.join().expect("no panic");
        }
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    // With more processors two that are due at once may run at once.
    child_on_processors("deadlines_in_order", &[1]);
}

#[test]
#[ignore = "child process"]
fn deadlines_in_order() {
    run(|| {
        let mut lead = 50 * MILLISECOND;
        // If the machine is too slow to begin in time, again with more time.
        while !sleep_in_order(lead) {
            lead *= 2;
        }
    });
}

/// False: not all slept before the first deadline.
fn sleep_in_order(lead: Duration) -> bool {
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let base = time::now() + lead;
    let sleepers: Vec<_> = (0..2000_u32)
        .map(|number| {
            let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
            spawn(move || {
                // Several share a deadline; neighbours are far apart.
                let deadline = base + Duration::from_micros(u64::from(number * 7919 % 500) * 100);
                begun.fetch_add(1, Ordering::AcqRel);
                time::sleep_until(deadline);
                assert!(time::now() >= deadline, "it ended early");
                ended.lock().expect("nobody panics with it").push(deadline);
            })
        })
        .collect();
    // On the one processor, whoever has begun sleeps by the time the caller runs again.
    yield_until(&begun, 2000);
    let in_time = time::now() < base;
    for sleeper in sleepers {
        sleeper.join().expect("no panic");
    }
    let ended = ended.lock().expect("nobody panics with it");
    assert_eq!(ended.len(), 2000);
    assert!(!in_time || ended.is_sorted(), "they ended in another order");
    in_time
}

#[test]
fn sleeps_work_wherever_the_caller_is() {
    child_on_processors("sleeps_everywhere", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn sleeps_everywhere() {
    start();
    // On an OS thread; one that was due before it began, and one of no time.
    sleeps_for(MILLISECOND);
    time::sleep_until(Instant::now());
    time::sleep(Duration::ZERO);
    greenbridge::run(|| {
        sleeps_for(MILLISECOND);
        time::sleep(Duration::ZERO);
        let (f, context) = for_c(sleep_in_callback, &());
        // SAFETY: C hands the pointer on to `f` and returns after it.
        assert_eq!(call(|| unsafe { time_sleep_enter(f, context, 2) }), 2);
    });
    let (f, context) = for_c(sleep_in_callback, &());
    // SAFETY: as above.
    assert_eq!(unsafe { time_sleep_enter(f, context, 2) }, 2);
}

fn sleeps_for(duration: Duration) {
    let start = Instant::now();
    time::sleep(duration);
    assert!(start.elapsed() >= duration);
}

#[greenbridge::export]
extern "C" fn sleep_in_callback(_: &(), milliseconds: c_long) -> c_long {
    sleeps_for(Duration::from_millis(milliseconds as u64));
    milliseconds
}

#[test]
fn futures_of_any_executor_sleep() {
    child_on_processors("sleeping_futures", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn sleeping_futures() {
    start();
    // An executor of one OS thread, while the runtime sleeps.
    block_on_os_thread(async {
        let start = Instant::now();
        time::sleep_async(2 * MILLISECOND).await;
        assert!(start.elapsed() >= 2 * MILLISECOND);
    });
    let ended = Mutex::new(Vec::new());
    let base = Instant::now() + 5 * MILLISECOND;
    let (base, ended) = (&base, &ended);
    block_on_all([4_u32, 0, 3, 1, 2].map(|number| {
        Box::pin(async move {
            time::sleep_until_async(*base + number * 5 * MILLISECOND).await;
            assert!(Instant::now() >= *base + number * 5 * MILLISECOND);
            ended.lock().expect("nobody panics with it").push(number);
        })
    }));
    assert_eq!(ended.lock().expect("nobody panics with it").len(), 5);
    smol::block_on(time::sleep_async(MILLISECOND));
    greenbridge::run(|| block_on(time::sleep_async(MILLISECOND)));
}

#[test]
fn a_sleep_that_is_moved_wakes_the_waker_of_its_last_poll_at_its_last_deadline() {
    child_on_processors("sleeps_are_reset", &[1, 2]);
}

struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
#[ignore = "child process"]
fn sleeps_are_reset() {
    run(|| {
        let (first, second) = (Arc::new(Counts(AtomicUsize::new(0))), Arc::new(Counts(AtomicUsize::new(0))));
        let poll = |sleep: &mut Sleep, counts: &Arc<Counts>| {
            Pin::new(sleep).poll(&mut Context::from_waker(&Waker::from(Arc::clone(counts))))
        };
        let hour = Duration::from_secs(3600);
        let mut sleep = time::sleep_async(hour);
        assert!(poll(&mut sleep, &first).is_pending() && !sleep.is_elapsed());
        let deadline = time::now() + 2 * MILLISECOND;
        sleep.reset(deadline);
        assert!(poll(&mut sleep, &first).is_pending());
        // Another task polls it now: the first is not woken any more.
        assert!(poll(&mut sleep, &second).is_pending());
        while second.0.load(Ordering::Acquire) == 0 {
            greenbridge::yield_now();
        }
        assert!(time::now() >= deadline);
        assert_eq!(poll(&mut sleep, &first), Poll::Ready(()));
        assert_eq!(first.0.load(Ordering::Acquire), 0);
        // Used again.
        sleep.reset(time::now() + MILLISECOND);
        block_on(poll_fn(|context| Pin::new(&mut sleep).poll(context)));
        assert!(sleep.is_elapsed());
    });
}

#[test]
fn a_million_timers_that_nobody_wants_any_more_leave_nothing() {
    child("a_million_timers_are_dropped").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_million_timers_are_dropped() {
    run(|| {
        let mut random = Random::new(1);
        let mut grown = 0;
        for round in 0..4 {
            let mut sleeps: Vec<_> = (0..1_000_000)
                .map(|_| {
                    let mut sleep = time::sleep_async(Duration::from_secs(1000 + random.below(1000)));
                    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(Waker::noop())).is_pending());
                    sleep
                })
                .collect();
            if round == 0 {
                grown = resident_bytes();
            }
            // In another order than they were armed in.
            while !sleeps.is_empty() {
                let at = random.below(sleeps.len() as u64) as usize;
                drop(sleeps.swap_remove(at));
            }
        }
        let now = resident_bytes();
        assert!(now < grown + grown / 4, "{now} bytes are resident, {grown} with the first million armed");
        // What comes is still fired.
        sleeps_for(MILLISECOND);
    });
}

#[test]
fn a_sleep_beyond_the_clock_lasts_until_it_is_cancelled() {
    child("endless_sleeps").succeeds();
}

#[test]
#[ignore = "child process"]
fn endless_sleeps() {
    run(|| {
        let endless = [Duration::MAX, Duration::from_secs(u64::MAX / 4), Duration::from_secs(1 << 40)];
        let sleepers = endless.map(|duration| spawn(move || time::sleep(duration)));
        assert!(
            Pin::new(&mut time::sleep_async(Duration::MAX)).poll(&mut Context::from_waker(Waker::noop())).is_pending()
        );
        sleeps_for(5 * MILLISECOND);
        for sleeper in sleepers {
            assert!(!sleeper.is_finished());
            sleeper.cancel();
            sleeper.join().expect_err("it was cancelled");
        }
    });
}
