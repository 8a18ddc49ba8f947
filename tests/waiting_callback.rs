//! A callback may wait, at any depth of nesting and with any number of processors, and others run meanwhile, on the same
//! worker too.
//!
//! What could break it: a worker that sleeps with its processor while its resident waits, a wake-up that goes to any
//! worker instead of the resident's own, or the frames of C being resumed in the wrong order.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{Start, block_on, call, current, park, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::{Callback, child, child_on_processors, for_c, gettid, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn waiting_callback_enter(f: Callback<c_long>, context: *mut c_void, depth: c_long) -> c_long;
}

/// Calls C, which calls `f` with `context`.
fn through_c<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, depth: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    call(|| unsafe { waiting_callback_enter(f, context, depth) })
}

#[test]
fn a_callback_that_waits_on_a_channel_lets_its_peer_run() {
    child_on_processors("a_callback_receives_from_a_green_thread", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_callback_receives_from_a_green_thread() {
    run(|| {
        for capacity in [0, 1] {
            let (values, received) = bounded(capacity);
            let peer = spawn(move || {
                for value in 0..10 {
                    values.send(value).expect("the callback receives");
                }
            });
            assert_eq!(through_c(receive_ten, &received, 0), (0..10).sum());
            peer.join().expect("no panic");
        }
    });
}

#[greenbridge::export]
extern "C" fn receive_ten(received: &Receiver<c_long>, _: c_long) -> c_long {
    (0..10).map(|_| received.recv().expect("the peer sends ten")).sum()
}

/// Two channels, one each way, that make two sides wait for each other.
struct Pair {
    ask: Sender<c_long>,
    answer: Receiver<c_long>,
}

fn pair() -> (Pair, Pair) {
    let (ask, asked) = bounded(0);
    let (reply, answer) = bounded(0);
    (Pair { ask, answer }, Pair { ask: reply, answer: asked })
}

#[test]
fn two_green_threads_wait_for_each_other_one_of_them_in_a_callback() {
    child_on_processors("one_side_in_a_callback", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn one_side_in_a_callback() {
    run(|| {
        let (asking, answering) = pair();
        let peer = spawn(move || echo(&answering));
        assert_eq!(through_c(ask_in_callback, &asking, 500), (0..500).map(|value| value + 1).sum());
        drop(asking);
        peer.join().expect("no panic");
    });
}

#[test]
fn two_green_threads_wait_for_each_other_both_in_callbacks() {
    child_on_processors("both_sides_in_callbacks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn both_sides_in_callbacks() {
    run(|| {
        let (asking, answering) = pair();
        let peer = spawn(move || through_c(echo_in_callback, &answering, 0));
        assert_eq!(through_c(ask_in_callback, &asking, 500), (0..500).map(|value| value + 1).sum());
        drop(asking);
        peer.join().expect("no panic");
    });
}

fn echo(pair: &Pair) {
    for value in pair.answer.iter() {
        pair.ask.send(value + 1).expect("whoever asked waits");
    }
}

#[greenbridge::export]
extern "C" fn echo_in_callback(pair: &Pair, _: c_long) -> c_long {
    echo(pair);
    0
}

#[greenbridge::export]
extern "C" fn ask_in_callback(pair: &Pair, times: c_long) -> c_long {
    let ask = |value| {
        pair.ask.send(value).expect("the peer listens");
        pair.answer.recv().expect("the peer answers")
    };
    (0..times).map(ask).sum()
}

#[test]
fn every_level_of_a_nested_chain_waits() {
    child_on_processors("nested_chains_that_wait_at_each_level", &[1, 2, 8]);
}

const CHAINS: usize = 12;
const DEPTH: c_long = 6;

#[test]
#[ignore = "child process"]
fn nested_chains_that_wait_at_each_level() {
    run(|| {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        // One that only yields shares the workers with the chains.
        let peer = spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                yield_now();
            }
        });
        let chains: Vec<_> = (0..CHAINS).map(|_| spawn(nested_chain)).collect();
        for chain in chains {
            assert_eq!(chain.join().expect("no panic"), (0..=DEPTH).map(|depth| 2 * depth).sum());
        }
        over.store(true, Ordering::Relaxed);
        peer.join().expect("no panic");
    });
}

fn nested_chain() -> c_long {
    let (values, received) = bounded(0);
    let feeder = spawn(move || {
        for depth in (0..=DEPTH).rev().chain(0..=DEPTH) {
            values.send(depth).expect("the chain receives");
        }
    });
    let sum = through_c(nest, &received, DEPTH);
    feeder.join().expect("no panic");
    sum
}

/// Waits, calls C that calls this again one level deeper, waits again; must be on the same OS thread all the time.
#[greenbridge::export]
extern "C" fn nest(received: &Receiver<c_long>, depth: c_long) -> c_long {
    let home = gettid();
    assert_eq!(received.recv(), Ok(depth));
    assert_eq!(gettid(), home, "a callback changed its OS thread at depth {depth}, going down");
    let deeper = if depth > 0 { through_c(nest, received, depth - 1) } else { 0 };
    assert_eq!(received.recv(), Ok(depth));
    assert_eq!(gettid(), home, "a callback changed its OS thread at depth {depth}, coming back");
    deeper + 2 * depth
}

#[test]
fn a_callback_may_yield_park_join_and_block_on_a_future() {
    child_on_processors("callbacks_that_wait_in_every_way", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn callbacks_that_wait_in_every_way() {
    run(|| {
        let threads: Vec<_> = (0..20).map(|n| spawn(move || through_c(wait_in_every_way, &(), n))).collect();
        let sum: c_long = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..20).map(|n| 3 * n).sum());
    });
}

#[greenbridge::export]
extern "C" fn wait_in_every_way(_: &(), n: c_long) -> c_long {
    yield_now();
    let home = gettid();
    let me = current();
    let waker = spawn(move || {
        me.unpark();
        n
    });
    park();
    let joined = waker.join().expect("no panic");
    let as_future = block_on(spawn(move || {
        yield_now();
        n
    }));
    let (value, received) = bounded(1);
    spawn(move || value.send(n));
    let awaited = block_on(received.recv_async()).expect("it was sent");
    assert_eq!(gettid(), home, "a callback changed its OS thread");
    joined + as_future.expect("no panic") + awaited
}

#[test]
fn a_waiting_callback_keeps_no_processor_from_green_threads_on_its_worker() {
    child("a_callback_waits_for_many_on_one_processor").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_callback_waits_for_many_on_one_processor() {
    support::start_with(greenbridge::Builder::new().processors(1));
    greenbridge::run(|| {
        let finished = Arc::new(AtomicUsize::new(0));
        let (go, gone) = bounded::<()>(0);
        let threads: Vec<_> = (0..100)
            .map(|_| {
                let (finished, gone) = (Arc::clone(&finished), gone.clone());
                spawn(move || {
                    gone.recv().expect("the callback sends");
                    finished.fetch_add(1, Ordering::AcqRel);
                })
            })
            .collect();
        assert_eq!(through_c(send_a_hundred, &go, 0), 0);
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(finished.load(Ordering::Acquire), 100);
    });
}

#[greenbridge::export]
extern "C" fn send_a_hundred(go: &Sender<()>, _: c_long) -> c_long {
    for _ in 0..100 {
        go.send(()).expect("a hundred receive");
    }
    0
}
