//! Smol and green threads wait for each other, with tokio in the same process: timers and sockets of `async-io` in green threads and in
//! callbacks, green threads and channels in smol's tasks.
//!
//! What could break it: a reactor that wakes a green thread which has migrated, a waker that outlives its green thread, or an executor that
//! polls ours with another waker each time.

mod support;

use greenbridge::channel::{bounded, unbounded};
use greenbridge::{Start, block_on, spawn, yield_now};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Executor, Timer};
use std::ffi::{c_long, c_void};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use support::{Callback, Way, child_on_processors, for_c, gettid, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn smol_futures_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// Serves on a loopback address, on smol's global executor: each connection gets its bytes back, plus one.
fn serve() -> SocketAddr {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("there is a loopback address");
    let address = listener.get_ref().local_addr().expect("it is bound");
    smol::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            smol::spawn(async move {
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    byte[0] += 1;
                    stream.write_all(&byte).await.expect("the client waits");
                }
            })
            .detach();
        }
    })
    .detach();
    address
}

/// Waits for a timer, and then for an answer over TCP.
async fn plus_one(server: SocketAddr, number: c_long) -> c_long {
    Timer::after(Duration::from_millis(number as u64 % 3)).await;
    let mut stream = Async::<TcpStream>::connect(server).await.expect("the server listens");
    let mut byte = [number as u8];
    stream.write_all(&byte).await.expect("the server reads");
    stream.read_exact(&mut byte).await.expect("the server answers");
    c_long::from(byte[0])
}

#[test]
fn green_threads_and_callbacks_wait_for_timers_and_sockets() {
    child_on_processors("green_threads_ask_over_tcp", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn green_threads_ask_over_tcp() {
    start();
    let server = serve();
    let plain = (0..50).map(|n| spawn(move || block_on(plus_one(server, n))));
    let in_callbacks = Way::ALL.into_iter().flat_map(|way| {
        (0..8).map(move |n| {
            spawn(move || {
                way.call(|| {
                    let (f, context) = for_c(ask_in_callback, &server);
                    // SAFETY: C hands the pointer on to `f` and returns after it, while `server` is borrowed.
                    unsafe { smol_futures_enter(f, context, n) }
                })
            })
        })
    });
    let threads: Vec<_> = plain.chain(in_callbacks).collect();
    let sum: c_long = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(sum, (1..=50).sum::<c_long>() + 4 * (1..=8).sum::<c_long>());
}

#[greenbridge::export]
extern "C" fn ask_in_callback(server: &SocketAddr, number: c_long) -> c_long {
    let home = gettid();
    let answer = block_on(plus_one(*server, number));
    assert_eq!(gettid(), home, "the callback changed its OS thread");
    answer
}

#[test]
fn tasks_of_an_executor_await_green_threads_and_channels() {
    child_on_processors("an_executor_awaits_green_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn an_executor_awaits_green_threads() {
    start();
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = smol::channel::unbounded::<()>();
    let runners: Vec<_> = (0..2)
        .map(|_| {
            let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
            thread::spawn(move || smol::block_on(executor.run(stopped.recv())))
        })
        .collect();
    let (values, received) = bounded::<u64>(1);
    let (doubled, results) = unbounded();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (received, doubled) = (received.clone(), doubled.clone());
            executor.spawn(async move {
                while let Ok(value) = received.recv_async().await {
                    let green = spawn(move || {
                        yield_now();
                        2 * value
                    });
                    doubled.send_async(green.await.expect("no panic")).await.expect("it is received");
                }
            })
        })
        .collect();
    drop((received, doubled));
    // Some are given up: what they would have received goes to the others.
    for (n, task) in tasks.into_iter().enumerate() {
        if n % 4 == 0 {
            drop(task);
        } else {
            task.detach();
        }
    }
    let source = spawn(move || (0..1000).try_for_each(|value| values.send(value)));
    let sum = spawn(move || results.iter().sum::<u64>()).join().expect("no panic");
    assert_eq!(sum, (0..1000).map(|value| 2 * value).sum());
    source.join().expect("no panic").expect("it is received");
    drop(stop);
    for runner in runners {
        assert!(runner.join().expect("no panic").is_err(), "it was stopped");
    }
}

#[test]
fn smol_tokio_and_green_threads_wait_in_a_ring() {
    child_on_processors("three_runtimes_in_a_ring", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn three_runtimes_in_a_ring() {
    start();
    let server = serve();
    let tokio = tokio::runtime::Runtime::new().expect("tokio starts");
    greenbridge::tokio::set_handle(tokio.handle().clone()).expect("it is the first one");
    let threads: Vec<_> = (0..40)
        .map(|n| {
            let tokio = tokio.handle().clone();
            spawn(move || {
                // A green thread waits for a smol task, that awaits a tokio task, that awaits a green thread, that waits for both kinds
                // of timers.
                let task = smol::spawn(async move {
                    let task = tokio.spawn(async move {
                        let green = spawn(move || {
                            block_on(async {
                                tokio::time::sleep(Duration::from_millis(1)).await;
                                plus_one(server, n).await
                            })
                        });
                        green.await.expect("no panic")
                    });
                    task.await.expect("no panic")
                });
                block_on(task)
            })
        })
        .collect();
    let sum: c_long = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(sum, (1..=40).sum());
}
