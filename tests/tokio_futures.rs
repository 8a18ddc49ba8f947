//! A green thread waits for tokio's timers and sockets, with the runtime given once: in its own code, in a callback from C made in any way,
//! and on a thread of C's own. It is what tokio's own `block_on` refuses to do inside a runtime.
//!
//! What could break it: a handle that is not entered where the future is polled, or is still entered when the green thread goes on
//! on another OS thread; a wake-up from a thread of tokio's that is lost.

mod support;

use greenbridge::{Start, block_on, call, spawn, yield_now};
use std::collections::HashSet;
use std::ffi::{c_long, c_void};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Callback, Way, child, child_on_processors, for_c, gettid, panic_text, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use tokio::time::sleep;

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn tokio_futures_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn tokio_futures_on_thread(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// Starts both runtimes, gives the one to the other, and serves on a loopback address: each connection gets its numbers back, doubled.
fn start_with_tokio() -> (Runtime, SocketAddr) {
    start();
    let tokio = Runtime::new().expect("tokio starts");
    greenbridge::tokio::set_handle(tokio.handle().clone()).expect("it is the first one");
    let listener = tokio.block_on(TcpListener::bind("127.0.0.1:0")).expect("there is a loopback address");
    let address = listener.local_addr().expect("it is bound");
    tokio.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(number) = stream.read_i64().await {
                    stream.write_i64(2 * number).await.expect("the client waits");
                }
            });
        }
    });
    (tokio, address)
}

/// Waits for a timer, and then for an answer over TCP.
async fn doubled(server: SocketAddr, number: c_long) -> c_long {
    sleep(Duration::from_millis(number as u64 % 3)).await;
    let mut stream = TcpStream::connect(server).await.expect("the server listens");
    stream.write_i64(number).await.expect("the server reads");
    stream.read_i64().await.expect("the server answers")
}

#[test]
fn green_threads_wait_for_timers_and_sockets() {
    child_on_processors("many_green_threads_ask_over_tcp", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn many_green_threads_ask_over_tcp() {
    let (_tokio, server) = start_with_tokio();
    let threads: Vec<_> = (0..100).map(|n| spawn(move || block_on(doubled(server, n)))).collect();
    let sum: c_long = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(sum, (0..100).map(|n| 2 * n).sum());
    assert_eq!(block_on(doubled(server, 7)), 14, "on an OS thread");
}

#[test]
fn a_callback_waits_for_timers_and_sockets_however_c_was_called() {
    child_on_processors("callbacks_ask_over_tcp", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_ask_over_tcp() {
    let (_tokio, server) = start_with_tokio();
    let threads: Vec<_> = Way::ALL
        .into_iter()
        .flat_map(|way| (0..8).map(move |n| (way, n)))
        .map(|(way, n)| {
            spawn(move || {
                way.call(|| {
                    let (f, context) = for_c(ask_in_callback, &server);
                    // SAFETY: C hands the pointer on to `f` and returns after it, while `server` is borrowed.
                    unsafe { tokio_futures_enter(f, context, n) }
                })
            })
        })
        .collect();
    let sum: c_long = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(sum, 4 * (0..8).map(|n| 2 * n).sum::<c_long>());
}

#[greenbridge::export]
extern "C" fn ask_in_callback(server: &SocketAddr, number: c_long) -> c_long {
    let home = gettid();
    let answer = block_on(doubled(*server, number));
    assert_eq!(gettid(), home, "the callback changed its OS thread");
    answer
}

#[test]
fn a_callback_on_a_thread_of_c_waits_too() {
    child_on_processors("callbacks_on_c_threads_ask_over_tcp", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn callbacks_on_c_threads_ask_over_tcp() {
    let (_tokio, server) = start_with_tokio();
    let threads: Vec<_> = (0..8)
        .map(|n| {
            spawn(move || {
                let (f, context) = for_c(ask_in_callback, &server);
                // SAFETY: C ends its thread before it returns, while `server` is borrowed.
                call(|| unsafe { tokio_futures_on_thread(f, context, n) })
            })
        })
        .collect();
    let sum: c_long = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(sum, (0..8).map(|n| 2 * n).sum());
}

#[test]
fn a_thread_of_c_wakes_a_green_thread() {
    child_on_processors("wakers_are_called_on_c_threads", &[1, 2]);
}

/// Where an answer goes, to be taken by the callback.
type Answer = Mutex<Option<oneshot::Sender<c_long>>>;

#[test]
#[ignore = "child process"]
fn wakers_are_called_on_c_threads() {
    start();
    let threads: Vec<_> = (0..50)
        .map(|n| {
            spawn(move || {
                let (answer, answered) = oneshot::channel();
                let answers = spawn(move || {
                    let answer: Answer = Mutex::new(Some(answer));
                    let (f, context) = for_c(answer_in_callback, &answer);
                    // SAFETY: C ends its thread before it returns, while `answer` is borrowed.
                    call(|| unsafe { tokio_futures_on_thread(f, context, n) })
                });
                assert_eq!(block_on(answered), Ok(n));
                answers.join().expect("no panic")
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), 0);
    }
}

#[greenbridge::export]
extern "C" fn answer_in_callback(answer: &Answer, number: c_long) -> c_long {
    let answer = answer.lock().expect("no panic").take().expect("it is there");
    answer.send(number).expect("the green thread waits");
    0
}

#[test]
fn where_tokio_refuses_to_block_a_green_thread_waits() {
    child_on_processors("the_same_callback_with_both_runtimes", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn the_same_callback_with_both_runtimes() {
    let (tokio, server) = start_with_tokio();
    // C that calls back, called by a task of tokio's. The callback must wait, and may not.
    let refused = tokio.block_on(tokio.spawn(async move {
        let (f, context) = for_c(ask_as_tokio_does, &server);
        // SAFETY: C hands the pointer on to `f` and returns after it, while `server` is borrowed.
        call(|| unsafe { tokio_futures_enter(f, context, 4) })
    }));
    let payload = refused.expect_err("tokio refuses").into_panic();
    assert!(panic_text(&*payload).starts_with("Cannot start a runtime from within a runtime"), "no other reason");
    // The same C, the same work, on a green thread that the task awaits.
    let answer = tokio.block_on(async {
        tokio::spawn(async move {
            let asks = spawn(move || {
                let (f, context) = for_c(ask_in_callback, &server);
                // SAFETY: as above.
                call(|| unsafe { tokio_futures_enter(f, context, 4) })
            });
            asks.await.expect("no panic")
        })
        .await
    });
    assert_eq!(answer.expect("no panic"), 8);
}

#[greenbridge::export]
extern "C" fn ask_as_tokio_does(server: &SocketAddr, number: c_long) -> c_long {
    Handle::current().block_on(doubled(*server, number))
}

#[test]
fn one_future_is_polled_on_several_os_threads() {
    child_on_processors("futures_migrate_between_their_polls", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn futures_migrate_between_their_polls() {
    let (_tokio, server) = start_with_tokio();
    let has_moved = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let has_moved = Arc::clone(&has_moved);
            spawn(move || {
                let mut stream = block_on(TcpStream::connect(server)).expect("the server listens");
                let mut numbers = n..;
                while !has_moved.load(Ordering::Relaxed) {
                    let mut places = HashSet::new();
                    let mut asks = pin!(async {
                        for number in numbers.by_ref().take(20) {
                            stream.write_i64(number).await.expect("the server reads");
                            assert_eq!(stream.read_i64().await.expect("the server answers"), 2 * number);
                            sleep(Duration::from_micros(10)).await;
                        }
                    });
                    block_on(poll_fn(|context| {
                        places.insert(gettid());
                        asks.as_mut().poll(context)
                    }));
                    if places.len() > 1 {
                        has_moved.store(true, Ordering::Relaxed);
                    }
                    yield_now();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn a_current_thread_runtime_serves_green_threads_while_it_is_driven() {
    child_on_processors("a_current_thread_runtime_is_driven", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_current_thread_runtime_is_driven() {
    start();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio starts");
    greenbridge::tokio::set_handle(tokio.handle().clone()).expect("it is the first one");
    let threads: Vec<_> = (0..20)
        .map(|n| {
            spawn(move || {
                block_on(async {
                    sleep(Duration::from_millis(1)).await;
                    tokio::spawn(async move { n }).await.expect("no panic")
                })
            })
        })
        .collect();
    // Whoever waits for it drives the timers of all.
    let sum = tokio.block_on(async {
        let mut sum = 0;
        for thread in threads {
            sum += thread.await.expect("no panic");
        }
        sum
    });
    assert_eq!(sum, (0..20).sum());
}

#[test]
fn blocking_work_of_tokio_is_awaited() {
    child("green_threads_await_blocking_work").succeeds();
}

#[test]
#[ignore = "child process"]
fn green_threads_await_blocking_work() {
    let (tokio, _) = start_with_tokio();
    let handle = tokio.handle().clone();
    let sum: u64 = greenbridge::run(move || {
        let tasks: Vec<_> = (0..20).map(|n| handle.spawn_blocking(move || n)).collect();
        tasks.into_iter().map(|task| block_on(task).expect("no panic")).sum()
    });
    assert_eq!(sum, (0..20).sum());
}
