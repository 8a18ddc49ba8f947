//! What the peers in Rust share: the command line, how a row prints, the C callees and gauges, and the rows about C that need
//! nothing from a runtime but a thread to run on. What one operation of a row is stands in the heads of the files
//! `benches/src/*_rows.rs`; every program does the same work and checks the same sums.

use std::cell::UnsafeCell;
use std::ffi::{CString, c_char, c_int, c_long, c_void};
use std::time::{Duration, Instant};

/// A callback as C sees it.
pub type Callback = extern "C" fn(c_int) -> c_int;

unsafe extern "C" {
    /// Returns `x`.
    pub fn callee_empty(x: c_int) -> c_int;
    /// Calls `f(x)` `n` times.
    pub fn callee_loop(f: Callback, x: c_int, n: c_long);
    /// Sleeps, and blocks the OS thread for it.
    pub fn callee_usleep(us: c_long);
    /// Calls back from one fresh pthread, and waits for its end.
    pub fn callee_thread(f: Callback, x: c_int, n: c_long, first_ns: *mut f64, rest_ns: *mut f64);
    fn get_value(key: *mut u8, value: *mut u8);
    fn gauge_now_ns() -> i64;
    fn gauge_cpu_ns() -> i64;
    fn gauge_switches() -> i64;
    fn gauge_threads() -> i64;
    fn gauge_memory() -> i64;
    fn gauge_cold_start(
        p: *const c_char,
        row: *const c_char,
        tries: c_int,
        process: *mut f64,
        runtime: *mut f64,
    ) -> c_int;
}

/// The gauges of `gauge.h`, as safe functions.
pub mod gauge {
    macro_rules! gauges { ($($name:ident $callee:ident),*) => { $(
        #[doc = concat!("`", stringify!($callee), "`.")]
        pub fn $name() -> i64 {
        // SAFETY: takes nothing, returns a number, may be called from any thread.
        unsafe { super::$callee() }
    })* } }
    gauges!(now_ns gauge_now_ns, cpu_ns gauge_cpu_ns, switches gauge_switches, threads gauge_threads,
            memory gauge_memory);
}

/// The command line: `PROG ROW [--workers N] [--scale F]`.
#[derive(Clone, Copy)]
pub struct Args {
    /// How many worker threads.
    pub workers: usize,
    /// Multiplies the number of operations.
    pub scale: f64,
}

impl Args {
    /// `n` times the scale, at least one.
    pub fn scaled(&self, n: usize) -> usize {
        ((n as f64 * self.scale) as usize).max(1)
    }
}

/// A row: its name and its body.
pub type Row = (&'static str, fn(Args));

/// Runs the row named on the command line. `hidden` rows are those that `list` does not print.
pub fn main(rows: &[Row], hidden: &[Row]) {
    let argv: Vec<String> = std::env::args().collect();
    let mut args = Args { workers: std::thread::available_parallelism().map_or(1, |n| n.get()), scale: 1.0 };
    let Some(row) = argv.get(1) else {
        eprintln!("usage: PROG ROW [--workers N] [--scale F]   (PROG list: the rows)");
        std::process::exit(2)
    };
    if row == "list" {
        return rows.iter().for_each(|(name, _)| println!("{name}"));
    }
    for pair in argv[2..].chunks(2) {
        match pair {
            [k, v] if k == "--workers" => args.workers = v.parse().expect("--workers N"),
            [k, v] if k == "--scale" => args.scale = v.parse().expect("--scale F"),
            _ => panic!("unknown argument {pair:?}"),
        }
    }
    let Some((_, run)) = rows.iter().chain(hidden).find(|(name, _)| name == row) else {
        eprintln!("unknown row {row}");
        std::process::exit(2)
    };
    run(args);
    std::process::exit(0); // parked green threads are not waited for
}

/// Prints one figure.
pub fn put(row: &str, value: f64, unit: &str) {
    println!("{row} {value:.6} {unit}");
}

/// Warms up with a tenth, then prints nanoseconds per operation over `n` operations.
pub fn per_op(args: Args, row: &str, n: usize, mut f: impl FnMut(usize)) {
    let n = args.scaled(n);
    f((n / 10).max(1));
    let start = Instant::now();
    f(n);
    put(row, start.elapsed().as_nanos() as f64 / n as f64, "ns");
}

/// Prints the median and the 99th percentile.
pub fn quantiles(row: &str, mut v: Vec<f64>, unit: &str) {
    v.sort_by(f64::total_cmp);
    put(&format!("{row}.p50"), v[v.len() / 2], unit);
    put(&format!("{row}.p99"), v[v.len() * 99 / 100], unit);
}

/// One counter per thread, each on a cache line of its own; the callback's argument picks one.
#[repr(align(64))]
struct Counter(UnsafeCell<i64>);
// SAFETY: a row lets only one thread at a time use a given counter.
unsafe impl Sync for Counter {}
static COUNTERS: [Counter; 1024] = [const { Counter(UnsafeCell::new(0)) }; 1024];

/// The callback: adds one to counter `x`.
pub extern "C" fn add(x: c_int) -> c_int {
    // SAFETY: see `Counter`; the volatile access keeps the add in the loop.
    unsafe {
        let n = COUNTERS[x as usize].0.get();
        n.write_volatile(n.read_volatile() + 1);
    }
    x
}

fn counter(x: usize) -> i64 {
    // SAFETY: as in `add`.
    unsafe { COUNTERS[x].0.get().read_volatile() }
}

/// The row `c_call`.
pub fn c_call(args: Args) {
    per_op(args, "c_call", 200_000_000, |n| {
        // SAFETY: the callee touches nothing.
        let sum: usize = (0..n).map(|_| unsafe { callee_empty(1) } as usize).sum();
        assert_eq!(sum, n);
    });
}

/// `n` callbacks on counter `x`, in one C call.
pub fn callbacks(x: usize, n: usize) {
    let before = counter(x);
    // SAFETY: `add` is callable any number of times.
    unsafe { callee_loop(add, x as c_int, n as c_long) };
    assert_eq!(counter(x), before + n as i64);
}

/// The row `c_callback`.
pub fn c_callback(args: Args) {
    per_op(args, "c_callback", 150_000_000, |n| callbacks(0, n));
}

/// The row `c_call_callback`.
pub fn c_call_callback(args: Args) {
    per_op(args, "c_call_callback", 100_000_000, |n| {
        let before = counter(0);
        for _ in 0..n {
            // SAFETY: as in `callbacks`.
            unsafe { callee_loop(add, 0, 1) };
        }
        assert_eq!(counter(0), before + n as i64);
    });
}

/// The callbacks of each thread in the row `c_par_callback`.
pub const PAR_CALLBACKS: usize = 150_000_000;

/// A fresh pthread made by C: one callback, then `n` more. Nanoseconds for the first, and for each of the rest.
fn thread_callbacks(n: usize) -> (f64, f64) {
    let (mut first, mut rest) = (0.0, 0.0);
    // SAFETY: both pointers outlive the call.
    unsafe { callee_thread(add, 0, n as c_long, &mut first, &mut rest) };
    (first, rest)
}

/// The row `c_thread_callback`.
pub fn c_thread_callback(args: Args) {
    let n = args.scaled(150_000_000);
    thread_callbacks(n / 10);
    let (_, rest) = thread_callbacks(n);
    assert_eq!(counter(0), (n / 10 + n + 2) as i64);
    put("c_thread_callback", rest, "ns");
}

/// The row `c_thread_first`.
pub fn c_thread_first(args: Args) {
    let mut v: Vec<f64> = (0..args.scaled(220)).map(|_| thread_callbacks(0).0).collect();
    let mut v = v.split_off(v.len().saturating_sub(1).min(20));
    v.sort_by(f64::total_cmp);
    put("c_thread_first", v[v.len() / 2], "ns");
}

/// What Go's `C.CBytes` does.
fn c_bytes(b: &[u8]) -> *mut u8 {
    // SAFETY: a fresh block of the right size.
    unsafe {
        let p = libc::malloc(b.len()) as *mut u8;
        p.copy_from_nonoverlapping(b.as_ptr(), b.len());
        p
    }
}

/// What Go's `C.GoBytes` does.
fn rust_bytes(p: *const u8, n: usize) -> Vec<u8> {
    // SAFETY: the callers pass a block of `n` bytes.
    unsafe { std::slice::from_raw_parts(p, n) }.to_vec()
}

/// The exported function of the seed's program.
///
/// # Safety
/// Both pointers are to 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn c_call_get_value(key: *mut u8, value: *mut u8) {
    std::hint::black_box(rust_bytes(key, 32));
    let zeros = std::hint::black_box(vec![0u8; 32]);
    for (i, b) in zeros.iter().enumerate() {
        // SAFETY: C passes 32 bytes; volatile: byte by byte, as the seed's program writes.
        unsafe { value.add(i).write_volatile(*b) };
    }
}

/// One task of the seed's program: two C buffers, a call, its callback, and the copies.
pub fn seed_task(key: &[u8; 32]) {
    // SAFETY: both buffers are 32 bytes and freed once.
    unsafe {
        let ckey = c_bytes(key);
        let cvalue = libc::malloc(32) as *mut u8;
        get_value(ckey, cvalue);
        let value = std::hint::black_box(rust_bytes(cvalue, 32));
        assert_eq!(value[31], 0);
        libc::free(ckey as *mut c_void);
        libc::free(cvalue as *mut c_void);
    }
}

/// Runs the seed's program: a short warm-up, then the full number of tasks. `run(n)` returns the time to drain `n`.
pub fn seed(args: Args, mut run: impl FnMut(usize) -> Duration) {
    run(args.scaled(100_000));
    put("seed", run(args.scaled(10_000_000)).as_secs_f64() * 1e3, "ms");
}

/// A fixed piece of CPU work, for `blocking_progress`.
pub fn slice() {
    let x = (0..20_000)
        .fold(1u64, |x, _| std::hint::black_box(x).wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
    std::hint::black_box(x);
}

/// The second figure of `blocking_progress`: of the C calls that 64 threads could make since `start`, how many were made.
pub fn blocking_calls(made: usize, start: Instant) {
    put("blocking_progress.calls", made as f64 / (64.0 * start.elapsed().as_secs_f64() / 0.020), "ratio");
}

/// A random sleep below half a second; a splitmix64 step of `i`.
pub fn random_sleep(i: usize) -> Duration {
    let mut z = (i as u64 + 1).wrapping_mul(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB);
    Duration::from_nanos((z ^ (z >> 31)) % 500_000_000)
}

/// The figures of the row `idle`, over three seconds in which this thread sleeps too.
pub fn idle(args: Args) {
    let window = Duration::from_secs_f64(3.0 * args.scale);
    let (cpu, switches) = (gauge::cpu_ns(), gauge::switches());
    std::thread::sleep(window);
    put("idle.cpu", (gauge::cpu_ns() - cpu) as f64 / 1e6 / window.as_secs_f64(), "ms/s");
    put("idle.switches", (gauge::switches() - switches) as f64 / window.as_secs_f64(), "1/s");
}

/// Starts this program cold, many times. The child's row is `first_spawn_child`; it calls [`first_spawn_report`].
pub fn first_spawn(args: Args) {
    let (program, row) = (CString::new("/proc/self/exe").unwrap(), CString::new("first_spawn_child").unwrap());
    let (mut process, mut runtime) = (0.0, 0.0);
    // SAFETY: all pointers outlive the call.
    let rc = unsafe {
        gauge_cold_start(program.as_ptr(), row.as_ptr(), args.scaled(60) as c_int, &mut process, &mut runtime)
    };
    assert_eq!(rc, 0, "gauge_cold_start");
    put("first_spawn.process", process, "us");
    put("first_spawn.runtime", runtime, "us");
}

/// `before`: the clock before the runtime was built; `first`: the clock in its first green thread.
pub fn first_spawn_report(before: i64, first: i64) {
    println!("{first} {}", (first - before) as f64 / 1e3);
}
