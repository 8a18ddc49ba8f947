//! C sees one well-behaved OS thread: it stays the same over waiting callbacks, no other chain of C calls runs on it
//! meanwhile (so recursive mutexes and thread-local variables stay right), and `errno` is kept.
//!
//! What could break it: a pinned green thread that is stolen, a green thread that enters C on a worker that has a
//! resident, or another green thread's `errno`.

mod support;

use greenbridge::channel::{Sender, bounded, unbounded};
use greenbridge::{Start, call, pin, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Callback, Movers, child_on_processors, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

type InC = unsafe extern "C" fn(Callback<()>, *mut c_void, c_long) -> c_long;

unsafe extern "C" {
    fn thread_of_c_changes(f: Callback<()>, context: *mut c_void, times: c_long) -> c_long;
    fn thread_of_c_with_mutex(f: Callback<()>, context: *mut c_void, id: c_long) -> c_long;
    fn thread_of_c_with_thread_local(f: Callback<()>, context: *mut c_void, id: c_long) -> c_long;
    fn thread_of_c_with_errno(f: Callback<()>, context: *mut c_void, number: c_long) -> c_long;
}

/// Lets `c` call `f` with `context`, in a `call`.
fn through_c<T: Sync>(c: InC, f: extern "C" fn(&T, c_long), context: &T, number: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    call(|| unsafe { c(f, context, number) })
}

/// Asks the echo service and waits for its answer.
#[greenbridge::export]
extern "C" fn wait_for_echo(requests: &Requests, number: c_long) {
    ask_echo(requests, number);
}

fn ask_echo(requests: &Requests, number: c_long) {
    let (reply, replied) = bounded(1);
    requests.send((number, reply)).expect("the service runs");
    assert_eq!(replied.recv(), Ok(number));
}

type Requests = Sender<(c_long, Sender<c_long>)>;

/// Starts green threads that answer, each from whatever worker it happens to run on, and spoil `errno` in between.
fn echo_service() -> Requests {
    let (requests, requested) = unbounded::<(c_long, Sender<c_long>)>();
    for _ in 0..3 {
        let requested = requested.clone();
        spawn(move || {
            for (number, reply) in requested {
                spoil_errno();
                yield_now();
                reply.send(number).expect("whoever asked waits");
            }
        });
    }
    requests
}

fn spoil_errno() {
    // SAFETY: closes nothing: there is no such file descriptor.
    assert_eq!(unsafe { libc::close(-1) }, -1);
}

/// Green threads that only yield, so that everybody else is stolen and moved about; they end when the guard is dropped.
struct Restless(Arc<AtomicBool>);

impl Restless {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..8 {
            let over = Arc::clone(&over);
            spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    yield_now();
                }
            });
        }
        Self(over)
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn c_stays_on_its_thread_over_a_thousand_callbacks_that_yield() {
    child_on_processors("callbacks_yield_among_restless_green_threads", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_yield_among_restless_green_threads() {
    run(|| {
        let _restless = Restless::start();
        let chains = (0..4).map(|_| spawn(|| through_c(thread_of_c_changes, yield_in_callback, &(), 250)));
        for chain in chains.collect::<Vec<_>>() {
            assert_eq!(chain.join().expect("no panic"), 0, "C was moved to another OS thread");
        }
    });
}

#[greenbridge::export]
extern "C" fn yield_in_callback(_: &(), _: c_long) {
    yield_now();
}

#[test]
fn c_stays_on_its_thread_over_callbacks_woken_from_other_workers() {
    child_on_processors("callbacks_woken_from_other_workers", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_woken_from_other_workers() {
    run(|| {
        let (movers, _) = Movers::start();
        let chains: Vec<_> = (0..4)
            .map(|_| {
                let movers = movers.clone();
                spawn(move || through_c(thread_of_c_changes, round_of_movers, &movers, 100))
            })
            .collect();
        for chain in chains {
            assert_eq!(chain.join().expect("no panic"), 0, "C was moved to another OS thread");
        }
    });
}

#[greenbridge::export]
extern "C" fn round_of_movers(movers: &Movers, _: c_long) {
    movers.round();
}

/// Many chains of calls through the same C code at once, each waiting in its callback.
fn chains_at_once(c: InC, chains: c_long, rounds: c_long) {
    let requests = Arc::new(echo_service());
    let _restless = Restless::start();
    let threads: Vec<_> = (1..=chains)
        .map(|id| {
            let requests = Arc::clone(&requests);
            spawn(move || {
                for round in 0..rounds {
                    let faults = through_c(c, wait_for_echo, &*requests, id);
                    assert_eq!(faults, 0, "chain {id} met another one on its OS thread in round {round}");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn a_recursive_mutex_held_over_a_waiting_callback_lets_nobody_else_in() {
    child_on_processors("chains_through_a_recursive_mutex", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn chains_through_a_recursive_mutex() {
    run(|| chains_at_once(thread_of_c_with_mutex, 12, 20));
}

#[test]
fn a_thread_local_variable_of_c_is_seen_by_one_chain_of_calls_at_a_time() {
    child_on_processors("chains_through_a_thread_local_variable", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn chains_through_a_thread_local_variable() {
    run(|| chains_at_once(thread_of_c_with_thread_local, 24, 40));
}

#[test]
fn a_pinned_green_thread_keeps_its_thread_free_of_other_chains_too() {
    child_on_processors("pinned_green_threads_and_chains_of_calls", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn pinned_green_threads_and_chains_of_calls() {
    run(|| {
        let requests = Arc::new(echo_service());
        let pinned: Vec<_> = (1..=4)
            .map(|id| {
                let requests = Arc::clone(&requests);
                spawn(move || {
                    let _pinned = pin();
                    for _ in 0..40 {
                        ask_echo(&requests, id);
                        assert_eq!(through_c(thread_of_c_with_thread_local, wait_for_echo, &*requests, id), 0);
                    }
                })
            })
            .collect();
        chains_at_once(thread_of_c_with_thread_local, 8, 40);
        for thread in pinned {
            thread.join().expect("no panic");
        }
    });
}

#[test]
fn errno_of_c_is_kept_over_a_waiting_callback() {
    child_on_processors("errno_over_waiting_callbacks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn errno_over_waiting_callbacks() {
    run(|| {
        let requests = Arc::new(echo_service());
        let threads: Vec<_> = (1..=20)
            .map(|id| {
                let requests = Arc::clone(&requests);
                spawn(move || {
                    for round in 0..20 {
                        // A number that the system never uses.
                        let number = 1000 * id + round;
                        assert_eq!(through_c(thread_of_c_with_errno, wait_for_echo, &*requests, number), number);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}
