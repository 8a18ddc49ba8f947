//! The rows about what others notice while C takes long, and about what waiting costs.

use super::*;

fn slices(window: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < window {
        slice();
        count += 1;
        coroutine::yield_now();
    }
    count as f64 / start.elapsed().as_secs_f64()
}

pub(crate) fn blocking_progress(args: Args) {
    let window = Duration::from_secs_f64(0.7 * args.scale);
    slices(window / 7);
    let alone = slices(window);
    let (stop, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    coroutine::scope(|s| {
        for _ in 0..64 {
            go!(s, || while !stop.load(Relaxed) {
                // SAFETY: sleeps.
                unsafe { callee_usleep(20_000) };
                calls.fetch_add(1, Relaxed);
                coroutine::yield_now(); // else the first few keep the workers for good
            });
        }
        slices(window / 7);
        let (start, before) = (Instant::now(), calls.load(Relaxed));
        put("blocking_progress.cpu", slices(window) / alone, "ratio");
        blocking_calls(calls.load(Relaxed) - before, start);
        stop.store(true, Relaxed);
    });
}

pub(crate) fn handoff(args: Args) {
    let (start, delay, stop) = (AtomicI64::new(0), AtomicI64::new(0), AtomicBool::new(false));
    let mut v = Vec::new();
    let (started, wait) = spsc::channel();
    coroutine::scope(|s| {
        let (start, delay, stop) = (&start, &delay, &stop);
        go!(s, move || {
            started.send(()).unwrap();
            while !stop.load(Relaxed) {
                let t = start.load(Relaxed);
                if t != 0 {
                    delay.store(gauge::now_ns() - t, Relaxed);
                    start.store(0, Relaxed);
                }
                coroutine::yield_now();
            }
        });
        wait.recv().unwrap(); // a worker that always has something to yield to never takes in what was spawned
        for _ in 0..args.scaled(100) {
            coroutine::yield_now();
            start.store(gauge::now_ns(), Relaxed);
            // SAFETY: sleeps.
            unsafe { callee_usleep(30_000) };
            while start.load(Relaxed) != 0 {
                coroutine::yield_now();
            }
            v.push(delay.load(Relaxed) as f64 / 1e3);
        }
        stop.store(true, Relaxed);
    });
    quantiles("handoff", v, "us");
}

pub(crate) fn handoff_once(args: Args) {
    let one = |_| {
        std::thread::sleep(Duration::from_millis(50)); // coroutine::sleep would go on on the timer thread
        let start = gauge::now_ns();
        let other = go!(move || gauge::now_ns() - start);
        // SAFETY: sleeps.
        unsafe { callee_usleep(30_000) };
        other.join().unwrap() as f64 / 1e3
    };
    quantiles("handoff_once", (0..args.scaled(40)).map(one).collect(), "us");
}

static GATE: OnceLock<Semphore> = OnceLock::new();
static UP: AtomicUsize = AtomicUsize::new(0);

/// Counts itself in, and waits for the gate.
fn wait() {
    UP.fetch_add(1, Relaxed);
    GATE.get().unwrap().wait();
}

extern "C" fn wait_callback(x: c_int) -> c_int {
    wait();
    x
}

/// Starts `n` coroutines that run `f`, which calls `wait`; returns when all wait.
fn park(n: usize, f: fn()) -> Vec<coroutine::JoinHandle<()>> {
    GATE.set(Semphore::new(0)).ok().unwrap();
    let handles = (0..n).map(|_| go!(f)).collect();
    while UP.load(Relaxed) < n {
        coroutine::sleep(Duration::from_millis(1));
    }
    coroutine::sleep(Duration::from_millis(200));
    handles
}

pub(crate) fn blocked_callbacks(_: Args) {
    let before = gauge::threads();
    // SAFETY: as in `pingpong_callback`.
    let handles = park(200, || unsafe { callee_loop(wait_callback, 0, 1) });
    put("blocked_callbacks.during", (gauge::threads() - before) as f64, "threads");
    (0..200).for_each(|_| GATE.get().unwrap().post());
    handles.into_iter().for_each(|h| h.join().unwrap());
    std::thread::sleep(Duration::from_secs(15));
    put("blocked_callbacks.after", (gauge::threads() - before) as f64, "threads");
}

pub(crate) fn sleepers(args: Args) {
    let handles: Vec<_> = (0..args.scaled(100_000))
        .map(|i| {
            go!(move || {
                let (start, time) = (Instant::now(), random_sleep(i));
                coroutine::sleep(time);
                (start.elapsed().as_nanos() as f64 - time.as_nanos() as f64) / 1e3
            })
        })
        .collect();
    quantiles("sleepers", handles.into_iter().map(|h| h.join().unwrap()).collect(), "us");
}

/// 30_000 only: each stack is two mappings, and the kernel allows 65,530.
pub(crate) fn parked_mem(args: Args) {
    let n = args.scaled(30_000);
    let before = gauge::memory();
    let handles = park(n, wait);
    put("parked_mem", (gauge::memory() - before) as f64 / n as f64, "B");
    (0..n).for_each(|_| GATE.get().unwrap().post());
    handles.into_iter().for_each(|h| h.join().unwrap());
}

pub(crate) fn echo(args: Args) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    go!(move || for c in listener.incoming() {
        let mut c = c.unwrap();
        c.set_nodelay(true).unwrap();
        go!(move || {
            let mut buf = [0; 64];
            while c.read_exact(&mut buf).is_ok() && c.write_all(&buf).is_ok() {}
        });
    });
    let mut conns: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut run = |each: usize| {
        let start = Instant::now();
        coroutine::scope(|s| {
            for c in &mut conns {
                go!(s, move || {
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

/// Runs outside: the figures are those of an idle process.
pub(crate) fn idle_row(args: Args) {
    may::config().set_workers(args.workers);
    go!(|| drop(park(1000, wait))).join().unwrap();
    idle(args);
}

pub(crate) fn first_spawn_child(_: Args) {
    let before = gauge::now_ns();
    let first = go!(gauge::now_ns).join().unwrap();
    first_spawn_report(before, first);
}
