//! As many green threads run at once as there are processors: nobody who is ready waits while a processor is idle.
//!
//! Here green threads keep their processors busy until enough others run beside them, so that a worker which is not woken
//! is a hang. What could break it: a wake-up that is left to a searcher who then finds something else, or a green thread in
//! the `next` slot of somebody who does not wait.

mod support;

use greenbridge::channel::bounded;
use greenbridge::{park, run, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::{child_on_processors, keep_busy_until, start};

const ROUNDS: usize = 100;

/// The number that the parent has set.
fn processors() -> usize {
    std::env::var("GREENBRIDGE_PROCESSORS").expect("it is set").parse().expect("it is a number")
}

/// Green threads that all have to run at once.
struct Crowd {
    here: AtomicUsize,
    expected: usize,
}

impl Crowd {
    fn new(expected: usize) -> Arc<Self> {
        Arc::new(Self { here: AtomicUsize::new(0), expected })
    }

    fn wait_for_all(&self) {
        self.here.fetch_add(1, Ordering::AcqRel);
        keep_busy_until(|| self.here.load(Ordering::Acquire) == self.expected);
    }
}

#[test]
fn green_threads_of_an_os_thread_run_at_once() {
    child_on_processors("an_os_thread_spawns_a_crowd", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn an_os_thread_spawns_a_crowd() {
    start();
    for _ in 0..ROUNDS {
        let crowd = Crowd::new(processors());
        let members = (0..processors()).map(|_| {
            let crowd = Arc::clone(&crowd);
            spawn(move || crowd.wait_for_all())
        });
        for member in members.collect::<Vec<_>>() {
            member.join().expect("no panic");
        }
    }
}

#[test]
fn green_threads_of_a_green_thread_run_beside_it() {
    child_on_processors("a_green_thread_spawns_a_crowd", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_green_thread_spawns_a_crowd() {
    start();
    run(|| {
        for _ in 0..ROUNDS {
            let crowd = Crowd::new(processors());
            let members = (1..processors()).map(|_| {
                let crowd = Arc::clone(&crowd);
                spawn(move || crowd.wait_for_all())
            });
            let members: Vec<_> = members.collect();
            crowd.wait_for_all();
            for member in members {
                member.join().expect("no panic");
            }
        }
    });
}

#[test]
fn those_who_are_woken_together_run_at_once() {
    child_on_processors("a_crowd_is_woken", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_crowd_is_woken() {
    start();
    run(|| {
        for _ in 0..ROUNDS {
            let crowd = Crowd::new(processors());
            let (go, gone) = bounded::<()>(0);
            let members = (1..processors()).map(|_| {
                let (crowd, gone) = (Arc::clone(&crowd), gone.clone());
                spawn(move || {
                    assert!(gone.recv().is_err(), "it is closed");
                    crowd.wait_for_all();
                })
            });
            let members: Vec<_> = members.collect();
            greenbridge::yield_now();
            drop(go);
            crowd.wait_for_all();
            for member in members {
                member.join().expect("no panic");
            }
        }
    });
}

#[test]
fn one_who_is_woken_need_not_wait_for_its_waker() {
    child_on_processors("a_waker_goes_on_running", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_waker_goes_on_running() {
    start();
    run(|| {
        for _ in 0..ROUNDS {
            let ran = Arc::new(AtomicBool::new(false));
            let set = Arc::clone(&ran);
            let sleeper = spawn(move || {
                park();
                set.store(true, Ordering::Release);
            });
            greenbridge::yield_now();
            sleeper.thread().unpark();
            // It lies in `next` of this processor, which is not going to look there.
            keep_busy_until(|| ran.load(Ordering::Acquire));
            sleeper.join().expect("no panic");
        }
    });
}
