//! A report says who has held up others: the call site whose C calls lost their processor, the callback under a bare C call, the green thread
//! that ran without letting others run.
//!
//! What could break it: a C call that counts as handed off though only its callback has waited, a stretch that is counted on after the processor
//! was taken, or a place that is the runtime's own and not the user's.

mod support;

use greenbridge::report::{self, Report};
use greenbridge::{
    Builder, Start, ThreadBuilder, call, call_blocking, call_errno, channel, export, run, spawn, time, yield_now,
};
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{child, keep_busy_until, start, start_with};

const GREENBRIDGE: Start = Start::by_rust();

/// The report of `body`, which runs as a green thread.
fn report_of(body: impl FnOnce() + Send + 'static) -> Report {
    report::start();
    run(body);
    let report = report::stop().expect("it was started");
    assert!(report::stop().is_none());
    println!("{report}");
    report
}

fn keep_busy_for(time: Duration) {
    let start = Instant::now();
    keep_busy_until(|| start.elapsed() >= time);
}

#[test]
fn call_sites_come_in_the_order_of_their_hand_offs() {
    child("reports_calls").succeeds().prints("3 of 3").prints("in reports::reports_calls");
}

#[test]
#[ignore = "child process"]
fn reports_calls() {
    static IS_IN_C: AtomicBool = AtomicBool::new(false);
    static GO_ON: AtomicBool = AtomicBool::new(false);
    start_with(Builder::new().processors(1));
    let report = report_of(|| {
        for _ in 0..3 {
            // SAFETY: it takes a number.
            call_blocking(|| unsafe { libc::usleep(1) });
        }
        for n in 0..10 {
            assert_eq!(call(|| n + 1), n + 1);
        }
        for n in 0..20 {
            assert_eq!(call(|| reports_wait(n)), n + 1);
        }
        let taken = spawn(|| {
            call_errno(|| {
                IS_IN_C.store(true, Ordering::Release);
                keep_busy_until(|| GO_ON.load(Ordering::Acquire));
            })
        });
        while !IS_IN_C.load(Ordering::Acquire) {
            yield_now();
        }
        GO_ON.store(true, Ordering::Release);
        taken.join().expect("no panic");
    });
    let sites: Vec<_> = report.calls.iter().map(|site| (site.way, site.calls, site.handed_off)).collect();
    let expected = [("call_blocking", 3, 3), ("call", 1, 1), ("call", 20, 0), ("call", 10, 0)];
    assert_eq!(sites, expected, "a callback that waits hands nothing off on account of its call\n{report}");
    for site in &report.calls {
        assert!(site.at.file().ends_with("tests/reports.rs"), "{site:?}");
        assert!(site.function.starts_with("reports::reports_calls"), "{site:?}");
        assert!(site.longest <= site.total && site.longest > Duration::ZERO, "{site:?}");
    }
}

/// Waits for a green thread.
#[export]
pub extern "C" fn reports_wait(n: c_int) -> c_int {
    spawn(move || n + 1).join().expect("no panic")
}

/// Keeps busy.
#[export]
pub extern "C" fn reports_keep_busy() {
    keep_busy_for(Duration::from_millis(2));
}

#[test]
fn callbacks_under_a_bare_call_come_first() {
    child("reports_callbacks").succeeds().prints("in reports_keep_busy, under a bare C call");
}

#[test]
#[ignore = "child process"]
fn reports_callbacks() {
    start();
    let report = report_of(|| {
        // Bare: what C would do.
        let bare: extern "C" fn() = reports_keep_busy;
        bare();
        call(|| bare());
        call(|| (0..3).for_each(|n| assert_eq!(reports_wait(n), n + 1)));
    });
    let callbacks: Vec<_> = report.callbacks.iter().map(|of| (of.name, of.bare, of.calls)).collect();
    assert_eq!(callbacks.len(), 3, "{report}");
    assert_eq!(callbacks[0], ("reports_keep_busy", true, 1));
    assert!(callbacks.contains(&("reports_keep_busy", false, 1)) && callbacks.contains(&("reports_wait", false, 3)));
    assert!(report.callbacks[0].longest >= Duration::from_millis(2));
}

#[test]
fn long_occupations_are_told_with_who_and_what_then() {
    let run = child("reports_occupations");
    run.succeeds()
        .prints("\"busy\", spawned at tests/reports.rs")
        .prints("then waited for a message at tests/reports.rs");
}

#[test]
#[ignore = "child process"]
fn reports_occupations() {
    start_with(Builder::new().processors(2));
    let report = report_of(|| {
        let (to, from) = channel::bounded::<()>(1);
        let busy = ThreadBuilder::new().name("busy").spawn(move || {
            for _ in 0..2 {
                keep_busy_for(Duration::from_millis(20));
                let _ = from.recv();
            }
        });
        for _ in 0..2 {
            time::sleep(Duration::from_millis(30));
            to.send(()).expect("there is a receiver");
        }
        busy.join().expect("no panic");
    });
    let longest = &report.occupations[0];
    assert_eq!(longest.name.as_deref(), Some("busy"), "{report}");
    assert!(longest.lasted >= Duration::from_millis(20) && longest.times == 2, "{longest:?}");
    assert!(longest.then.starts_with("waited for a message at tests/reports.rs:"), "{longest:?}");
}

#[test]
fn what_still_goes_on_is_told_too() {
    child("reports_what_goes_on").succeeds();
}

#[test]
#[ignore = "child process"]
fn reports_what_goes_on() {
    static GO_ON: AtomicBool = AtomicBool::new(false);
    start_with(Builder::new().processors(2));
    assert!(report::so_far().is_none());
    report::start();
    run(|| {
        let busy = ThreadBuilder::new().name("busy").spawn(|| keep_busy_until(|| GO_ON.load(Ordering::Acquire)));
        loop {
            let report = report::so_far().expect("it was started");
            let goes_on = report.occupations.iter().find(|long| long.name.as_deref() == Some("busy"));
            if goes_on.is_some_and(|long| long.then == "still runs" && long.lasted > Duration::from_millis(5)) {
                break;
            }
            yield_now();
        }
        GO_ON.store(true, Ordering::Release);
        busy.join().expect("no panic");
    });
    let report = report::stop().expect("it was started");
    let ended: Vec<_> = report.occupations.iter().filter(|long| long.name.as_deref() == Some("busy")).collect();
    assert!(ended.len() == 1 && ended[0].then == "finished", "{report}");
}

#[test]
fn time_after_a_processor_was_taken_is_not_counted() {
    child("reports_no_time_without_a_processor").succeeds();
}

#[test]
#[ignore = "child process"]
fn reports_no_time_without_a_processor() {
    start_with(Builder::new().processors(1));
    let report = report_of(|| {
        let sleeper = ThreadBuilder::new().name("sleeper").spawn(|| {
            // SAFETY: it takes a number.
            call_blocking(|| unsafe { libc::usleep(50_000) });
        });
        sleeper.join().expect("no panic");
    });
    let sleeper = report.occupations.iter().find(|long| long.name.as_deref() == Some("sleeper")).expect("it has run");
    assert!(sleeper.lasted < Duration::from_millis(50) && sleeper.in_c == Duration::ZERO, "{sleeper:?}");
    assert!(sleeper.last_call.is_some());
}
