//! A read-write lock lets many read or one write, loses nothing when a wait is cut short or a holder panics, and lets everybody in, in
//! order of arrival.
//!
//! What could break it: a writer beside a reader, a writer that readers keep out for ever or readers that writers do, a
//! guard that is lost with an unwinding stack, or a part of the value that is lent on while the whole is given back.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::sync::{MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use greenbridge::{spawn, yield_now};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};
use support::{Place, Random, Running, child, child_on_processors, in_callback, poll_once, run, spawn_future, start};

#[test]
fn many_read_or_one_writes() {
    let lock = RwLock::new(1);
    let (one, other) = (lock.read(), lock.read());
    assert_eq!((*one, *other), (1, 1));
    assert!(lock.try_write().is_none());
    drop(one);
    assert!(lock.try_write().is_none());
    drop(other);
    let mut writing = lock.write();
    *writing += 1;
    assert!(lock.try_read().is_none() && lock.try_write().is_none());
    assert_eq!(format!("{lock:?} {writing:?}"), "RwLock { value: <locked> } 2");
    drop(writing);
    assert_eq!(format!("{lock:?}"), "RwLock { value: 2 }");
    assert_eq!(lock.try_read().as_deref(), Some(&2));
}

#[test]
fn the_value_comes_out_without_a_lock() {
    let mut lock = RwLock::from(String::from("a"));
    lock.get_mut().push('b');
    assert_eq!(lock.into_inner(), "ab");
    assert_eq!(*RwLock::<u8>::default().read(), 0);
    let unsized_lock: &RwLock<[i32]> = &RwLock::new([1, 2, 3]);
    unsized_lock.write()[0] = 4;
    assert_eq!(*unsized_lock.read(), [4, 2, 3]);
}

#[test]
fn the_value_is_dropped_once() {
    let value = Arc::new(());
    let lock = RwLock::new(Arc::clone(&value));
    assert_eq!(Arc::strong_count(&value), 2);
    drop(lock.write());
    drop(lock);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_panic_releases_and_poisons_nothing() {
    let lock = RwLock::new(1);
    for write in [false, true] {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            if write {
                let mut writing = lock.write();
                *writing = 2;
                panic!("while it is written");
            }
            let _reading = lock.read();
            panic!("while it is read");
        }));
        assert!(panicked.is_err());
        assert!(lock.try_write().is_some());
    }
    assert_eq!(*lock.read(), 2, "as it was left");
}

#[test]
fn a_lock_may_be_used_while_a_panic_unwinds() {
    struct AddsOne<'a>(&'a RwLock<i32>);
    impl Drop for AddsOne<'_> {
        fn drop(&mut self) {
            *self.0.write() += 1;
        }
    }
    let lock = RwLock::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _adds_one = AddsOne(&lock);
        panic!("of the test");
    }));
    assert!(panicked.is_err());
    assert_eq!(*lock.read(), 2);
}

#[test]
fn a_part_may_be_lent_on() {
    let lock = RwLock::new((1, Some(2)));
    let first = RwLockReadGuard::map(lock.read(), |value| &value.0);
    let second = RwLockReadGuard::filter_map(lock.read(), |value| value.1.as_ref()).expect("it is there");
    assert_eq!((*first, *second), (1, 2));
    assert!(lock.try_write().is_none());
    drop((first, second));

    let mut first = RwLockWriteGuard::map(lock.write(), |value| &mut value.0);
    *first = 3;
    assert!(lock.try_read().is_none());
    drop(first);
    let whole = RwLockWriteGuard::filter_map(lock.write(), |value| value.1.as_mut().filter(|second| **second > 2))
        .expect_err("it is 2");
    let part = RwLockWriteGuard::map(whole, |value| &mut value.1);
    let mut second = MappedRwLockWriteGuard::filter_map(part, Option::as_mut).expect("it is there");
    *second = 4;
    drop(MappedRwLockWriteGuard::map(second, |second| second));
    assert_eq!(*lock.read(), (3, Some(4)));

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        drop(RwLockWriteGuard::map(lock.write(), |_| -> &mut i32 { panic!("of the test") }));
    }));
    assert!(panicked.is_err());
    assert!(lock.try_write().is_some());
}

#[test]
fn a_writer_that_goes_on_as_a_reader_lets_readers_in_and_no_writer() {
    let lock = RwLock::new(1);
    let mut writing = lock.write();
    let mut reader = pin!(lock.read_async());
    let mut writer = pin!(lock.write_async());
    assert!(poll_once(reader.as_mut()).is_pending());
    assert!(poll_once(writer.as_mut()).is_pending());
    *writing = 2;
    let reading = RwLockWriteGuard::downgrade(writing);
    let Poll::Ready(other) = poll_once(reader.as_mut()) else { panic!("it may read") };
    assert_eq!((*reading, *other), (2, 2));
    assert!(poll_once(writer.as_mut()).is_pending());
    drop(reading);
    assert!(poll_once(writer.as_mut()).is_pending());
    drop(other);
    assert!(poll_once(writer.as_mut()).is_ready());
}

#[test]
fn neither_readers_nor_writers_are_overtaken() {
    let lock = RwLock::new(());
    let reading = lock.read();
    let mut writer = pin!(lock.write_async());
    assert!(poll_once(writer.as_mut()).is_pending());
    assert!(lock.try_read().is_none(), "the writer came first");
    let mut readers: Vec<_> = (0..3).map(|_| Box::pin(lock.read_async())).collect();
    let mut last = pin!(lock.write_async());
    assert!(readers.iter_mut().all(|reader| poll_once(reader.as_mut()).is_pending()));
    assert!(poll_once(last.as_mut()).is_pending());

    drop(reading);
    let Poll::Ready(writing) = poll_once(writer.as_mut()) else { panic!("it is the first") };
    assert!(readers.iter_mut().all(|reader| poll_once(reader.as_mut()).is_pending()));
    drop(writing);
    let reading: Vec<_> = readers
        .iter_mut()
        .filter_map(|reader| match poll_once(reader.as_mut()) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        })
        .collect();
    assert_eq!(reading.len(), 3, "they are let in together, before the last writer");
    assert!(poll_once(last.as_mut()).is_pending());
    drop(reading);
    assert!(poll_once(last.as_mut()).is_ready());
}

#[test]
fn a_writer_that_gives_up_lets_the_readers_behind_it_in() {
    let lock = RwLock::new(());
    let _reading = lock.read();
    let mut writer = Box::pin(lock.write_async());
    let mut reader = pin!(lock.read_async());
    assert!(poll_once(writer.as_mut()).is_pending());
    assert!(poll_once(reader.as_mut()).is_pending());
    drop(writer);
    assert!(poll_once(reader.as_mut()).is_ready());
    assert!(lock.try_read().is_some());
}

/// The same sequence of attempts and releases has the same results with std's lock, as long as nobody waits.
#[test]
fn attempts_succeed_where_those_of_std_do() {
    enum Held<R, W> {
        Reading(R),
        Writing(W),
    }
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let (ours, stds) = (RwLock::new(0_u64), std::sync::RwLock::new(0_u64));
        let mut held = VecDeque::new();
        for step in 0..200 {
            match random.below(5) {
                0 | 1 => match (ours.try_read(), stds.try_read()) {
                    (Some(our), Ok(std)) => {
                        assert_eq!(*our, *std);
                        held.push_back((Held::Reading(our), Held::Reading(std)));
                    }
                    (our, std) => assert_eq!(our.is_some(), std.is_ok(), "to read, seed {seed}, step {step}"),
                },
                2 => match (ours.try_write(), stds.try_write()) {
                    (Some(mut our), Ok(mut std)) => {
                        (*our, *std) = (step, step);
                        held.push_back((Held::Writing(our), Held::Writing(std)));
                    }
                    (our, std) => assert_eq!(our.is_some(), std.is_ok(), "to write, seed {seed}, step {step}"),
                },
                _ => drop(held.pop_front()),
            }
        }
    }
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
    const SOON: Duration = Duration::from_millis(2);
    let lock = RwLock::new(());
    assert!(lock.try_write_for(Duration::ZERO).is_some(), "no wait is needed");
    let reading = lock.try_read_for(Duration::MAX);
    assert!(reading.is_some() && lock.try_read_until(Instant::now()).is_some());
    assert!(lock.try_write_for(SOON).is_none());
    assert!(lock.try_write_until(Instant::now() + SOON).is_none());
    assert!(lock.try_read().is_some(), "who has given up is in nobody's way");
    drop(reading);
    let _writing = lock.write();
    assert!(lock.try_read_for(SOON).is_none());
    assert!(lock.try_read_until(Instant::now() + SOON).is_none());
}

/// A value in two halves that are equal whenever nobody writes.
struct Halves {
    lock: RwLock<(u64, u64)>,
    readers: AtomicUsize,
}

impl Halves {
    fn new() -> Arc<Self> {
        Arc::new(Self { lock: RwLock::new((0, 0)), readers: AtomicUsize::new(0) })
    }

    fn look(&self, value: RwLockReadGuard<'_, (u64, u64)>) {
        self.readers.fetch_add(1, Ordering::AcqRel);
        assert_eq!(value.0, value.1);
        self.readers.fetch_sub(1, Ordering::AcqRel);
    }

    fn change(&self, mut value: RwLockWriteGuard<'_, (u64, u64)>, pause: impl FnOnce()) {
        assert_eq!(self.readers.load(Ordering::Acquire), 0, "somebody reads");
        value.0 += 1;
        pause();
        value.1 += 1;
    }
}

#[test]
fn nobody_sees_a_value_that_is_half_written() {
    child_on_processors("all_kinds_read_and_write", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn all_kinds_read_and_write() {
    const STEPS: u64 = 300;
    start();
    let halves = Halves::new();
    let mut running: Vec<Running<u64>> = Vec::new();
    for seed in 0..12 {
        let ours = Arc::clone(&halves);
        running.push(Place::ALL[seed as usize % 3].spawn(move || {
            let mut random = Random::new(seed);
            let writes = (0..STEPS).filter(|_| random.below(4) == 0).count();
            for step in 0..STEPS {
                match random.below(3) {
                    0 if step % 2 == 0 => {
                        let writing = ours.lock.write();
                        ours.look(RwLockWriteGuard::downgrade(writing));
                    }
                    _ => ours.look(ours.lock.read()),
                }
            }
            for _ in 0..writes {
                ours.change(ours.lock.write(), yield_now);
            }
            writes as u64
        }));
    }
    for seed in 20..24 {
        let ours = Arc::clone(&halves);
        running.push(spawn_future(async move {
            let mut random = Random::new(seed);
            let mut writes = 0;
            for _ in 0..STEPS {
                if random.below(4) == 0 {
                    ours.change(ours.lock.write_async().await, || ());
                    writes += 1;
                } else {
                    ours.look(ours.lock.read_async().await);
                }
            }
            writes
        }));
    }
    let writes: u64 = running.into_iter().map(Running::join).sum();
    assert_eq!(*halves.lock.read(), (writes, writes));
}

#[test]
fn a_writer_gets_in_among_readers_that_never_all_leave() {
    child_on_processors("readers_keep_reading", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn readers_keep_reading() {
    run(|| {
        let lock = Arc::new(RwLock::new(()));
        let has_written = Arc::new(AtomicBool::new(false));
        // Each keeps reading until another one reads, so that the lock is hardly ever free.
        let reading = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (lock, has_written, reading) = (Arc::clone(&lock), Arc::clone(&has_written), Arc::clone(&reading));
                spawn(move || {
                    while !has_written.load(Ordering::Acquire) {
                        let guard = lock.read();
                        let before = reading.fetch_add(1, Ordering::AcqRel);
                        // Until another one reads beside it, or the writer keeps that out.
                        for _ in 0..100 {
                            if before > 0 || reading.load(Ordering::Acquire) > 1 {
                                break;
                            }
                            yield_now();
                        }
                        reading.fetch_sub(1, Ordering::AcqRel);
                        drop(guard);
                        yield_now();
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            drop(lock.write());
        }
        has_written.store(true, Ordering::Release);
        readers.into_iter().for_each(|reader| reader.join().expect("no panic"));
    });
}

#[test]
fn a_reader_gets_in_among_writers() {
    child_on_processors("writers_keep_writing", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn writers_keep_writing() {
    run(|| {
        let lock = Arc::new(RwLock::new(0_u64));
        let has_read = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (lock, has_read) = (Arc::clone(&lock), Arc::clone(&has_read));
                spawn(move || {
                    while !has_read.load(Ordering::Acquire) {
                        let mut writing = lock.write();
                        *writing += 1;
                        yield_now();
                    }
                })
            })
            .collect();
        for _ in 0..50 {
            drop(lock.read());
        }
        has_read.store(true, Ordering::Release);
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    });
}

#[test]
fn a_guard_moves_with_its_green_thread() {
    child("guards_migrate").succeeds();
}

#[test]
#[ignore = "child process"]
fn guards_migrate() {
    run(|| {
        let (movers, handles) = support::Movers::start();
        let lock = Arc::new(RwLock::new(0));
        let mut writing = lock.write();
        movers.until_moved();
        *writing += 1;
        let reading = RwLockWriteGuard::downgrade(writing);
        movers.until_moved();
        assert_eq!(*reading, 1);
        drop(reading);
        assert!(lock.try_write().is_some());
        drop(movers);
        handles.into_iter().for_each(|handle| handle.join().expect("no panic"));
    });
}

#[test]
fn waits_that_are_cut_short_lock_nothing() {
    child_on_processors("locking_is_cut_short", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn locking_is_cut_short() {
    run(|| {
        let halves = Halves::new();
        for round in 0..40 {
            let token = CancelToken::new();
            let threads: Vec<_> = (0..12_u64)
                .map(|n| {
                    let (halves, token) = (Arc::clone(&halves), token.clone());
                    spawn(move || {
                        let mut random = Random::new(12 * round + n);
                        let mut steps = || {
                            for _ in 0..20 {
                                match random.below(4) {
                                    0 => halves.change(halves.lock.write(), || ()),
                                    1 => {
                                        let mut future = pin!(halves.lock.write_async());
                                        if let Poll::Ready(writing) = poll_once(future.as_mut()) {
                                            halves.change(writing, || ());
                                        }
                                        yield_now();
                                    }
                                    2 => {
                                        let _reading = halves.lock.read();
                                        yield_now();
                                    }
                                    _ => halves.look(halves.lock.read()),
                                }
                            }
                        };
                        if n % 2 == 0 {
                            let _ = token.run(steps);
                        } else {
                            steps();
                        }
                    })
                })
                .collect();
            yield_now();
            token.cancel();
            threads[1].cancel();
            threads[5].cancel();
            threads.into_iter().for_each(|thread| drop(thread.join()));
            let value = halves.lock.try_write().expect("nobody holds it, or waits");
            assert_eq!(value.0, value.1);
        }
    });
}
