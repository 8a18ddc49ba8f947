//! The benchmark rows for may. C is called straight from coroutines: may has nothing else for it.

mod waits;

use may::net::{TcpListener, TcpStream};
use may::sync::{Mutex, Semphore, mpmc, mpsc, spsc};
use may::{coroutine, cqueue, cqueue_add, go};
use peers::*;
use std::ffi::c_int;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::*};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use waits::{
    blocked_callbacks, blocking_progress, echo, first_spawn_child, handoff, handoff_once, idle_row, parked_mem,
    sleepers,
};

/// Starts the scheduler and runs the row in a coroutine.
fn on_may(args: Args, row: fn(Args)) {
    may::config().set_workers(args.workers);
    go!(move || row(args)).join().unwrap();
}

macro_rules! on_may { ($($name:literal $row:expr),* $(,)?) => { &[$(($name, |a| on_may(a, $row))),*] } }

fn c_par_callback(args: Args) {
    per_op(args, "c_par_callback", PAR_CALLBACKS, |n| {
        coroutine::scope(|s| (0..args.workers).for_each(|w| drop(go!(s, move || callbacks(w, n)))));
    });
}

fn seed_row(args: Args) {
    seed(args, |n| {
        let (tx, rx) = mpmc::channel();
        (0..n).for_each(|_| tx.send(()).unwrap());
        drop(tx);
        let done = AtomicUsize::new(0);
        let start = Instant::now();
        coroutine::scope(|s| {
            for _ in 0..args.workers {
                let (rx, done) = (rx.clone(), &done);
                go!(s, move || {
                    let mut count = 0;
                    while rx.recv().is_ok() {
                        seed_task(&[0; 32]);
                        count += 1;
                    }
                    done.fetch_add(count, Relaxed);
                });
            }
        });
        let time = start.elapsed();
        assert_eq!(done.load(Relaxed), n);
        time
    });
}

fn yields(args: Args, row: &str, threads: usize) {
    per_op(args, row, 8_000_000, |n| {
        coroutine::scope(|s| {
            (0..threads).for_each(|_| drop(go!(s, || (0..n / threads).for_each(|_| coroutine::yield_now()))))
        });
    });
}

fn spawn_join(args: Args) {
    per_op(args, "spawn_join", 600_000, |n| {
        let sum = Arc::new(AtomicUsize::new(0));
        for _ in 0..n.div_ceil(1000) {
            let handles: Vec<_> = (0..1000)
                .map(|_| {
                    let sum = sum.clone();
                    go!(move || sum.fetch_add(1, Relaxed))
                })
                .collect();
            handles.into_iter().for_each(|h| assert!(h.join().unwrap() < usize::MAX));
        }
        assert!(sum.load(Relaxed) >= n);
    });
}

fn pingpong(args: Args) {
    per_op(args, "pingpong", 1_500_000, |n| {
        let (ping, rx) = spsc::channel();
        let (tx, pong) = spsc::channel();
        let echo = go!(move || while let Ok(v) = rx.recv() {
            tx.send(v + 1).unwrap();
        });
        let v = (0..n).fold(0, |v, _| {
            ping.send(v).unwrap();
            pong.recv().unwrap()
        });
        drop(ping);
        echo.join().unwrap();
        assert_eq!(v, n);
    });
}

struct Ends(spsc::Receiver<usize>, spsc::Sender<usize>);
// SAFETY: only the one coroutine that is in C uses them.
unsafe impl Sync for Ends {}
static CHANNELS: OnceLock<Ends> = OnceLock::new();

extern "C" fn echo_callback(x: c_int) -> c_int {
    let Ends(rx, tx) = CHANNELS.get().unwrap();
    tx.send(rx.recv().unwrap() + 1).unwrap();
    x
}

fn pingpong_callback(args: Args) {
    let (ping, rx) = spsc::channel();
    let (tx, pong) = spsc::channel();
    CHANNELS.set(Ends(rx, tx)).ok().unwrap();
    per_op(args, "pingpong_callback", 1_000_000, |n| {
        // SAFETY: none in truth: C may go on on another OS thread after each callback, and may does not mind.
        let echo = go!(move || unsafe { callee_loop(echo_callback, 0, n as _) });
        let v = (0..n).fold(0, |v, _| {
            ping.send(v).unwrap();
            pong.recv().unwrap()
        });
        echo.join().unwrap();
        assert_eq!(v, n);
    });
}

/// may has no bounded channel: a semaphore keeps the bound.
fn mpmc_row(args: Args, row: &str, bounded: bool) {
    per_op(args, row, 2_000_000, |n| {
        let (tx, rx) = mpmc::channel();
        let (room, sum, each) = (Semphore::new(1024), AtomicUsize::new(0), n / 4);
        coroutine::scope(|s| {
            for _ in 0..4 {
                let (tx, rx, sum, room) = (tx.clone(), rx.clone(), &sum, &room);
                go!(s, move || {
                    for _ in 0..each {
                        if bounded {
                            room.wait();
                        }
                        tx.send(1usize).unwrap();
                    }
                });
                go!(s, move || {
                    let mut total = 0;
                    while let Ok(v) = rx.recv() {
                        total += v;
                        if bounded {
                            room.post();
                        }
                    }
                    sum.fetch_add(total, Relaxed);
                });
            }
            drop(tx);
        });
        assert_eq!(sum.into_inner(), each * 4);
    });
}

fn mutex(args: Args) {
    per_op(args, "mutex", 4_000_000, |n| {
        let (counter, each) = (Mutex::new(0), n.div_ceil(1000));
        coroutine::scope(|s| {
            (0..1000).for_each(|_| drop(go!(s, || (0..each).for_each(|_| *counter.lock().unwrap() += 1))))
        });
        assert_eq!(counter.into_inner().unwrap(), each * 1000);
    });
}

fn skynet_node(num: usize, size: usize) -> usize {
    if size == 1 {
        return num;
    }
    let children: Vec<_> = (0..10).map(|i| go!(move || skynet_node(num + i * (size / 10), size / 10))).collect();
    children.into_iter().map(|c| c.join().unwrap()).sum()
}

fn skynet(args: Args) {
    let run = |size: usize| {
        let start = Instant::now();
        assert_eq!(skynet_node(0, size), size * (size - 1) / 2);
        start.elapsed()
    };
    run(10_000);
    put("skynet", run(if args.scale < 1.0 { 10_000 } else { 1_000_000 }).as_secs_f64() * 1e3, "ms");
}

fn select(args: Args) {
    per_op(args, "select", 1_000_000, |n| {
        let ((ta, ra), (tb, rb)) = (mpsc::channel(), mpsc::channel());
        let (each, sum) = (n / 2, AtomicUsize::new(0));
        let producers = [ta, tb].map(|tx| {
            go!(move || {
                (0..each).for_each(|_| tx.send(1usize).unwrap());
                tx // kept open until all is received
            })
        });
        let sum = &sum;
        cqueue::scope(|queue| {
            cqueue_add!(queue, 0, v = ra.recv().unwrap() => { sum.fetch_add(v, Relaxed); });
            cqueue_add!(queue, 1, v = rb.recv().unwrap() => { sum.fetch_add(v, Relaxed); });
            (0..2 * each).for_each(|_| drop(queue.poll(None).unwrap()));
        });
        producers.into_iter().for_each(|p| drop(p.join().unwrap()));
        assert_eq!(sum.load(Relaxed), 2 * each);
    });
}

fn main() {
    let rows: &[Row] = on_may![
        "c_call" c_call,
        "c_callback" c_callback,
        "c_call_callback" c_call_callback,
        "c_par_callback" c_par_callback,
        "c_thread_callback" c_thread_callback,
        "c_thread_first" c_thread_first,
        "seed" seed_row,
        "yield1" |a| yields(a, "yield1", 1),
        "yield1000" |a| yields(a, "yield1000", 1000),
        "spawn_join" spawn_join,
        "pingpong" pingpong,
        "pingpong_callback" pingpong_callback,
        "mpmc" |a| mpmc_row(a, "mpmc", true),
        "mpmc_unbounded" |a| mpmc_row(a, "mpmc_unbounded", false),
        "mutex" mutex,
        "skynet" skynet,
        "select" select,
        "blocking_progress" blocking_progress,
        "blocked_callbacks" blocked_callbacks,
        "sleepers" sleepers,
        "parked_mem" parked_mem,
        "echo" echo,
    ];
    let outside: &[Row] = &[
        ("handoff", |a| on_may(Args { workers: 1, ..a }, handoff)),
        ("handoff_once", |a| on_may(Args { workers: 1, ..a }, handoff_once)),
        ("idle", idle_row),
        ("first_spawn", first_spawn),
    ];
    peers::main(&[rows, outside].concat(), &[("first_spawn_child", first_spawn_child)]);
}
