//! Whoever waits for a lock gets it, however many want it and however greedy the others are.
//!
//! What could break it: a wake-up that is lost, a woken one that always finds the lock taken again, or one that goes to the end of
//! the queue each time.

mod support;

use greenbridge::sync::Mutex;
use greenbridge::{spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::{child_on_processors, run, yield_until};

const CONTENDERS: usize = 1000;

#[test]
fn a_thousand_contenders_all_make_progress() {
    child_on_processors("a_thousand_contenders_lock", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_thousand_contenders_lock() {
    run(|| {
        for waits_inside in [false, true] {
            let lock = Arc::new(Mutex::new(0_usize));
            let contenders: Vec<_> = (0..CONTENDERS)
                .map(|_| {
                    let lock = Arc::clone(&lock);
                    spawn(move || {
                        for _ in 0..50 {
                            let mut count = lock.lock();
                            *count += 1;
                            if waits_inside {
                                yield_now();
                            }
                        }
                    })
                })
                .collect();
            for contender in contenders {
                contender.join().expect("no panic");
            }
            assert_eq!(*lock.lock(), 50 * CONTENDERS);
        }
    });
}

#[test]
fn a_holder_that_locks_again_at_once_starves_nobody() {
    child_on_processors("a_greedy_holder_waits_under_the_lock", &[1, 2, 8]);
}

/// It gives up its processor only while it holds the lock, so everybody who is woken finds the lock taken again.
#[test]
#[ignore = "child process"]
fn a_greedy_holder_waits_under_the_lock() {
    run(|| {
        let (lock, is_over) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
        let greedy = {
            let (lock, is_over) = (Arc::clone(&lock), Arc::clone(&is_over));
            spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    let _guard = lock.lock();
                    yield_now();
                }
            })
        };
        let served = Arc::new(AtomicUsize::new(0));
        let contenders: Vec<_> = (0..CONTENDERS)
            .map(|_| {
                let (lock, served) = (Arc::clone(&lock), Arc::clone(&served));
                spawn(move || {
                    for _ in 0..3 {
                        drop(lock.lock());
                    }
                    served.fetch_add(1, Ordering::AcqRel);
                })
            })
            .collect();
        yield_until(&served, CONTENDERS);
        is_over.store(true, Ordering::Release);
        greedy.join().expect("no panic");
        for contender in contenders {
            contender.join().expect("no panic");
        }
    });
}

#[test]
fn a_holder_that_never_waits_starves_nobody_on_other_processors() {
    child_on_processors("a_greedy_holder_keeps_its_processor", &[2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_greedy_holder_keeps_its_processor() {
    run(|| {
        let (lock, is_over) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
        let greedy = {
            let (lock, is_over) = (Arc::clone(&lock), Arc::clone(&is_over));
            spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    drop(lock.lock());
                }
            })
        };
        let contenders: Vec<_> = (0..100)
            .map(|_| {
                let lock = Arc::clone(&lock);
                spawn(move || {
                    for _ in 0..10 {
                        drop(lock.lock());
                    }
                })
            })
            .collect();
        for contender in contenders {
            contender.join().expect("no panic");
        }
        is_over.store(true, Ordering::Release);
        greedy.join().expect("no panic");
    });
}
