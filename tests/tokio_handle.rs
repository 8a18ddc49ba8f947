//! The handle of a tokio runtime is entered where a future is polled and dropped, and nowhere else: others that run on the same OS thread
//! never see it, wherever the code that entered it waits.
//!
//! What could break it: a guard that is alive over a switch, a future that is dropped outside when its wait is cut short, and two handles
//! that are left in the wrong order.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::{Receiver, bounded, unbounded};
use greenbridge::tokio::{HandleAlreadySet, enter, handle, set_handle};
use greenbridge::{Start, block_on, call, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use support::{Callback, Movers, child, child_on_processors, for_c, panic_text, run, start, yield_until};
use tokio::runtime::{Handle, Runtime};
use tokio::time::sleep;

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn tokio_handle_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

fn runtime() -> Runtime {
    Runtime::new().expect("tokio starts")
}

/// Which runtime is entered on this OS thread. Never inlined, for it is asked before and after waits.
#[inline(never)]
fn entered() -> Option<tokio::runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

#[test]
fn a_handle_is_given_once() {
    child("handles_are_given").succeeds();
}

#[test]
#[ignore = "child process"]
fn handles_are_given() {
    start();
    let (first, second) = (runtime(), runtime());
    assert!(handle().is_none());
    set_handle(first.handle().clone()).expect("it is the first one");
    let refused: HandleAlreadySet = set_handle(second.handle().clone()).expect_err("it is the second one");
    assert!(refused.to_string().contains("greenbridge::tokio::block_on(&handle, future)"), "{refused}");
    assert_eq!(handle().map(Handle::id), Some(first.handle().id()));
    let both = [first.handle().id(), second.handle().id()];
    let other = second.handle().clone();
    let seen = greenbridge::run(move || {
        assert_eq!(entered(), None);
        let given = block_on(async { Handle::current().id() });
        let explicit = greenbridge::tokio::block_on(&other, async {
            sleep(Duration::from_millis(1)).await;
            Handle::current().id()
        });
        assert_eq!(entered(), None);
        [given, explicit]
    });
    assert_eq!(seen, both);
}

#[test]
fn without_a_handle_the_error_says_what_to_do() {
    child("no_handle_is_given")
        .succeeds()
        .says("there is no reactor running")
        .says("give its Handle to greenbridge::tokio::set_handle once");
    child("another_panic_gets_no_advice").succeeds().says("unrelated").does_not_say("set_handle");
}

#[test]
#[ignore = "child process"]
fn no_handle_is_given() {
    run(|| {
        let payload = spawn(|| block_on(async { sleep(Duration::from_millis(1)).await })).join();
        let payload = payload.expect_err("tokio has no runtime");
        assert!(panic_text(&*payload).starts_with("there is no reactor running"));
    });
}

#[test]
#[ignore = "child process"]
fn another_panic_gets_no_advice() {
    run(|| {
        let payload = spawn(|| block_on(async { panic!("unrelated") })).join().map(|()| "none");
        assert_eq!(panic_text(&*payload.expect_err("it panicked")), "unrelated");
    });
}

/// Counts its end, which must come while the runtime is entered.
struct DropsInside(Arc<AtomicUsize>);

impl Drop for DropsInside {
    fn drop(&mut self) {
        assert!(entered().is_some(), "a future was dropped outside of its runtime");
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[test]
fn a_future_is_dropped_with_the_handle_entered() {
    child_on_processors("futures_are_dropped", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn futures_are_dropped() {
    start();
    let tokio = runtime();
    set_handle(tokio.handle().clone()).expect("it is the first one");
    let drops = Arc::new(AtomicUsize::new(0));
    let witness = || DropsInside(Arc::clone(&drops));
    // Done, at once and later.
    let inside = witness();
    block_on(async move { drop(inside) });
    let inside = witness();
    spawn(move || {
        block_on(async move {
            let _inside = inside;
            sleep(Duration::from_millis(1)).await;
        });
    })
    .join()
    .expect("no panic");
    // Cut short by a token, and with the whole green thread.
    let (inside, token) = (witness(), CancelToken::new());
    let cut = token.clone();
    let waiting = spawn(move || cut.run(|| block_on(never(inside))).is_err());
    token.cancel();
    assert!(waiting.join().expect("no panic"), "the wait was cut short");
    let (inside, (up, is_up)) = (witness(), bounded(1));
    let waiting = spawn(move || {
        block_on(async move {
            up.send_async(()).await.expect("somebody looks");
            never(inside).await;
        });
    });
    is_up.recv().expect("it waits");
    waiting.cancel();
    assert!(waiting.join().is_err_and(|payload| payload.is::<greenbridge::cancel::Cancelled>()));
    // It panics; and an OS thread drops it as well.
    let inside = witness();
    let panics = spawn(move || {
        block_on(async move {
            let _inside = inside;
            yield_later().await;
            panic!("with a timer");
        })
    });
    assert_eq!(panic_text(&*panics.join().map(|()| "none").expect_err("it panicked")), "with a timer");
    assert_eq!(drops.load(Ordering::Acquire), 5);
}

async fn never(_inside: DropsInside) {
    pending().await
}

async fn yield_later() {
    sleep(Duration::from_millis(1)).await;
}

#[test]
fn a_handle_is_left_while_the_code_that_entered_it_waits() {
    child_on_processors("handles_are_left_at_each_wait", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn handles_are_left_at_each_wait() {
    start();
    let (first, second) = (runtime(), runtime());
    let handles = Arc::new([first.handle().clone(), second.handle().clone()]);
    greenbridge::run(move || {
        let over = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&over);
        let watches = spawn(move || {
            while seen.load(Ordering::Acquire) < 40 {
                assert_eq!(entered(), None, "another one's handle");
                yield_now();
            }
        });
        let threads: Vec<_> = (0..40)
            .map(|n| {
                let (handles, over) = (Arc::clone(&handles), Arc::clone(&over));
                spawn(move || {
                    for round in 0..50 {
                        nested(&handles, n + round);
                    }
                    assert_eq!(entered(), None);
                    over.fetch_add(1, Ordering::AcqRel);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        yield_until(&over, 40);
        watches.join().expect("no panic");
    });
}

/// Enters two handles, one in the other, and waits with none, one and both.
fn nested(handles: &[Handle; 2], number: usize) {
    let [outer, inner] = [&handles[number % 2], &handles[(number / 2) % 2]];
    yield_now();
    enter(outer, || {
        yield_now();
        assert_eq!(entered(), Some(outer.id()));
        enter(inner, || {
            assert_eq!(entered(), Some(inner.id()));
            yield_now();
            assert_eq!(entered(), Some(inner.id()));
            let task = tokio::spawn(async move { number });
            assert_eq!(greenbridge::tokio::block_on(outer, task).expect("no panic"), number);
            assert_eq!(entered(), Some(inner.id()));
        });
        assert_eq!(entered(), Some(outer.id()));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            enter(inner, || {
                yield_now();
                std::panic::resume_unwind(Box::new(number));
            });
        }));
        assert_eq!(caught.expect_err("it unwound").downcast_ref(), Some(&number));
        assert_eq!(entered(), Some(outer.id()));
        yield_now();
        assert_eq!(entered(), Some(outer.id()));
    });
    assert_eq!(entered(), None);
}

#[test]
fn a_future_may_wait_in_its_poll() {
    child_on_processors("futures_wait_in_their_polls", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn futures_wait_in_their_polls() {
    start();
    let tokio = runtime();
    set_handle(tokio.handle().clone()).expect("it is the first one");
    greenbridge::run(|| {
        let (movers, _ended) = Movers::start();
        let threads: Vec<_> = (0..10)
            .map(|n| {
                let movers = movers.clone();
                spawn(move || {
                    block_on(async move {
                        yield_later().await;
                        wait_and_move(&movers);
                        let (f, context) = for_c(wait_in_callback, &movers);
                        // SAFETY: C hands the pointer on to `f` and returns after it, while `movers` is borrowed.
                        let number = call(|| unsafe { tokio_handle_enter(f, context, n) });
                        assert!(entered().is_some(), "the handle is back");
                        yield_later().await;
                        number
                    })
                })
            })
            .collect();
        let sum: c_long = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..10).sum());
    });
}

#[inline(never)]
fn wait_and_move(movers: &Movers) {
    movers.until_moved();
    assert_eq!(block_on(async { tokio::spawn(async { 1 }).await }).expect("no panic"), 1);
}

#[greenbridge::export]
extern "C" fn wait_in_callback(movers: &Movers, number: c_long) -> c_long {
    movers.round();
    block_on(yield_later());
    number
}

#[test]
fn a_guard_of_tokio_over_a_wait_is_an_error() {
    child("a_guard_is_held_over_a_wait").succeeds().says("`EnterGuard` values dropped out of order");
}

#[test]
#[ignore = "child process"]
fn a_guard_is_held_over_a_wait() {
    start();
    let tokio = runtime();
    set_handle(tokio.handle().clone()).expect("it is the first one");
    let handle = tokio.handle().clone();
    let (value, received): (_, Receiver<i32>) = bounded(0);
    let payload = spawn(move || {
        enter(&handle, || {
            let _guard = handle.enter();
            received.recv()
        })
    })
    .join()
    .expect_err("it must not wait there");
    assert!(panic_text(&*payload).contains("reverse"), "tokio's own words");
    assert!(value.send(1).is_err(), "the receive was given up");
    assert_eq!(
        spawn(|| block_on(async { tokio::spawn(async { 2 }).await })).join().expect("no panic").expect("no panic"),
        2
    );
}

#[test]
fn a_wait_on_a_thread_of_tokio_blocks_that_thread() {
    child_on_processors("tokio_threads_wait", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn tokio_threads_wait() {
    start();
    let tokio =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("tokio starts");
    let answer = tokio.block_on(async {
        tokio::spawn(async {
            // More messages than a task of tokio's may receive before it must come back later.
            let (values, mut received) = tokio::sync::mpsc::unbounded_channel();
            (0..1000).for_each(|value| values.send(value).expect("it is received"));
            let bare = move |n| {
                let (f, context) = for_c(wait_on_this_thread, &());
                // SAFETY: C calls `f` with a pointer to nothing.
                unsafe { tokio_handle_enter(f, context, n) }
            };
            let sum: c_long = (0..1000).map(|_| block_on(received.recv()).expect("it was sent")).sum();
            assert_eq!(sum, (0..1000).sum());
            // Tokio gives its other tasks to another thread first.
            tokio::task::block_in_place(|| bare(3)) + bare(4)
        })
        .await
    });
    assert_eq!(answer.expect("no panic"), 14);
}

#[greenbridge::export]
extern "C" fn wait_on_this_thread(_: &(), number: c_long) -> c_long {
    let (values, received) = unbounded();
    spawn(move || {
        yield_now();
        values.send(number)
    });
    let mut polls = 0;
    let more = block_on(poll_fn(|context| {
        polls += 1;
        if polls > 3 {
            return Poll::Ready(number);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }));
    block_on(received.recv_async()).expect("it was sent") + more
}
