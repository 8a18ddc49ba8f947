//! The same on the cores of this machine, to check the model by: the cost of a line that goes to and fro, and a loop that passes
//! either gate.

use std::cell::UnsafeCell;
use std::hint::{black_box, spin_loop};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// glibc's mutex, as Go's gate until 1.21 has it.
struct Mutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: a mutex is made to be used by many threads at once.
unsafe impl Sync for Mutex {}

impl Mutex {
    fn pass(&self) {
        // SAFETY: it is initialised, stays where it is, and is unlocked by the thread that locked it.
        unsafe {
            libc::pthread_mutex_lock(self.0.get());
            libc::pthread_mutex_unlock(self.0.get());
        }
    }
}

/// Nanoseconds for a line to go from one core to the other, as in the program that the published figures are of. The shortest of many
/// short stretches: in the others one of the two threads had no core.
pub(crate) fn transfer() -> f64 {
    const STRETCH: usize = 1_000;
    const STRETCHES: usize = 500;
    let turn = AtomicUsize::new(0);
    let wait_and_hand_over = |number: usize| {
        while turn.compare_exchange(number, number + 1, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            spin_loop();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| (0..2 * STRETCH * STRETCHES).step_by(2).for_each(wait_and_hand_over));
        let stretch = |at: usize| {
            let start = Instant::now();
            (0..STRETCH).for_each(|number| wait_and_hand_over(2 * (at * STRETCH + number) + 1));
            start.elapsed().as_nanos() as f64 / (2 * STRETCH) as f64
        };
        (0..STRETCHES).map(stretch).fold(f64::INFINITY, f64::min)
    })
}

/// Nanoseconds per task over all threads: each computes for a while, and passes the mutex `rounds` times, or loads a flag once. The lower
/// quartile of many short runs: whatever else the machine has to do only adds to it.
pub(crate) fn per_task(threads: usize, work: usize, rounds: usize) -> f64 {
    let mut runs: Vec<_> = (0..RUNS).map(|_| run(threads, work, rounds)).collect();
    runs.sort_by(f64::total_cmp);
    runs[RUNS / 4]
}

const RUNS: usize = 61;

fn run(threads: usize, work: usize, rounds: usize) -> f64 {
    const TASKS: usize = 10_000;
    let mutex = Mutex(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
    let (flag, barrier) = (AtomicUsize::new(1), Barrier::new(threads));
    let task = || {
        compute(work);
        if rounds == 0 {
            black_box(flag.load(Ordering::Acquire));
        }
        (0..rounds).for_each(|_| mutex.pass());
    };
    let all_tasks = || {
        barrier.wait();
        let start = Instant::now();
        (0..TASKS).for_each(|_| task());
        (start, Instant::now())
    };
    let times = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(all_tasks)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it only computes")).collect::<Vec<_>>()
    });
    let start = times.iter().map(|time| time.0).min().expect("there is a thread");
    let end = times.iter().map(|time| time.1).max().expect("there is a thread");
    (end - start).as_nanos() as f64 / (threads * TASKS) as f64
}

/// A chain of multiplications, so that none begins before the last is over.
fn compute(work: usize) {
    let mut x = 1_u64;
    for _ in 0..work {
        x = black_box(x).wrapping_mul(6_364_136_223_846_793_005);
    }
    black_box(x);
}
