//! The rows about what others notice while C takes long, and about what waiting costs.

use super::*;

async fn slices(window: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < window {
        slice();
        count += 1;
        yield_now().await;
    }
    count as f64 / start.elapsed().as_secs_f64()
}

pub(crate) async fn blocking_progress(args: Args) {
    let window = Duration::from_secs_f64(0.7 * args.scale);
    slices(window / 7).await;
    let alone = slices(window).await;
    static STOP: AtomicBool = AtomicBool::new(false);
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let sleepers = (0..64).map(|_| {
        spawn(async {
            while !STOP.load(Relaxed) {
                // SAFETY: sleeps.
                spawn_blocking(|| unsafe { callee_usleep(20_000) }).await.unwrap();
                CALLS.fetch_add(1, Relaxed);
            }
        })
    });
    let sleepers = sleepers.collect();
    slices(window / 7).await;
    let (start, before) = (Instant::now(), CALLS.load(Relaxed));
    put("blocking_progress.cpu", slices(window).await / alone, "ratio");
    blocking_calls(CALLS.load(Relaxed) - before, start);
    STOP.store(true, Relaxed);
    join_all(sleepers).await;
}

/// `in_place`: the task itself calls C (`block_in_place`); else it awaits a `spawn_blocking`.
pub(crate) async fn handoff(args: Args, row: &str, in_place: bool) {
    static START: AtomicI64 = AtomicI64::new(0);
    static DELAY: AtomicI64 = AtomicI64::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    let counting = spawn(async {
        while !STOP.load(Relaxed) {
            let t = START.load(Relaxed);
            if t != 0 {
                DELAY.store(gauge::now_ns() - t, Relaxed);
                START.store(0, Relaxed);
            }
            yield_now().await;
        }
    });
    let mut v = Vec::new();
    // SAFETY: sleeps.
    let call = || unsafe { callee_usleep(30_000) };
    for _ in 0..args.scaled(100) {
        yield_now().await;
        START.store(gauge::now_ns(), Relaxed);
        if in_place {
            block_in_place(call);
        } else {
            spawn_blocking(call).await.unwrap();
        }
        while START.load(Relaxed) != 0 {
            yield_now().await;
        }
        v.push(DELAY.load(Relaxed) as f64 / 1e3);
    }
    STOP.store(true, Relaxed);
    counting.await.unwrap();
    quantiles(row, v, "us");
}

pub(crate) async fn handoff_once(args: Args) {
    let mut v = Vec::new();
    for _ in 0..args.scaled(40) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = gauge::now_ns();
        let other = spawn(async move { gauge::now_ns() - start });
        // SAFETY: sleeps.
        block_in_place(|| unsafe { callee_usleep(30_000) });
        v.push(other.await.unwrap() as f64 / 1e3);
    }
    quantiles("handoff_once", v, "us");
}

static GATE: Semaphore = Semaphore::const_new(0);
static HANDLE: OnceLock<Handle> = OnceLock::new();
static UP: AtomicUsize = AtomicUsize::new(0);

/// Counts itself in, and waits for the gate.
async fn wait() {
    UP.fetch_add(1, Relaxed);
    GATE.acquire().await.unwrap().forget();
}

extern "C" fn wait_callback(x: c_int) -> c_int {
    HANDLE.get().unwrap().block_on(wait());
    x
}

async fn until_up(n: usize) {
    while UP.load(Relaxed) < n {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
}

pub(crate) async fn blocked_callbacks() {
    HANDLE.set(Handle::current()).unwrap();
    let before = gauge::threads();
    // SAFETY: the callback may block, the thread is for that.
    let calls = (0..200).map(|_| spawn_blocking(|| unsafe { callee_loop(wait_callback, 0, 1) })).collect();
    until_up(200).await;
    put("blocked_callbacks.during", (gauge::threads() - before) as f64, "threads");
    GATE.add_permits(200);
    join_all(calls).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    put("blocked_callbacks.after", (gauge::threads() - before) as f64, "threads");
}

pub(crate) async fn sleepers(args: Args) {
    let tasks = (0..args.scaled(100_000)).map(|i| {
        spawn(async move {
            let (start, time) = (Instant::now(), random_sleep(i));
            tokio::time::sleep(time).await;
            (start.elapsed().as_nanos() as f64 - time.as_nanos() as f64) / 1e3
        })
    });
    quantiles("sleepers", join_all(tasks.collect()).await, "us");
}

pub(crate) async fn parked_mem(args: Args) {
    let n = args.scaled(1_000_000);
    let before = gauge::memory();
    (0..n).for_each(|_| drop(spawn(wait())));
    until_up(n).await;
    put("parked_mem", (gauge::memory() - before) as f64 / n as f64, "B");
}

pub(crate) async fn echo(args: Args) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(async move {
        loop {
            let (mut c, _) = listener.accept().await.unwrap();
            c.set_nodelay(true).unwrap();
            spawn(async move {
                let mut buf = [0; 64];
                while c.read_exact(&mut buf).await.is_ok() && c.write_all(&buf).await.is_ok() {}
            });
        }
    });
    let mut conns = Vec::new();
    for _ in 0..64 {
        let c = TcpStream::connect(address).await.unwrap();
        c.set_nodelay(true).unwrap();
        conns.push(c);
    }
    let each = args.scaled(1500);
    let mut rate = 0.0;
    for each in [each / 10 + 1, each] {
        let start = Instant::now();
        let clients = conns.into_iter().map(|mut c| {
            spawn(async move {
                for j in 0..each {
                    let mut buf = [j as u8; 64];
                    c.write_all(&buf).await.unwrap();
                    buf[0] = !buf[0];
                    c.read_exact(&mut buf).await.unwrap();
                    assert_eq!(buf[0], j as u8);
                }
                c
            })
        });
        conns = join_all(clients.collect()).await;
        rate = (64 * each) as f64 / start.elapsed().as_secs_f64();
    }
    put("echo", rate, "msg/s");
}

pub(crate) fn idle_row(args: Args) {
    let rt = runtime(args.workers);
    rt.block_on(async {
        (0..1000).for_each(|_| drop(spawn(wait())));
        until_up(1000).await;
    });
    idle(args);
}

pub(crate) fn first_spawn_child(_: Args) {
    let before = gauge::now_ns();
    let rt = Builder::new_multi_thread().enable_all().build().unwrap();
    let first = rt.block_on(rt.spawn(async { gauge::now_ns() })).unwrap();
    first_spawn_report(before, first);
}
