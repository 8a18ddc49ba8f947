//! Whatever is stolen, moved or waits: every piece of work is done exactly once, with one processor and with many.
//!
//! Each test adds up numbers that only come out right if no green thread, no message and no result is lost or doubled.
//! What could break it: two thieves that take the same green thread, one that is resumed before it has left its stack, or a
//! wake-up that is lost between a queue and a sleeping worker.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded, unbounded};
use greenbridge::{Start, call, call_blocking, pin, spawn, yield_now};
use std::ffi::{c_long, c_void};
use support::{Callback, Random, child_on_processors, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn conservation_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    safe fn conservation_sleep(number: c_long) -> c_long;
}

#[test]
fn a_tree_of_green_threads_that_join_adds_up() {
    child_on_processors("a_tree_of_joins", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_tree_of_joins() {
    assert_eq!(run(|| leaves(15, 0)), (0..1 << 15).sum());
}

fn leaves(depth: u32, number: u64) -> u64 {
    if depth == 0 {
        return number;
    }
    let left = spawn(move || leaves(depth - 1, 2 * number));
    let right = spawn(move || leaves(depth - 1, 2 * number + 1));
    left.join().expect("no panic") + right.join().expect("no panic")
}

#[test]
fn a_tree_of_green_threads_that_send_adds_up() {
    child_on_processors("a_tree_of_channels", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_tree_of_channels() {
    run(|| {
        let (result, received) = bounded(1);
        spawn(move || ten_children(0, 10_000, &result));
        assert_eq!(received.recv(), Ok((0..10_000).sum()));
    });
}

fn ten_children(number: u64, size: u64, result: &Sender<u64>) {
    let sum = if size == 1 {
        number
    } else {
        let (partial, received) = bounded(2);
        for child in 0..10 {
            let partial = partial.clone();
            spawn(move || ten_children(number + child * size / 10, size / 10, &partial));
        }
        drop(partial);
        received.iter().sum()
    };
    result.send(sum).expect("the parent waits");
}

#[test]
fn tokens_in_rings_come_round() {
    child_on_processors("rings_of_channels", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn rings_of_channels() {
    const MEMBERS: usize = 100;
    const ROUNDS: u64 = 100;
    run(|| {
        let rings: Vec<_> = (0..4).map(|_| spawn(|| ring(MEMBERS, ROUNDS))).collect();
        for ring in rings {
            assert_eq!(ring.join().expect("no panic"), MEMBERS as u64 * ROUNDS);
        }
    });
}

/// Sends one token around a ring of green threads, each of which adds one to it.
fn ring(members: usize, rounds: u64) -> u64 {
    let (first, mut from) = bounded::<u64>(0);
    for _ in 0..members {
        let (into, next) = bounded(0);
        let previous = std::mem::replace(&mut from, next);
        spawn(move || {
            for token in previous {
                if into.send(token + 1).is_err() {
                    break;
                }
            }
        });
    }
    let mut token = 0;
    for _ in 0..rounds {
        first.send(token).expect("the ring runs");
        token = from.recv().expect("the ring runs");
    }
    token
}

#[test]
fn yielding_green_threads_all_get_their_turns() {
    child_on_processors("a_thousand_green_threads_yield", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_thousand_green_threads_yield() {
    run(|| {
        let threads: Vec<_> = (0..1000_u64)
            .map(|n| {
                spawn(move || {
                    for _ in 0..100 {
                        yield_now();
                    }
                    n
                })
            })
            .collect();
        let sum: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..1000).sum());
    });
}

#[test]
fn everything_at_once_adds_up() {
    child_on_processors("a_mix_of_everything", &[1, 2, 8]);
}

const STEPS: u64 = 120;

#[test]
#[ignore = "child process"]
fn a_mix_of_everything() {
    run(|| {
        let (echo, echoed) = echo_service();
        let (done, counted) = unbounded();
        let threads: Vec<_> = (0..100)
            .map(|seed| {
                let tools = Tools { echo: echo.clone(), done: done.clone() };
                spawn(move || tools.take_steps(seed))
            })
            .collect();
        drop((echo, done));
        let steps: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(steps, 100 * STEPS);
        assert_eq!(counted.iter().sum::<u64>(), steps, "each step was reported once");
        assert_eq!(counted.try_recv().ok(), None);
        for service in echoed {
            service.join().expect("no panic");
        }
    });
}

type Echo = Sender<(c_long, Sender<c_long>)>;

fn echo_service() -> (Echo, Vec<greenbridge::JoinHandle<()>>) {
    let (ask, asked): (Echo, Receiver<_>) = bounded(0);
    let services = (0..4)
        .map(|_| {
            let asked = asked.clone();
            spawn(move || {
                for (number, reply) in asked {
                    reply.send(number).expect("whoever asked waits");
                }
            })
        })
        .collect();
    (ask, services)
}

#[derive(Clone)]
struct Tools {
    echo: Echo,
    done: Sender<u64>,
}

impl Tools {
    fn take_steps(&self, seed: u64) -> u64 {
        let mut random = Random::new(seed);
        for _ in 0..STEPS {
            let number = random.below(1000) as c_long;
            match random.below(8) {
                0 => yield_now(),
                1 => assert_eq!(self.ask(number), number),
                2 => assert_eq!(self.through_c(reply_at_once, number), number),
                3 => assert_eq!(self.through_c(reply_after_asking, number), number),
                4 => assert_eq!(spawn(move || number).join().expect("no panic"), number),
                5 => assert_eq!(call_blocking(|| conservation_sleep(number)), number),
                6 => {
                    let _pinned = pin();
                    assert_eq!(self.ask(number), number);
                }
                _ => assert_eq!(call(|| conservation_sleep(number)), number),
            }
            self.done.send(1).expect("the counter is there");
        }
        STEPS
    }

    fn ask(&self, number: c_long) -> c_long {
        let (reply, replied) = bounded(1);
        self.echo.send((number, reply)).expect("the service runs");
        replied.recv().expect("the service replies")
    }

    fn through_c(&self, f: extern "C" fn(&Self, c_long) -> c_long, number: c_long) -> c_long {
        let (f, context) = for_c(f, self);
        // SAFETY: C hands the pointer on to `f` and returns after it, while `self` is borrowed.
        call(|| unsafe { conservation_enter(f, context, number) })
    }
}

#[greenbridge::export]
extern "C" fn reply_at_once(_: &Tools, number: c_long) -> c_long {
    number
}

#[greenbridge::export]
extern "C" fn reply_after_asking(tools: &Tools, number: c_long) -> c_long {
    let number = tools.ask(number);
    assert_eq!(tools.through_c(reply_at_once, number), number);
    tools.ask(number)
}
