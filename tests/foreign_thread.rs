//! Any thread of C may call Rust, at any time and with nothing to attach or detach: the callback may spawn, join and wait,
//! and a thread that ends leaves nothing behind.
//!
//! What could break it: state that is kept for each thread that ever came, a thread that is taken for a worker, or one that
//! waits and is not woken.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{Start, call, current, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::atomic::{AtomicI64, Ordering};
use support::{Callback, child, child_on_processors, for_c, resident_bytes, start, thread_count};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn foreign_thread_at_once(f: Callback<c_long>, context: *mut c_void, threads: c_long, times: c_long) -> c_long;
    fn foreign_thread_with_small_stack(f: Callback<c_long>, context: *mut c_void, times: c_long) -> c_long;
}

fn at_once<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, threads: c_long, times: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f`, and joins its threads while `context` is borrowed.
    unsafe { foreign_thread_at_once(f, context, threads, times) }
}

#[test]
fn six_c_threads_call_back_ten_times_each() {
    child_on_processors("callbacks_from_six_c_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_from_six_c_threads() {
    start();
    let sum = AtomicI64::new(0);
    assert_eq!(at_once(add, &sum, 6, 10), 10 * (1 + 2 + 3 + 4 + 5));
    assert_eq!(sum.load(Ordering::Relaxed), 10 * (1 + 2 + 3 + 4 + 5));
    // And while the caller is a green thread in C.
    let from_green = run(|| call(|| at_once(add, &AtomicI64::new(0), 6, 10)));
    assert_eq!(from_green, 10 * (1 + 2 + 3 + 4 + 5));
}

#[greenbridge::export]
extern "C" fn add(sum: &AtomicI64, number: c_long) -> c_long {
    sum.fetch_add(number, Ordering::Relaxed);
    number
}

#[test]
fn callbacks_on_c_threads_may_spawn_join_and_call_c() {
    child_on_processors("c_threads_use_the_runtime", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn c_threads_use_the_runtime() {
    start();
    assert_eq!(at_once(spawn_and_join, &(), 8, 50), 50 * (0..8).map(|n| 3 * n).sum::<c_long>());
}

#[greenbridge::export]
extern "C" fn spawn_and_join(_: &(), number: c_long) -> c_long {
    let me = current().id();
    let green = spawn(move || {
        yield_now();
        assert_ne!(current().id(), me);
        number
    });
    yield_now();
    let on_more_threads = call(|| at_once(add, &AtomicI64::new(0), 2, number));
    assert_eq!(current().id(), me);
    2 * green.join().expect("no panic") + on_more_threads
}

/// Where requests go, each with the channel for its answer.
type Requests = Sender<(c_long, Sender<c_long>)>;

#[test]
fn callbacks_on_c_threads_wait_for_green_threads() {
    child_on_processors("c_threads_wait", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn c_threads_wait() {
    start();
    let (requests, requested): (Requests, Receiver<_>) = bounded(0);
    let service = spawn(move || {
        for (number, reply) in requested {
            reply.send(number).expect("the callback waits");
        }
    });
    assert_eq!(at_once(ask, &requests, 16, 100), 100 * (0..16).sum::<c_long>());
    let other = requests.clone();
    assert_eq!(run(move || call(|| at_once(ask, &other, 4, 100))), 100 * (0..4).sum::<c_long>());
    drop(requests);
    service.join().expect("no panic");
}

#[greenbridge::export]
extern "C" fn ask(requests: &Requests, number: c_long) -> c_long {
    let (reply, replied) = bounded(0);
    requests.send((number, reply)).expect("the service runs");
    replied.recv().expect("the service replies")
}

#[test]
fn a_c_thread_needs_little_stack_for_a_callback() {
    child("a_c_thread_with_a_small_stack").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_c_thread_with_a_small_stack() {
    start();
    let (requests, requested): (Requests, Receiver<_>) = bounded(0);
    spawn(move || {
        for (number, reply) in requested {
            reply.send(number).expect("the callback waits");
        }
    });
    let (f, context) = for_c(ask, &requests);
    // SAFETY: C hands the pointer on to `f`, and joins its thread while `requests` is borrowed.
    assert_eq!(unsafe { foreign_thread_with_small_stack(f, context, 10) }, 10);
}

#[test]
fn a_thousand_c_threads_come_and_go_and_leave_nothing() {
    child("a_thousand_c_threads_come_and_go").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_thousand_c_threads_come_and_go() {
    start();
    let (requests, requested): (Requests, Receiver<_>) = bounded(0);
    spawn(move || {
        for (number, reply) in requested {
            reply.send(number).expect("the callback waits");
        }
    });
    let come_and_go = |threads: c_long| {
        for _ in 0..threads / 4 {
            assert_eq!(at_once(spawn_and_join, &(), 4, 1), 3 * (1 + 2 + 3));
            assert_eq!(at_once(ask, &requests, 4, 1), 1 + 2 + 3);
        }
    };
    come_and_go(100);
    let (memory, threads) = (resident_bytes(), thread_count());
    come_and_go(400);
    // 800 threads with three quarters of a KiB each would show.
    let grown = resident_bytes().saturating_sub(memory);
    assert!(grown < 600 * 1024, "{grown} bytes more after 800 threads more");
    // A few spare workers may have been made meanwhile; of 800 threads that stayed, more would be left.
    assert!(thread_count() <= threads + 8, "{threads} OS threads became {}", thread_count());
}
