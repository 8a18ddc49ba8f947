//! One lock for all: green threads, callbacks from C, OS threads, and futures of tokio, smol and an executor of our own.
//!
//! What could break it: a waker of one kind that is called for another, or a hand-over to somebody who cannot be resumed.

mod support;

use greenbridge::sync::Mutex;
use greenbridge::{Start, block_on, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::thread;
use support::{Callback, Way, block_on_all, child_on_processors, for_c, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn mutex_everywhere_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

const ROUNDS: usize = 100;

/// Adds one, with the lock held over a wait now and then.
fn add(lock: &Mutex<usize>, round: usize) {
    let mut count = lock.lock();
    if round.is_multiple_of(3) {
        yield_now();
    }
    *count += 1;
}

async fn adds(lock: Arc<Mutex<usize>>) {
    for round in 0..ROUNDS {
        let mut count = lock.lock_async().await;
        if round.is_multiple_of(3) {
            smol::future::yield_now().await;
        }
        *count += 1;
    }
}

#[greenbridge::export]
extern "C" fn add_in_callback(lock: &Mutex<usize>, round: c_long) -> c_long {
    add(lock, usize::try_from(round).expect("not negative"));
    round
}

#[test]
fn everybody_shares_one_lock() {
    child_on_processors("everybody_adds", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn everybody_adds() {
    start();
    let lock = Arc::new(Mutex::new(0));
    let mut expected = 0;
    let mut green = Vec::new();
    for way in 0..2 + Way::ALL.len() {
        for _ in 0..8 {
            let lock = Arc::clone(&lock);
            expected += ROUNDS;
            green.push(spawn(move || match way {
                0 => (0..ROUNDS).for_each(|round| add(&lock, round)),
                1 => block_on(adds(lock)),
                _ => (0..ROUNDS).for_each(|round| add_through_c(&lock, Way::ALL[way - 2], round)),
            }));
        }
    }
    let threads: Vec<_> = (0..4)
        .map(|way| {
            let lock = Arc::clone(&lock);
            expected += if way == 3 { 10 * ROUNDS } else { ROUNDS };
            thread::spawn(move || match way {
                0 => (0..ROUNDS).for_each(|round| add(&lock, round)),
                1 => tokio_runtime().block_on(async { tokio::spawn(adds(lock)).await.expect("no panic") }),
                2 => smol::block_on(smol::spawn(adds(lock))),
                _ => drop(block_on_all((0..10).map(|_| Box::pin(adds(Arc::clone(&lock)))))),
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    for green in green {
        green.join().expect("no panic");
    }
    assert_eq!(*lock.lock(), expected);
}

fn add_through_c(lock: &Mutex<usize>, way: Way, round: usize) {
    let number = c_long::try_from(round).expect("small");
    let returned = way.call(|| {
        let (f, context) = for_c(add_in_callback, lock);
        // SAFETY: C hands the pointer on to `f` and returns after it, while `lock` is borrowed.
        unsafe { mutex_everywhere_enter(f, context, number) }
    });
    assert_eq!(returned, number);
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("tokio starts")
}
