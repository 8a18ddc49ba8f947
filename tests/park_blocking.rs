//! Where `park` must block its OS thread, it returns after `unpark` all the same, once for each, and other green threads go on
//! meanwhile.
//!
//! What could break it: an `unpark` that wakes the green thread where its OS thread waits, a permit that is given between the
//! last look and the block, or one that counts twice.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{JoinHandle, Start, Thread, call, call_interleaved, call_on_thread_stack, park, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Callback, child_on_processors, for_c, gettid, panic_text, start, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

/// Parks of each test.
const ROUNDS: usize = 300;

unsafe extern "C" {
    fn park_blocking_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

fn enter<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    unsafe { park_blocking_enter(f, context, 0) }
}

/// One side parks, the other lets it go on, round by round.
#[derive(Default)]
struct Rounds {
    /// The round that is about to park, or parks.
    begun: AtomicUsize,
    /// The round that may go on.
    allowed: AtomicUsize,
}

impl Rounds {
    fn park_in_each(&self) {
        let home = gettid();
        for round in 1..=ROUNDS {
            self.begun.store(round, Ordering::Release);
            park();
            assert!(self.allowed.load(Ordering::Acquire) >= round, "park returned without an unpark in round {round}");
            assert_eq!(gettid(), home, "what blocks its OS thread has left it");
        }
    }

    /// Before the park or after it: the other side is only known to be about to.
    fn allow_each(&self, parked: &Thread) {
        for round in 1..=ROUNDS {
            yield_until(&self.begun, round);
            for _ in 0..round % 4 {
                yield_now();
            }
            self.allowed.store(round, Ordering::Release);
            parked.unpark();
        }
    }
}

/// Spawns `parks`, which parks in each round, and allows the rounds from a green thread; then again from an OS thread.
fn is_unparked_from_both<T: Send + 'static>(
    parks: impl Fn(Arc<Rounds>) -> JoinHandle<T>,
    ended: impl Fn(std::thread::Result<T>),
) {
    let rounds = Arc::new(Rounds::default());
    let handle = parks(Arc::clone(&rounds));
    let parked = handle.thread().clone();
    spawn(move || rounds.allow_each(&parked)).join().expect("no panic");
    ended(handle.join());

    let rounds = Arc::new(Rounds::default());
    let handle = parks(Arc::clone(&rounds));
    rounds.allow_each(handle.thread());
    ended(handle.join());
}

#[greenbridge::export]
extern "C" fn park_in_callback(rounds: &Rounds, _: c_long) -> c_long {
    rounds.park_in_each();
    7
}

#[test]
fn a_callback_on_the_threads_own_stack_is_unparked() {
    child_on_processors("callbacks_park_on_the_threads_own_stack", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_park_on_the_threads_own_stack() {
    start();
    is_unparked_from_both(
        |rounds| spawn(move || call_on_thread_stack(|| enter(park_in_callback, &*rounds))),
        |ended| assert_eq!(ended.expect("no panic"), 7),
    );
}

/// Parks when it is dropped.
struct ParksInDrop(Arc<Rounds>);

impl Drop for ParksInDrop {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "it is dropped by a panic");
        self.0.park_in_each();
    }
}

#[test]
fn a_drop_that_parks_while_a_panic_unwinds_is_unparked() {
    child_on_processors("drops_park_while_a_panic_unwinds", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn drops_park_while_a_panic_unwinds() {
    start();
    is_unparked_from_both(
        |rounds| {
            spawn(move || {
                let _parks = ParksInDrop(rounds);
                panic!("past one that parks");
            })
        },
        |ended: std::thread::Result<()>| {
            assert_eq!(panic_text(&*ended.expect_err("it panicked")), "past one that parks");
        },
    );
}

/// Interleaved calls that wait: their OS thread keeps them.
struct Residents {
    calls: Vec<JoinHandle<c_long>>,
    leave: Sender<()>,
}

static RESIDENT: AtomicUsize = AtomicUsize::new(0);

impl Residents {
    const COUNT: usize = 20;

    fn start() -> Self {
        let (leave, left) = bounded(0);
        let calls = (0..Self::COUNT)
            .map(|_| {
                let left = left.clone();
                // SAFETY: C keeps nothing across a callback.
                spawn(move || unsafe { call_interleaved(|| enter(reside, &left)) })
            })
            .collect();
        yield_until(&RESIDENT, Self::COUNT);
        Self { calls, leave }
    }

    fn end(self) {
        for _ in &self.calls {
            self.leave.send(()).expect("one waits");
        }
        for call in self.calls {
            assert_eq!(call.join().expect("no panic"), 0);
        }
    }
}

#[greenbridge::export]
extern "C" fn reside(left: &Receiver<()>, _: c_long) -> c_long {
    RESIDENT.fetch_add(1, Ordering::AcqRel);
    left.recv().expect("it is told to leave");
    0
}

#[greenbridge::export]
extern "C" fn park_in_nested_call(rounds: &Rounds, _: c_long) -> c_long {
    call(|| enter(park_in_callback, rounds))
}

#[test]
fn a_call_nested_beside_interleaved_residents_is_unparked() {
    child_on_processors("nested_calls_park_beside_interleaved_residents", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn nested_calls_park_beside_interleaved_residents() {
    start();
    let residents = Residents::start();
    is_unparked_from_both(
        // SAFETY: C keeps nothing across a callback.
        |rounds| spawn(move || unsafe { call_interleaved(|| enter(park_in_nested_call, &*rounds)) }),
        |ended| assert_eq!(ended.expect("no panic"), 7),
    );
    residents.end();
}
