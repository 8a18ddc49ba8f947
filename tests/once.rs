//! What is to be done once is done once; who asks meanwhile waits, and if it fails the next one tries.
//!
//! What could break it: two that make the value, one that sees it half made, one that is called to try and does not come, or a function
//! that waits for itself.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::sync::{LazyLock, Notify, Once, OnceLock, TimedOut};
use greenbridge::{block_on, spawn, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};
use support::{
    Place, Running, child, child_on_processors, in_callback, panic_text, poll_once, run, spawn_future, start,
};

#[test]
fn a_function_is_run_once() {
    static ONCE: Once = Once::new();
    let mut runs = 0;
    assert!(!ONCE.is_completed());
    for _ in 0..3 {
        ONCE.call_once(|| runs += 1);
        assert!(ONCE.is_completed());
        ONCE.wait();
    }
    assert_eq!(runs, 1);
}

#[test]
fn a_function_that_panics_has_not_been_run() {
    let once = Once::new();
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("of the test")))).is_err());
        assert!(!once.is_completed());
    }
    let mut ran = false;
    once.call_once(|| ran = true);
    assert!(ran && once.is_completed());
}

#[test]
fn a_function_that_waits_for_itself_panics() {
    let place = OnceLock::new();
    let uses: [&dyn Fn() -> i32; 3] =
        [&|| *place.get_or_init(|| 1), &|| *place.wait(), &|| place.set(1).map_or(0, |()| 1)];
    for use_itself in uses {
        let panicked = catch_unwind(AssertUnwindSafe(|| *place.get_or_init(use_itself))).expect_err("it uses itself");
        assert!(panic_text(&*panicked).contains("by the very function that it runs"));
        assert_eq!(place.get(), None);
    }
    assert_eq!(*place.get_or_init(|| 2), 2);
}

#[test]
fn the_very_function_is_known_wherever_it_waited() {
    child("a_function_uses_itself_after_a_move").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_function_uses_itself_after_a_move() {
    run(|| {
        let (movers, handles) = support::Movers::start();
        let place = OnceLock::new();
        let uses_itself = || {
            place.get_or_init(|| {
                movers.until_moved();
                place.get_or_init(|| 1) + 1
            });
        };
        let panicked = catch_unwind(AssertUnwindSafe(uses_itself)).expect_err("it uses itself");
        assert!(panic_text(&*panicked).contains("by the very function that it runs"));
        drop(movers);
        handles.into_iter().for_each(|handle| handle.join().expect("no panic"));
    });
}

#[test]
fn a_place_holds_what_was_put_there_first() {
    let mut place = OnceLock::new();
    assert_eq!(place.get(), None);
    assert_eq!(place.get_mut(), None);
    assert_eq!(place.get_or_try_init(|| Err("no")), Err("no"));
    assert_eq!(place.get_or_try_init(|| Ok::<_, ()>(1)), Ok(&1));
    assert_eq!((place.set(2), place.get_or_init(|| 3), place.wait()), (Err(2), &1, &1));
    *place.get_mut().expect("it is there") = 4;
    assert_eq!((place.clone(), OnceLock::from(4)), (place.clone(), place.clone()));
    assert_eq!(format!("{place:?} {:?}", OnceLock::<()>::new()), "OnceLock(4) OnceLock(<none>)");
    assert_eq!((place.take(), place.set(5), place.into_inner()), (Some(4), Ok(()), Some(5)));
}

#[test]
fn a_value_is_dropped_with_its_place() {
    let value = Arc::new(());
    let place = OnceLock::from(Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 2);
    drop(place);
    assert_eq!(Arc::strong_count(&value), 1);
    drop(OnceLock::<Arc<()>>::new());
}

/// Any sequence of uses has the results that it has with std's.
#[test]
fn a_place_answers_as_stds_does() {
    for seed in 0..20 {
        let mut random = support::Random::new(seed);
        let (mut ours, mut stds) = (OnceLock::new(), std::sync::OnceLock::new());
        for step in 0..30 {
            match random.below(5) {
                0 => assert_eq!(ours.get(), stds.get()),
                1 => assert_eq!(ours.set(step), stds.set(step)),
                2 => assert_eq!(ours.get_or_init(|| step), stds.get_or_init(|| step)),
                3 => assert_eq!(ours.take(), stds.take()),
                _ => {
                    let fails = || -> i32 { panic!("of the test") };
                    let our = catch_unwind(AssertUnwindSafe(|| *ours.get_or_init(fails)));
                    let std = catch_unwind(AssertUnwindSafe(|| *stds.get_or_init(fails)));
                    assert_eq!(our.ok(), std.ok());
                }
            }
        }
    }
}

#[test]
fn a_lazy_value_is_made_when_it_is_used() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    static VALUE: LazyLock<String> = LazyLock::new(|| {
        MADE.fetch_add(1, Ordering::Relaxed);
        "value".to_owned()
    });
    assert_eq!((LazyLock::get(&VALUE), MADE.load(Ordering::Relaxed)), (None, 0));
    assert_eq!((VALUE.len(), LazyLock::force(&VALUE).as_str()), (5, "value"));
    assert_eq!((LazyLock::get(&VALUE).is_some(), MADE.load(Ordering::Relaxed)), (true, 1));

    let captured = Cell::new(1);
    let mut lazy = LazyLock::new(|| captured.get() + 1);
    assert_eq!(format!("{lazy:?}"), "LazyLock(<not made>)");
    assert_eq!(*lazy, 2);
    assert_eq!(LazyLock::get_mut(&mut lazy), Some(&mut 2));
    assert_eq!(*LazyLock::<u32>::default(), 0);
}

#[test]
fn a_lazy_value_whose_function_panics_is_made_by_the_next_use() {
    let tries = Cell::new(0);
    let lazy = LazyLock::new(|| {
        tries.set(tries.get() + 1);
        assert!(tries.get() > 2, "of the test");
        tries.get()
    });
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| *lazy)).is_err());
    }
    assert_eq!(*lazy, 3);
}

#[test]
fn a_future_that_makes_it_and_is_dropped_has_made_nothing() {
    let place = OnceLock::new();
    let mut making = Box::pin(place.get_or_init_async(std::future::pending));
    let mut watching = pin!(place.wait_async());
    let mut waiting = Box::pin(place.get_or_init_async(|| async { 1 }));
    let mut behind = pin!(place.get_or_try_init_async(|| async { Ok::<_, ()>(2) }));
    assert!(poll_once(making.as_mut()).is_pending());
    assert!(poll_once(waiting.as_mut()).is_pending());
    assert!(poll_once(behind.as_mut()).is_pending());
    assert!(poll_once(watching.as_mut()).is_pending());
    drop(making);
    // It was called, and does not come: the next one is.
    drop(waiting);
    assert_eq!(poll_once(behind.as_mut()), Poll::Ready(Ok(&2)));
    assert_eq!(poll_once(watching.as_mut()), Poll::Ready(&2));
}

#[test]
fn a_deadline_ends_the_wait_of_an_os_thread() {
    wait_with_deadlines();
}

#[test]
fn a_deadline_ends_the_wait_of_a_green_thread() {
    child_on_processors("green_threads_wait_with_deadlines", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn green_threads_wait_with_deadlines() {
    run(|| {
        wait_with_deadlines();
        in_callback(wait_with_deadlines);
    });
}

fn wait_with_deadlines() {
    let (once, place) = (Once::new(), OnceLock::new());
    let soon = Duration::from_millis(2);
    assert_eq!((once.wait_timeout(soon), place.wait_timeout(soon)), (Err(TimedOut), Err(TimedOut)));
    let deadline = Instant::now() + soon;
    assert_eq!((once.wait_deadline(deadline), place.wait_deadline(deadline)), (Err(TimedOut), Err(TimedOut)));
    once.call_once(|| ());
    assert_eq!(place.set(1), Ok(()));
    assert_eq!((once.wait_timeout(Duration::ZERO), place.wait_timeout(Duration::MAX)), (Ok(()), Ok(&1)));
}

#[test]
fn a_value_is_made_once_whoever_asks() {
    child_on_processors("all_kinds_ask", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn all_kinds_ask() {
    start();
    for round in 0..100 {
        let place = Arc::new(OnceLock::new());
        let made = Arc::new(AtomicUsize::new(0));
        let mut asking: Vec<Running<usize>> = Vec::new();
        for (n, kind) in Place::ALL.into_iter().cycle().take(9).enumerate() {
            let (place, made) = (Arc::clone(&place), Arc::clone(&made));
            asking.push(kind.spawn(move || {
                if n >= 6 {
                    return *place.wait();
                }
                *place.get_or_init(|| {
                    // It waits, and others run.
                    let value = spawn(move || round).join().expect("no panic");
                    made.fetch_add(1, Ordering::AcqRel);
                    value
                })
            }));
        }
        for n in 0..3 {
            let (place, made) = (Arc::clone(&place), Arc::clone(&made));
            asking.push(spawn_future(async move {
                if n == 2 {
                    return *place.wait_async().await;
                }
                *place
                    .get_or_init_async(|| async {
                        let value = spawn(move || round).await.expect("no panic");
                        made.fetch_add(1, Ordering::AcqRel);
                        value
                    })
                    .await
            }));
        }
        assert!(asking.into_iter().all(|asking| asking.join() == round));
        assert_eq!(made.load(Ordering::Acquire), 1);
    }
}

#[test]
fn a_function_that_fails_or_is_cut_short_leaves_its_turn_to_the_next() {
    child_on_processors("functions_fail", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn functions_fail() {
    run(|| {
        for round in 0..100 {
            let place = Arc::new(OnceLock::new());
            let (never, token) = (Arc::new(Notify::new()), CancelToken::new());
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    let (place, never, token) = (Arc::clone(&place), Arc::clone(&never), token.clone());
                    spawn(move || match n % 4 {
                        0 => place.get_or_try_init(|| Err(())).copied().ok(),
                        1 => token
                            .run(|| {
                                *place.get_or_init(|| {
                                    never.wait();
                                    0
                                })
                            })
                            .ok(),
                        2 => catch_unwind(AssertUnwindSafe(|| {
                            *place.get_or_init(|| {
                                yield_now();
                                panic!("of the test")
                            })
                        }))
                        .ok(),
                        _ if n == 3 => Some(block_on(async {
                            *place
                                .get_or_init_async(|| async {
                                    never.notified().await;
                                    0
                                })
                                .await
                        })),
                        _ => Some(*place.get_or_init(|| round)),
                    })
                })
                .collect();
            yield_now();
            token.cancel();
            threads[3].cancel();
            let got: Vec<_> = threads.into_iter().map(|thread| thread.join().ok().flatten()).collect();
            assert_eq!(got[7], Some(round), "it makes the value, or finds it");
            assert!(got.iter().flatten().all(|value| *value == round), "{got:?}");
        }
    });
}
