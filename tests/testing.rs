//! Tests in virtual time: every run of a seed is the same run, other seeds give other orders, time costs nothing, and a run that is stuck or
//! leaves green threads behind fails with their report.
//!
//! What could break it: a choice that the seed does not make, a clock that goes on by itself, a jump while somebody could run.

mod support;

use greenbridge::channel::bounded;
use greenbridge::sync::Mutex;
use greenbridge::testing::{self, Check};
use greenbridge::{Start, call, cancel::CancelToken, select, spawn, time, yield_now};
use std::collections::BTreeSet;
use std::ffi::{c_long, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Callback, Process, child, for_c, panic_text};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn testing_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// Runs `test` as a check.
fn check(check: Check, test: impl Fn() + Send + Sync + 'static) {
    // SAFETY: docs/safety.md; the tests keep no thread-local over a wait.
    unsafe { check.run(test) };
}

/// What a check that fails says.
fn failure(settings: Check, test: impl Fn() + Send + Sync + 'static) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| check(settings, test)));
    panic_text(&*failed.expect_err("the check fails"))
}

/// The order in which five green threads come, three times each.
fn order(seed: u64) -> Vec<usize> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&order);
    check(Check::new().seed(seed), move || {
        let all: Vec<_> = (0..5)
            .map(|n| {
                let order = Arc::clone(&order);
                spawn(move || {
                    for _ in 0..3 {
                        order.lock().push(n);
                        yield_now();
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
    let order = kept.lock();
    order.clone()
}

#[test]
fn the_seed_decides_the_order_and_nothing_else() {
    child("orders").succeeds();
}

#[test]
#[ignore = "child process"]
fn orders() {
    let orders: Vec<_> = (0..20).map(order).collect();
    assert_eq!(orders, (0..20).map(order).collect::<Vec<_>>());
    let different: BTreeSet<_> = orders.into_iter().collect();
    assert!(different.len() > 15, "only {} orders of 20 seeds", different.len());
}

#[test]
fn a_year_passes_at_once_and_in_order() {
    child("sleepers").succeeds();
}

#[test]
#[ignore = "child process"]
fn sleepers() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let world = Instant::now();
    check(Check::new().runs(5), || {
        let begin = time::now();
        let (sender, receiver) = bounded(100);
        for day in (1..=365).rev() {
            let sender = sender.clone();
            drop(spawn(move || {
                time::sleep(DAY * day);
                assert_eq!(time::now() - begin, DAY * day);
                sender.send(day).expect("received");
            }));
        }
        drop(sender);
        assert!(receiver.iter().eq(1..=365));
        assert_eq!(time::now() - begin, DAY * 365);
        // Computing takes no time.
        (0..1000).for_each(|_| yield_now());
        assert_eq!(time::now() - begin, DAY * 365);
    });
    assert!(world.elapsed() < DAY);
}

#[test]
fn timeouts_and_selects_see_the_virtual_clock() {
    child("deadlines").succeeds();
}

#[test]
#[ignore = "child process"]
fn deadlines() {
    const HOUR: Duration = Duration::from_secs(3600);
    check(Check::new().runs(20), || {
        let begin = time::now();
        let (sender, receiver) = bounded::<u32>(0);
        assert!(receiver.recv_timeout(HOUR).is_err());
        assert!(time::timeout(HOUR, || receiver.recv()).is_err());
        let hour = select! {
            recv(receiver) -> _ => false,
            after(HOUR) => true,
        };
        assert!(hour);
        let token = CancelToken::new().child_with_timeout(HOUR);
        token.cancelled();
        assert_eq!(time::now() - begin, 4 * HOUR);
        drop(sender);
    });
}

#[greenbridge::export]
extern "C" fn sleep_in_callback(_: &(), hours: c_long) -> c_long {
    time::sleep(Duration::from_secs(3600) * hours as u32);
    hours
}

#[test]
fn callbacks_from_c_wait_in_virtual_time() {
    child("callbacks").succeeds();
}

#[test]
#[ignore = "child process"]
fn callbacks() {
    check(Check::new().runs(20), || {
        let begin = time::now();
        let all: Vec<_> = (1..=5)
            .map(|hours| {
                spawn(move || {
                    let (f, context) = for_c(sleep_in_callback, &());
                    // SAFETY: C hands the pointer on to `f`.
                    call(|| unsafe { testing_enter(f, context, hours) })
                })
            })
            .collect();
        assert_eq!(all.into_iter().map(|thread| thread.join().expect("no panic")).sum::<c_long>(), 15);
        assert_eq!(time::now() - begin, Duration::from_secs(5 * 3600));
    });
}

#[test]
fn settling_waits_for_all_others_and_for_no_time() {
    child("settles").succeeds();
}

#[test]
#[ignore = "child process"]
fn settles() {
    check(Check::new().runs(50), || {
        let count = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..10)
            .map(|n| {
                let count = Arc::clone(&count);
                spawn(move || {
                    (0..n).for_each(|_| yield_now());
                    count.fetch_add(1, Ordering::Relaxed);
                    time::sleep(Duration::from_secs(1));
                    count.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        testing::settle();
        assert_eq!(count.load(Ordering::Relaxed), 10);
        all.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(count.load(Ordering::Relaxed), 20);
    });
}

#[test]
fn a_fault_that_takes_a_certain_order_is_found_and_comes_back_with_its_seed() {
    let outcome = child("finds_a_fault");
    outcome.succeeds();
    let seed = outcome.stderr.lines().find_map(|line| line.strip_prefix("greenbridge: the check failed with seed "));
    let seed = seed.and_then(|rest| rest.split_once(';')).expect("the seed is said").0;
    let again = Process::child("finds_a_fault").env("GREENBRIDGE_TEST_SEED", seed).run();
    again.succeeds();
    assert!(again.stdout.contains("runs: 1"), "{again}");
}

#[test]
#[ignore = "child process"]
fn finds_a_fault() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let said = failure(Check::new().runs(1000), move || {
        counted.fetch_add(1, Ordering::Relaxed);
        // Looks, lets others run, and acts on what it has seen: right unless another one does the same in between.
        let account = Arc::new(AtomicUsize::new(100));
        let all: Vec<_> = (0..2)
            .map(|_| {
                let account = Arc::clone(&account);
                spawn(move || {
                    if account.load(Ordering::Relaxed) >= 100 {
                        yield_now();
                        account.fetch_sub(100, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(account.load(Ordering::Relaxed), 0, "the account is overdrawn");
    });
    assert!(said.contains("the account is overdrawn"), "{said}");
    println!("runs: {}", runs.load(Ordering::Relaxed));
}

#[test]
fn a_run_that_is_stuck_fails_with_a_report_and_the_next_one_goes_on() {
    child("stuck_and_left_behind").succeeds();
}

#[test]
#[ignore = "child process"]
fn stuck_and_left_behind() {
    let said = failure(Check::new().seed(1), || {
        let (_sender, receiver) = bounded::<u32>(1);
        receiver.recv().ok();
    });
    assert!(said.contains("all green threads of the check wait") && said.contains("a message"), "{said}");
    assert!(said.contains("tests/testing.rs"), "{said}");

    let said = failure(Check::new().seed(2), || drop(spawn(greenbridge::park)));
    assert!(said.contains("green threads are left") && said.contains("unpark"), "{said}");

    // A clock that goes on after the test has returned would hide this one.
    let said = failure(Check::new().seed(3), || drop(spawn(|| time::sleep(Duration::from_secs(1)))));
    assert!(said.contains("green threads are left"), "{said}");

    check(Check::new().runs(3), || time::sleep(Duration::from_secs(1)));
}

#[test]
fn a_check_refuses_a_runtime_of_somebody_else_and_a_bad_seed() {
    child("refuses").succeeds();
    let outcome = Process::child("bad_seed").env("GREENBRIDGE_TEST_SEED", "seven").run();
    outcome.succeeds();
    assert!(outcome.stderr.contains("GREENBRIDGE_TEST_SEED=seven is no number"), "{outcome}");
}

#[test]
#[ignore = "child process"]
fn refuses() {
    support::start();
    let said = failure(Check::new(), || {});
    assert!(said.contains("a test binary of its own"), "{said}");
}

#[test]
#[ignore = "child process"]
fn bad_seed() {
    failure(Check::new(), || {});
}
