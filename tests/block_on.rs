//! A green thread waits for anybody's future: only the green thread waits, and whoever wakes the future wakes it.
//!
//! What could break it: a waker that outlives the wait and wakes a later one, a wake-up between the poll and the park, or a
//! future that wakes itself while it is polled.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{Start, block_on, call, park, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::future::{pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use support::{Callback, child, child_on_processors, for_c, run, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn block_on_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// A value that an OS thread brings, which has never heard of green threads.
struct FromOsThread(Arc<Mutex<(Option<u64>, Option<Waker>)>>);

impl FromOsThread {
    fn bring(value: u64) -> Self {
        let slot = Arc::new(Mutex::new((None, None::<Waker>)));
        let shared = Arc::clone(&slot);
        thread::spawn(move || {
            if value.is_multiple_of(2) {
                yield_now();
            }
            let waker = {
                let mut slot = shared.lock().expect("no panic");
                slot.0 = Some(value);
                slot.1.take()
            };
            waker.inspect(|waker| waker.wake_by_ref())
        });
        Self(slot)
    }
}

impl Future for FromOsThread {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u64> {
        let mut slot = self.0.lock().expect("no panic");
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[test]
fn a_future_may_be_woken_from_an_os_thread() {
    child_on_processors("futures_woken_from_os_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn futures_woken_from_os_threads() {
    run(|| {
        let threads: Vec<_> = (0..8)
            .map(|n| spawn(move || (0..50).map(|round| block_on(FromOsThread::bring(50 * n + round))).sum::<u64>()))
            .collect();
        let sum: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..400).sum());
    });
    assert_eq!(block_on(FromOsThread::bring(5)), 5, "on an OS thread");
}

/// Is pending that often, and wakes its waiter before it says so.
fn wakes_itself(mut times: u32) -> impl Future<Output = ()> {
    poll_fn(move |context| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn a_future_may_wake_itself_while_it_is_polled() {
    child_on_processors("futures_wake_themselves", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn futures_wake_themselves() {
    run(|| {
        block_on(ready(()));
        let threads: Vec<_> = (0..10).map(|_| spawn(|| block_on(wakes_itself(1000)))).collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
    block_on(wakes_itself(100));
}

#[test]
fn a_waker_that_is_kept_does_not_end_later_waits() {
    child_on_processors("wakers_are_kept", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn wakers_are_kept() {
    run(|| {
        let kept = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..100 {
            let mut first = true;
            block_on(poll_fn(|context| {
                kept.lock().expect("no panic").push(context.waker().clone());
                if !std::mem::replace(&mut first, false) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            }));
        }
        // All of them wake this green thread while it waits for something else.
        let wakers = std::mem::take(&mut *kept.lock().expect("no panic"));
        let me = greenbridge::current();
        let unparked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&unparked);
        let waking = spawn(move || {
            for waker in wakers {
                waker.wake();
                yield_now();
            }
            count.store(1, Ordering::Release);
            me.unpark();
        });
        park();
        assert_eq!(unparked.load(Ordering::Acquire), 1, "park returned for the waker of a future");
        waking.join().expect("no panic");
    });
}

#[test]
fn of_two_futures_the_first_to_be_ready_ends_the_wait() {
    child_on_processors("a_race_of_two_futures", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_race_of_two_futures() {
    run(|| {
        for n in 0..100 {
            let mut green = spawn(move || {
                yield_now();
                n
            });
            let mut never = Box::pin(pending::<()>());
            let value = block_on(poll_fn(|context| {
                assert!(never.as_mut().poll(context).is_pending());
                Pin::new(&mut green).poll(context)
            }));
            assert_eq!(value.expect("no panic"), n);
        }
    });
}

#[test]
fn a_callback_may_block_on_a_future() {
    child_on_processors("callbacks_block_on_futures", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_block_on_futures() {
    start();
    greenbridge::run(|| {
        let threads = (0..20).map(|n| {
            spawn(move || {
                let (f, context) = for_c(block_on_in_callback, &());
                // SAFETY: C calls `f` with a pointer to nothing.
                call(|| unsafe { block_on_enter(f, context, n) })
            })
        });
        let sum: c_long = threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..20).sum());
    });
}

#[greenbridge::export]
extern "C" fn block_on_in_callback(_: &(), number: c_long) -> c_long {
    block_on(async move {
        wakes_itself(3).await;
        let number = FromOsThread::bring(number as u64).await;
        spawn(move || number as c_long).await.expect("no panic")
    })
}

#[test]
fn a_panic_in_a_future_comes_out_of_block_on() {
    child("a_future_panics").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_future_panics() {
    run(|| {
        let payload = spawn(|| {
            block_on(async {
                wakes_itself(1).await;
                panic!("in a future");
            })
        });
        assert_eq!(support::panic_text(&*payload.join().expect_err("it panicked")), "in a future");
        block_on(wakes_itself(1));
    });
}

#[test]
fn a_wait_in_the_poll_of_a_future_takes_no_wake_up_of_the_outer_wait() {
    child_on_processors("wait_in_the_poll_of_a_future", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn wait_in_the_poll_of_a_future() {
    let sum = run(|| {
        let ((to_outer, outer), (to_inner, inner)) = (bounded::<u32>(1), bounded::<u32>(1));
        let waits = spawn(move || {
            let mut outer = pin!(outer.recv_async());
            let mut is_first = true;
            let inner_first = poll_fn(|context| {
                let looked = outer.as_mut().poll(context);
                if std::mem::take(&mut is_first) {
                    assert!(looked.is_pending());
                    // It waits here, and is woken for the outer wait first.
                    assert_eq!(inner.recv(), Ok(1));
                    return Poll::Pending;
                }
                looked
            });
            block_on(inner_first)
        });
        // Each waits as long as the other side has not moved on.
        yield_now();
        to_outer.send(41).expect("it waits");
        yield_now();
        to_inner.send(1).expect("it waits");
        waits.join().expect("no panic").expect("a message") + 1
    });
    assert_eq!(sum, 42);
}
