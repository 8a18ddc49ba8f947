//! The rows on a floor without any runtime: bare C calls, corosensei switches on one thread, and OS threads.
use corosensei::{Coroutine, CoroutineResult, stack::DefaultStack};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use peers::*;
use std::ffi::c_int;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

fn c_par_callback(args: Args) {
    per_op(args, "c_par_callback", PAR_CALLBACKS, |n| {
        thread::scope(|s| (0..args.workers).for_each(|w| drop(s.spawn(move || callbacks(w, n)))));
    });
}

/// An atomic counter in place of the channel.
fn seed_row(args: Args) {
    seed(args, |n| {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let start = Instant::now();
        thread::scope(|s| {
            for _ in 0..args.workers {
                s.spawn(|| {
                    let mut count = 0;
                    while next.fetch_add(1, Relaxed) < n {
                        seed_task(&[0; 32]);
                        count += 1;
                    }
                    done.fetch_add(count, Relaxed);
                });
            }
        });
        assert_eq!(done.load(Relaxed), n);
        start.elapsed()
    });
}

/// One coroutine, suspended and resumed.
fn yield1(args: Args) {
    per_op(args, "yield1", 30_000_000, |n| {
        let mut c = Coroutine::<(), (), ()>::new(move |y, ()| (0..n).for_each(|_| y.suspend(())));
        let mut switched = 0;
        while let CoroutineResult::Yield(()) = c.resume(()) {
            switched += 1;
        }
        assert_eq!(switched, n);
    });
}

/// A thousand coroutines on one thread, each suspended and resumed in turn.
fn yield1000(args: Args) {
    per_op(args, "yield1000", 20_000_000, |n| {
        let coroutine = |_| Coroutine::<(), (), ()>::new(move |y, ()| (0..n / 1000).for_each(|_| y.suspend(())));
        let mut all: Vec<_> = (0..1000).map(coroutine).collect();
        for _ in 0..n / 1000 {
            all.iter_mut().for_each(|c| assert!(c.resume(()).as_yield().is_some()));
        }
        all.iter_mut().for_each(|c| assert!(c.resume(()).as_return().is_some()));
    });
}

fn spawn_join(args: Args) {
    per_op(args, "spawn_join", 20_000, |n| {
        let sum = AtomicUsize::new(0);
        for _ in 0..n.div_ceil(1000) {
            thread::scope(|s| (0..1000).for_each(|_| drop(s.spawn(|| sum.fetch_add(1, Relaxed)))));
        }
        assert!(sum.into_inner() >= n);
    });
}

/// A coroutine made on a stack used before, run to its end and dropped: what a spawn cannot undercut.
fn coroutine_new(args: Args) {
    let mut stack = Some(DefaultStack::new(64 * 1024).unwrap());
    per_op(args, "coroutine_new", 20_000_000, |n| {
        for _ in 0..n {
            let mut c = Coroutine::<(), (), (), _>::with_stack(stack.take().unwrap(), |_, ()| ());
            assert!(c.resume(()).as_return().is_some());
            stack = Some(c.into_stack());
        }
    });
}

static CHANNELS: OnceLock<(Receiver<usize>, Sender<usize>)> = OnceLock::new();

extern "C" fn echo_callback(x: c_int) -> c_int {
    let (rx, tx) = CHANNELS.get().unwrap();
    tx.send(rx.recv().unwrap() + 1).unwrap();
    x
}

fn pingpong(args: Args, row: &str) {
    let (ping, rx) = bounded(1);
    let (tx, pong) = bounded(1);
    CHANNELS.set((rx, tx)).unwrap();
    let n = args.scaled(40_000);
    let run = |n: usize| {
        thread::scope(|s| {
            // SAFETY: the callback may block, the thread is ours.
            s.spawn(|| unsafe { callee_loop(echo_callback, 0, n as _) });
            let v = (0..n).fold(0, |v, _| {
                ping.send(v).unwrap();
                pong.recv().unwrap()
            });
            assert_eq!(v, n);
        })
    };
    run(n / 10 + 1);
    let start = Instant::now();
    run(n);
    put(row, start.elapsed().as_nanos() as f64 / n as f64, "ns");
}

fn mpmc(args: Args) {
    per_op(args, "mpmc", 4_000_000, |n| {
        let (tx, rx) = bounded(1024);
        let sum = AtomicUsize::new(0);
        let each = n / 4;
        thread::scope(|s| {
            for _ in 0..4 {
                let (tx, rx, sum) = (tx.clone(), rx.clone(), &sum);
                s.spawn(move || (0..each).for_each(|_| tx.send(1usize).unwrap()));
                s.spawn(move || sum.fetch_add(rx.iter().sum::<usize>(), Relaxed));
            }
            drop(tx);
        });
        assert_eq!(sum.into_inner(), each * 4);
    });
}

fn mutex(args: Args) {
    per_op(args, "mutex", 10_000_000, |n| {
        let counter = Mutex::new(0);
        let each = n / args.workers;
        thread::scope(|s| {
            (0..args.workers).for_each(|_| drop(s.spawn(|| (0..each).for_each(|_| *counter.lock().unwrap() += 1))))
        });
        assert_eq!(counter.into_inner().unwrap(), each * args.workers);
    });
}

fn select_row(args: Args) {
    per_op(args, "select", 200_000, |n| {
        let ((ta, ra), (tb, rb)) = (bounded(1), bounded(1));
        let each = n / 2;
        thread::scope(|s| {
            for tx in [&ta, &tb] {
                s.spawn(move || (0..each).for_each(|_| tx.send(1).unwrap()));
            }
            let mut sum = 0;
            while sum < 2 * each {
                sum += select! { recv(ra) -> v => v.unwrap(), recv(rb) -> v => v.unwrap() };
            }
        });
    });
}

fn slices(window: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < window {
        slice();
        count += 1;
    }
    count as f64 / start.elapsed().as_secs_f64()
}

fn blocking_progress(args: Args) {
    let window = Duration::from_secs_f64(0.7 * args.scale);
    slices(window / 7);
    let alone = slices(window);
    let (stop, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|s| {
        for _ in 0..64 {
            s.spawn(|| {
                while !stop.load(Relaxed) {
                    // SAFETY: sleeps.
                    unsafe { callee_usleep(20_000) };
                    calls.fetch_add(1, Relaxed);
                }
            });
        }
        slices(window / 7);
        let (start, before) = (Instant::now(), calls.load(Relaxed));
        put("blocking_progress.cpu", slices(window) / alone, "ratio");
        blocking_calls(calls.load(Relaxed) - before, start);
        stop.store(true, Relaxed);
    });
}

fn echo(args: Args) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for c in listener.incoming() {
            let mut c = c.unwrap();
            c.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut buf = [0; 64];
                while c.read_exact(&mut buf).is_ok() && c.write_all(&buf).is_ok() {}
            });
        }
    });
    let mut conns: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut run = |each: usize| {
        let start = Instant::now();
        thread::scope(|s| {
            for c in &mut conns {
                s.spawn(move || {
                    c.set_nodelay(true).unwrap();
                    for j in 0..each {
                        let mut buf = [j as u8; 64];
                        c.write_all(&buf).unwrap();
                        buf[0] = !buf[0];
                        c.read_exact(&mut buf).unwrap();
                        assert_eq!(buf[0], j as u8);
                    }
                });
            }
        });
        start.elapsed()
    };
    let each = args.scaled(1500);
    run(each / 10 + 1);
    put("echo", (64 * each) as f64 / run(each).as_secs_f64(), "msg/s");
}

fn first_spawn_child(_: Args) {
    let before = gauge::now_ns();
    let first = thread::spawn(gauge::now_ns).join().unwrap();
    first_spawn_report(before, first);
}

fn main() {
    peers::main(
        &[
            ("c_call", c_call),
            ("c_callback", c_callback),
            ("c_call_callback", c_call_callback),
            ("c_par_callback", c_par_callback),
            ("c_thread_callback", c_thread_callback),
            ("c_thread_first", c_thread_first),
            ("seed", seed_row),
            ("yield1", yield1),
            ("yield1000", yield1000),
            ("spawn_join", spawn_join),
            ("coroutine_new", coroutine_new),
            ("pingpong", |a| pingpong(a, "pingpong")),
            ("pingpong_callback", |a| pingpong(a, "pingpong_callback")),
            ("mpmc", mpmc),
            ("mutex", mutex),
            ("select", select_row),
            ("blocking_progress", blocking_progress),
            ("echo", echo),
            ("first_spawn", first_spawn),
        ],
        &[("first_spawn_child", first_spawn_child)],
    );
}
