//! The benchmark rows for tokio, on its multi-threaded runtime.

mod waits;

use peers::*;
use std::ffi::c_int;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::*};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::{block_in_place, spawn, spawn_blocking, yield_now};
use waits::{
    blocked_callbacks, blocking_progress, echo, first_spawn_child, handoff, handoff_once, idle_row, parked_mem,
    sleepers,
};

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

/// Runs `f` in a spawned task: the future given to `block_on` would run outside the workers.
fn on_tokio<F: Future<Output: Send> + Send + 'static>(args: Args, f: F) {
    let rt = runtime(args.workers);
    rt.block_on(async { spawn(f).await.unwrap() });
    rt.shutdown_background();
}

/// As [`per_op`], in a task.
async fn per_op_async<F: Future<Output = ()>>(args: Args, row: &str, n: usize, f: impl Fn(usize) -> F) {
    let n = args.scaled(n);
    f((n / 10).max(1)).await;
    let start = Instant::now();
    f(n).await;
    put(row, start.elapsed().as_nanos() as f64 / n as f64, "ns");
}

async fn join_all<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(tasks.len());
    for t in tasks {
        results.push(t.await.unwrap());
    }
    results
}

/// A row that only calls C, run in a task.
fn c_row(args: Args, row: fn(Args)) {
    on_tokio(args, async move { row(args) });
}

async fn c_par_callback(args: Args) {
    per_op_async(args, "c_par_callback", PAR_CALLBACKS, |n| async move {
        join_all((0..args.workers).map(|w| spawn(async move { callbacks(w, n) })).collect()).await;
    })
    .await;
}

async fn seed_row(args: Args) {
    // `seed` wants a plain closure: block in place, as a caller from synchronous code would.
    block_in_place(|| {
        seed(args, |n| {
            let (tx, rx) = flume::bounded(n);
            (0..n).for_each(|_| tx.try_send(()).unwrap());
            drop(tx);
            let start = Instant::now();
            let tasks = (0..args.workers).map(|_| {
                let rx = rx.clone();
                spawn(async move {
                    let mut count = 0;
                    while rx.recv_async().await.is_ok() {
                        seed_task(&[0; 32]);
                        count += 1;
                    }
                    count
                })
            });
            let done: usize = Handle::current().block_on(join_all(tasks.collect())).iter().sum();
            let time = start.elapsed();
            assert_eq!(done, n);
            time
        })
    });
}

async fn yields(args: Args, row: &'static str, threads: usize) {
    per_op_async(args, row, 2_000_000, |n| async move {
        let each = n / threads;
        let tasks = (0..threads).map(|_| {
            spawn(async move {
                for _ in 0..each {
                    yield_now().await
                }
            })
        });
        join_all(tasks.collect()).await;
    })
    .await;
}

async fn spawn_join(args: Args) {
    per_op_async(args, "spawn_join", 1_000_000, |n| async move {
        let sum = Arc::new(AtomicUsize::new(0));
        for _ in 0..n.div_ceil(1000) {
            let one = |sum: Arc<AtomicUsize>| async move { sum.fetch_add(1, Relaxed) };
            join_all((0..1000).map(|_| spawn(one(sum.clone()))).collect()).await;
        }
        assert!(sum.load(Relaxed) >= n);
    })
    .await;
}

async fn pingpong(args: Args) {
    per_op_async(args, "pingpong", 1_500_000, |n| async move {
        let (ping, mut rx) = mpsc::channel(1);
        let (tx, mut pong) = mpsc::channel(1);
        let echo = spawn(async move {
            while let Some(v) = rx.recv().await {
                tx.send(v + 1).await.unwrap();
            }
        });
        let mut v = 0;
        for _ in 0..n {
            ping.send(v).await.unwrap();
            v = pong.recv().await.unwrap();
        }
        drop(ping);
        echo.await.unwrap();
        assert_eq!(v, n);
    })
    .await;
}

type Ends = (std::sync::Mutex<mpsc::Receiver<usize>>, mpsc::Sender<usize>);
static CHANNELS: OnceLock<Ends> = OnceLock::new();

/// On a blocking thread, so the channel's blocking methods do.
extern "C" fn echo_callback(x: c_int) -> c_int {
    let (rx, tx) = CHANNELS.get().unwrap();
    let v = rx.lock().unwrap().blocking_recv().unwrap();
    tx.blocking_send(v + 1).unwrap();
    x
}

async fn pingpong_callback(args: Args) {
    let (ping, rx) = mpsc::channel(1);
    let (tx, pong) = mpsc::channel(1);
    CHANNELS.set((std::sync::Mutex::new(rx), tx)).ok().unwrap();
    let (ping, pong) = (&ping, &Mutex::new(pong));
    per_op_async(args, "pingpong_callback", 20_000, |n| async move {
        // SAFETY: the callback may block, the thread is for that.
        let echo = spawn_blocking(move || unsafe { callee_loop(echo_callback, 0, n as _) });
        let (mut v, mut pong) = (0, pong.lock().await);
        for _ in 0..n {
            ping.send(v).await.unwrap();
            v = pong.recv().await.unwrap();
        }
        echo.await.unwrap();
        assert_eq!(v, n);
    })
    .await;
}

async fn mpmc(args: Args) {
    per_op_async(args, "mpmc", 3_000_000, |n| async move {
        let (tx, rx) = flume::bounded(1024);
        let each = n / 4;
        let mut consumers = Vec::new();
        for _ in 0..4 {
            let (tx, rx) = (tx.clone(), rx.clone());
            spawn(async move {
                for _ in 0..each {
                    tx.send_async(1usize).await.unwrap()
                }
            });
            consumers.push(spawn(async move {
                let mut sum = 0;
                while let Ok(v) = rx.recv_async().await {
                    sum += v
                }
                sum
            }));
        }
        drop(tx);
        assert_eq!(join_all(consumers).await.iter().sum::<usize>(), each * 4);
    })
    .await;
}

async fn mutex(args: Args) {
    per_op_async(args, "mutex", 2_000_000, |n| async move {
        let (counter, each) = (Arc::new(Mutex::new(0)), n.div_ceil(1000));
        let one = |counter: Arc<Mutex<usize>>| async move {
            for _ in 0..each {
                *counter.lock().await += 1
            }
        };
        join_all((0..1000).map(|_| spawn(one(counter.clone()))).collect()).await;
        assert_eq!(*counter.lock().await, each * 1000);
    })
    .await;
}

fn skynet_node(num: usize, size: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return num;
        }
        let children = (0..10).map(|i| spawn(skynet_node(num + i * (size / 10), size / 10)));
        join_all(children.collect()).await.iter().sum()
    })
}

async fn skynet(args: Args) {
    let run = async |size: usize| {
        let start = Instant::now();
        assert_eq!(skynet_node(0, size).await, size * (size - 1) / 2);
        start.elapsed()
    };
    run(10_000).await;
    put("skynet", run(if args.scale < 1.0 { 10_000 } else { 1_000_000 }).await.as_secs_f64() * 1e3, "ms");
}

async fn select(args: Args) {
    per_op_async(args, "select", 2_000_000, |n| async move {
        let ((ta, mut ra), (tb, mut rb)) = (mpsc::channel(1), mpsc::channel(1));
        let each = n / 2;
        for tx in [&ta, &tb] {
            let tx = tx.clone();
            spawn(async move {
                for _ in 0..each {
                    tx.send(1).await.unwrap()
                }
            });
        }
        let mut sum = 0;
        while sum < 2 * each {
            sum += tokio::select! { v = ra.recv() => v.unwrap(), v = rb.recv() => v.unwrap() };
        }
    })
    .await;
}

fn main() {
    peers::main(
        &[
            ("c_call", |a| c_row(a, c_call)),
            ("c_callback", |a| c_row(a, c_callback)),
            ("c_call_callback", |a| c_row(a, c_call_callback)),
            ("c_par_callback", |a| on_tokio(a, c_par_callback(a))),
            ("c_thread_callback", |a| c_row(a, c_thread_callback)),
            ("c_thread_first", |a| c_row(a, c_thread_first)),
            ("seed", |a| on_tokio(a, seed_row(a))),
            ("yield1", |a| on_tokio(a, yields(a, "yield1", 1))),
            ("yield1000", |a| on_tokio(a, yields(a, "yield1000", 1000))),
            ("spawn_join", |a| on_tokio(a, spawn_join(a))),
            ("pingpong", |a| on_tokio(a, pingpong(a))),
            ("pingpong_callback", |a| on_tokio(a, pingpong_callback(a))),
            ("mpmc", |a| on_tokio(a, mpmc(a))),
            ("mutex", |a| on_tokio(a, mutex(a))),
            ("skynet", |a| on_tokio(a, skynet(a))),
            ("select", |a| on_tokio(a, select(a))),
            ("blocking_progress", |a| on_tokio(a, blocking_progress(a))),
            ("handoff", |a| on_tokio(Args { workers: 1, ..a }, handoff(a, "handoff", true))),
            ("handoff_spawn_blocking", |a| {
                on_tokio(Args { workers: 1, ..a }, handoff(a, "handoff_spawn_blocking", false))
            }),
            ("handoff_once", |a| on_tokio(Args { workers: 1, ..a }, handoff_once(a))),
            ("blocked_callbacks", |a| on_tokio(a, blocked_callbacks())),
            ("sleepers", |a| on_tokio(a, sleepers(a))),
            ("parked_mem", |a| on_tokio(a, parked_mem(a))),
            ("echo", |a| on_tokio(a, echo(a))),
            ("idle", idle_row),
            ("first_spawn", first_spawn),
        ],
        &[("first_spawn_child", first_spawn_child)],
    );
}
