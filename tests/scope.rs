//! The green threads of a scope borrow from its owner, and have ended when it goes on: after it returned, panicked, or was cancelled.
//!
//! What could break it: a way out of the scope that does not wait, a result that is dropped after what it borrows, or a panic that nobody
//! hears of.

mod support;

use greenbridge::cancel::{CancelToken, Cancelled};
use greenbridge::channel::bounded;
use greenbridge::{Scope, ThreadBuilder, block_on, current, park, scope, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use support::{block_on_os_thread, child, child_on_processors, panic_text, run, start, yield_until};

#[test]
fn green_threads_borrow_from_whoever_starts_them() {
    child_on_processors("borrow", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn borrow() {
    start();
    let borrowing = || {
        let numbers: Vec<u64> = (0..1000).collect();
        let mut sums = [0; 10];
        let count = AtomicUsize::new(0);
        let joined = scope(|s| {
            for (sum, chunk) in sums.iter_mut().zip(numbers.chunks(100)) {
                let count = &count;
                s.spawn(move || {
                    for number in chunk {
                        *sum += number;
                        yield_now();
                    }
                    count.fetch_add(1, Ordering::AcqRel);
                });
            }
            let named = ThreadBuilder::new().name("counts").spawn_scoped(s, || {
                assert_eq!(current().name(), Some("counts"));
                numbers.len()
            });
            assert_eq!(named.thread().name(), Some("counts"));
            named.join().expect("no panic")
        });
        assert_eq!(joined, 1000);
        assert_eq!(count.load(Ordering::Acquire), 10);
        assert_eq!(sums.iter().sum::<u64>(), numbers.iter().sum());
        assert_eq!(scope(|_| 5), 5, "an empty one");
    };
    borrowing();
    thread::spawn(borrowing).join().expect("no panic");
    greenbridge::run(borrowing);
}

#[test]
fn green_threads_of_a_scope_start_others() {
    child_on_processors("grow_and_nest", &[1, 2, 8]);
}

fn grow<'scope>(s: &'scope Scope<'scope, '_>, depth: usize, leaves: &'scope AtomicUsize) {
    if depth == 0 {
        leaves.fetch_add(1, Ordering::AcqRel);
        return;
    }
    for _ in 0..4 {
        s.spawn(move || grow(s, depth - 1, leaves));
    }
}

fn nested(depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    let (mut left, mut right) = (0, 0);
    scope(|s| {
        s.spawn(|| left = nested(depth - 1));
        s.spawn(|| right = nested(depth - 1));
    });
    left + right
}

#[test]
#[ignore = "child process"]
fn grow_and_nest() {
    run(|| {
        let leaves = AtomicUsize::new(0);
        scope(|s| grow(s, 6, &leaves));
        assert_eq!(leaves.into_inner(), 4_usize.pow(6));
        assert_eq!(nested(10), 1 << 10);
    });
}

#[test]
fn a_panic_is_heard_once() {
    child_on_processors("panics", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn panics() {
    start();
    let panicking = || {
        let ended = AtomicUsize::new(0);
        let slow = || {
            (0..10).for_each(|_| yield_now());
            ended.fetch_add(1, Ordering::AcqRel);
        };
        // Of one that nobody joins.
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                s.spawn(slow);
                s.spawn(|| panic!("of a child"));
                s.spawn(slow);
            });
        }));
        assert_eq!(panic_text(&*panicked.expect_err("a child panicked")), "a scoped green thread panicked");
        assert_eq!(ended.swap(0, Ordering::AcqRel), 2, "the others have ended");
        // Of one that is joined.
        let text = scope(|s| {
            s.spawn(slow);
            let joined = s.spawn(|| panic!("of a child")).join();
            panic_text(&*joined.map(|(): ()| ()).expect_err("it panicked"))
        });
        assert_eq!(text, "of a child");
        // Of the closure: it is no reason to cut the others short, and it wins.
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| {
                s.spawn(slow);
                s.spawn(|| panic!("of a child"));
                panic!("of the closure");
            })
        }));
        assert_eq!(panic_text(&*panicked.map(|(): ()| ()).expect_err("it panicked")), "of the closure");
        assert_eq!(ended.swap(0, Ordering::AcqRel), 2, "one of each");
    };
    panicking();
    greenbridge::run(panicking);
}

/// Writes to what it borrows when it is dropped.
struct Late<'a>(&'a AtomicUsize);

impl Drop for Late<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
fn a_result_that_borrows_is_gone_before_the_scope_is() {
    child_on_processors("results_are_dropped", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn results_are_dropped() {
    run(|| {
        for round in 0..100 {
            let drops = AtomicUsize::new(0);
            let mut kept = Vec::new();
            let wakers = Arc::new(KeepsNothing);
            scope(|s| {
                // Nobody joins, before or after the end.
                let early = s.spawn(|| Late(&drops));
                kept.push(early.thread().clone());
                drop(early);
                let late = s.spawn(|| Late(&drops));
                kept.push(late.thread().clone());
                (0..round % 4).for_each(|_| yield_now());
                drop(late);
                // Polled, and then dropped.
                let mut polled = s.spawn(|| {
                    yield_now();
                    Late(&drops)
                });
                let waker = Waker::from(Arc::clone(&wakers));
                let _ = pin!(&mut polled).poll(&mut Context::from_waker(&waker)).is_ready();
                drop(polled);
                // Joined.
                drop(s.spawn(|| Late(&drops)).join());
                // Held by another one, which ends first.
                let held = s.spawn(|| Late(&drops));
                s.spawn(move || drop(held));
            });
            assert_eq!(drops.load(Ordering::Acquire), 5);
            assert!(kept.iter().all(|thread| thread.is_green()));
        }
        // A handle that is forgotten leaks its result, and holds nobody up.
        let drops = AtomicUsize::new(0);
        scope(|s| std::mem::forget(s.spawn(|| Late(&drops))));
        assert_eq!(drops.load(Ordering::Acquire), 0);
        // A result that panics as it is dropped is a panic nobody has heard.
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("of a destructor");
            }
        }
        let panicked = catch_unwind(|| {
            scope(|s| {
                s.spawn(|| Panics);
            });
        });
        assert_eq!(panic_text(&*panicked.expect_err("it panicked")), "a scoped green thread panicked");
    });
}

struct KeepsNothing;

impl Wake for KeepsNothing {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_handle_is_a_future() {
    child_on_processors("scoped_handles_are_awaited", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn scoped_handles_are_awaited() {
    start();
    let text = String::from("borrowed");
    let length = scope(|s| block_on_os_thread(s.spawn(|| text.len())));
    assert_eq!(length.expect("no panic"), 8);
    greenbridge::run(move || {
        let length = scope(|s| {
            let handle = s.spawn(|| text.len());
            while !handle.is_finished() {
                yield_now();
            }
            block_on(handle)
        });
        assert_eq!(length.expect("no panic"), 8);
    });
}

#[test]
fn a_cancelled_owner_cancels_its_children_and_waits_for_them() {
    for processors in ["1", "2", "8"] {
        let child = support::Process::child("owners_are_cancelled").env("GREENBRIDGE_PROCESSORS", processors);
        child.run().succeeds().does_not_say("panicked");
    }
}

/// Ends slowly: each of its destructors waits.
fn child_of_a_cancelled_owner(begun: &AtomicUsize, ended: &AtomicUsize) {
    struct Slow<'a>(&'a AtomicUsize);
    impl Drop for Slow<'_> {
        fn drop(&mut self) {
            spawn(|| (0..20).for_each(|_| yield_now())).join().expect("no panic");
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }
    let _slow = Slow(ended);
    begun.fetch_add(1, Ordering::AcqRel);
    park();
}

/// Three children, and an owner that waits for them, or in the closure.
fn owner(begun: &AtomicUsize, waits_inside: bool) -> usize {
    let ended = AtomicUsize::new(0);
    let result = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            for _ in 0..3 {
                s.spawn(|| child_of_a_cancelled_owner(begun, &ended));
            }
            if waits_inside {
                park();
            }
        });
    }));
    assert!(result.expect_err("it is cut short").is::<Cancelled>());
    ended.load(Ordering::Acquire)
}

#[test]
#[ignore = "child process"]
fn owners_are_cancelled() {
    start();
    for waits_inside in [false, true] {
        for _ in 0..20 {
            // As a whole.
            let begun = Arc::new(AtomicUsize::new(0));
            let flag = Arc::clone(&begun);
            let green = spawn(move || owner(&flag, waits_inside));
            let watched = Arc::clone(&begun);
            greenbridge::run(move || yield_until(&watched, 3));
            green.cancel();
            assert_eq!(green.join().expect("it has caught the cancellation"), 3);
            // In the scope of a token, on an OS thread too.
            for on_green in [true, false] {
                let begun = Arc::new(AtomicUsize::new(0));
                let flag = Arc::clone(&begun);
                let token = CancelToken::new();
                let inside = token.clone();
                let body = move || inside.run(|| owner(&flag, waits_inside)).expect("it has caught the cancellation");
                let join: Box<dyn FnOnce() -> usize> = if on_green {
                    let green = spawn(body);
                    Box::new(|| green.join().expect("no panic"))
                } else {
                    let thread = thread::spawn(body);
                    Box::new(|| thread.join().expect("no panic"))
                };
                let watched = Arc::clone(&begun);
                greenbridge::run(move || yield_until(&watched, 3));
                token.cancel();
                assert_eq!(join(), 3);
            }
        }
    }
}

#[test]
fn children_can_be_cancelled_alone_and_together() {
    for processors in ["1", "2", "8"] {
        let child = support::Process::child("children_are_cancelled").env("GREENBRIDGE_PROCESSORS", processors);
        child.run().succeeds().does_not_say("panicked");
    }
}

#[test]
#[ignore = "child process"]
fn children_are_cancelled() {
    run(|| {
        for _ in 0..50 {
            let finished = AtomicBool::new(false);
            let value = scope(|s| {
                // Together. The owner is not cut short, and none of them counts as a panic.
                for _ in 0..3 {
                    s.spawn(park);
                }
                let alone = s.spawn(park);
                let joined = s.spawn(park);
                yield_now();
                alone.cancel();
                assert!(alone.join().expect_err("it is cut short").is::<Cancelled>());
                let token = s.token();
                let whole = s.spawn(move || token.cancel());
                assert!(joined.join().expect_err("it is cut short").is::<Cancelled>());
                assert!(whole.join().expect("it need not wait"));
                // One that is started afterwards does not run.
                let late = s.spawn(|| finished.store(true, Ordering::Release));
                assert!(late.join().expect_err("it does not run").is::<Cancelled>());
                // Before the first turn, and nobody joins.
                s.spawn(park).cancel();
                9
            });
            assert_eq!(value, 9);
            assert!(!finished.into_inner());
        }
        // The token may stay.
        let token = scope(|s| {
            s.spawn(|| ());
            s.token()
        });
        assert!(token.cancel());
    });
}

#[test]
fn a_scope_in_a_destructor_waits_for_its_children_while_it_unwinds() {
    child_on_processors("scopes_while_unwinding", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn scopes_while_unwinding() {
    struct Scopes(Arc<Mutex<u32>>);
    impl Drop for Scopes {
        fn drop(&mut self) {
            let sum = Mutex::new(0);
            scope(|s| {
                for n in 1..=4 {
                    let sum = &sum;
                    s.spawn(move || {
                        yield_now();
                        *sum.lock().expect("nobody panics with it") += n;
                    });
                }
            });
            *self.0.lock().expect("nobody panics with it") = sum.into_inner().expect("nobody panicked");
        }
    }
    run(|| {
        let sum = Arc::new(Mutex::new(0));
        let held = Scopes(Arc::clone(&sum));
        let green = spawn(move || {
            let _held = held;
            panic!("on purpose");
        });
        assert!(green.join().map(|(): ()| ()).is_err());
        assert_eq!(*sum.lock().expect("nobody panicked with it"), 10);
    });
}

#[test]
fn a_scope_before_the_start_is_an_error() {
    child("scope_before_start").succeeds();
}

#[test]
#[ignore = "child process"]
fn scope_before_start() {
    assert_eq!(scope(|_| 1), 1, "without children it needs no runtime");
    let refused = catch_unwind(|| {
        scope(|s| {
            s.spawn(|| ());
        });
    });
    let text = panic_text(&*refused.expect_err("nothing has been started"));
    assert!(text.contains("start"), "{text}");
}

#[test]
fn messages_pass_between_the_green_threads_of_a_scope() {
    child_on_processors("scoped_pipelines", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn scoped_pipelines() {
    run(|| {
        let texts: Vec<String> = (0..100).map(|n| format!("text {n}")).collect();
        let (words, heard) = bounded(2);
        let letters = scope(|s| {
            for chunk in texts.chunks(10) {
                let words = words.clone();
                s.spawn(move || chunk.iter().for_each(|text| words.send(text.as_str()).expect("it is heard")));
            }
            drop(words);
            heard.iter().map(str::len).sum::<usize>()
        });
        assert_eq!(letters, texts.iter().map(String::len).sum::<usize>());
    });
}
