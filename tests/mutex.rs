//! One holder at a time, and a lock that is released whatever becomes of its holder.
//!
//! What could break it: two holders at once, a guard that unlocks twice or not at all, a guard of a part that outlives its lock.

mod support;

use greenbridge::sync::condvar::WaitFuture;
use greenbridge::sync::mutex::{LockFuture, LockOwnedFuture};
use greenbridge::sync::{Condvar, MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard};
use greenbridge::{pin, spawn, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Movers, child, child_on_processors, gettid, run, start};

#[test]
fn what_is_added_under_the_lock_adds_up() {
    child_on_processors("green_threads_add_under_the_lock", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn green_threads_add_under_the_lock() {
    /// Two halves that are equal whenever nobody holds the lock.
    struct Halves(u64, u64);
    run(|| {
        for waits_inside in [false, true] {
            let halves = Arc::new(Mutex::new(Halves(0, 0)));
            let adders: Vec<_> = (0..64)
                .map(|_| {
                    let halves = Arc::clone(&halves);
                    spawn(move || {
                        for _ in 0..200 {
                            let mut halves = halves.lock();
                            let Halves(left, right) = *halves;
                            assert_eq!(left, right, "somebody else holds the lock");
                            halves.0 = left + 1;
                            if waits_inside {
                                yield_now();
                            }
                            halves.1 = right + 1;
                        }
                    })
                })
                .collect();
            for adder in adders {
                adder.join().expect("no panic");
            }
            let Halves(left, right) = *halves.lock();
            assert_eq!((left, right), (64 * 200, 64 * 200));
        }
    });
}

#[test]
fn a_lock_that_is_held_is_not_had() {
    let lock = Mutex::new(1);
    let guard = lock.try_lock().expect("nobody holds it");
    assert!(lock.try_lock().is_none());
    assert!(lock.is_locked());
    drop(guard);
    assert!(!lock.is_locked());
    *lock.try_lock().expect("it has been unlocked") += 1;
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn the_value_can_be_taken_out_and_is_dropped_once() {
    struct Drops(Arc<AtomicUsize>);
    impl Drop for Drops {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let value = Mutex::new(Drops(Arc::clone(&drops))).into_inner();
    assert_eq!(drops.load(Ordering::Acquire), 0);
    drop(value);
    assert_eq!(drops.load(Ordering::Acquire), 1);
    drop(Mutex::new(Drops(Arc::clone(&drops))));
    assert_eq!(drops.load(Ordering::Acquire), 2);
}

#[test]
fn the_owner_of_a_lock_needs_no_guard() {
    let mut lock = Mutex::new(String::from("one"));
    lock.get_mut().push_str(" two");
    assert_eq!(lock.into_inner(), "one two");
}

#[test]
fn a_lock_shows_its_value_or_that_it_is_held() {
    static LOCK: Mutex<i32> = Mutex::new(7);
    assert_eq!(format!("{LOCK:?}"), "Mutex { value: 7, .. }");
    let guard = LOCK.lock();
    assert_eq!(format!("{LOCK:?}"), "Mutex { value: <locked>, .. }");
    assert_eq!((format!("{guard:?}"), format!("{guard}")), ("7".to_owned(), "7".to_owned()));
    let part = MutexGuard::map(guard, |value| value);
    assert_eq!((format!("{part:?}"), format!("{part}")), ("7".to_owned(), "7".to_owned()));
    assert_eq!(Mutex::<u8>::default().into_inner(), 0);
    assert_eq!(Mutex::from("value").into_inner(), "value");
}

#[test]
fn a_lock_may_be_of_an_unsized_type() {
    let lock: &Mutex<[i32]> = &Mutex::new([1, 2, 3]);
    lock.lock()[1] = 4;
    assert_eq!(*lock.lock(), [1, 4, 3]);
    let lock: Box<Mutex<dyn Fn(i32) -> i32>> = Box::new(Mutex::new(|n| n + 1));
    assert_eq!(lock.lock()(1), 2);
}

#[test]
fn a_guard_of_a_part_holds_the_whole_lock() {
    let lock = Mutex::new((vec![1, 2, 3], "name"));
    let numbers = MutexGuard::map(lock.lock(), |value| &mut value.0);
    let mut last = MappedMutexGuard::map(numbers, |numbers| numbers.last_mut().expect("there are three"));
    *last = 9;
    assert!(lock.try_lock().is_none());
    drop(last);
    assert_eq!(lock.lock().0, [1, 2, 9]);
}

#[test]
fn a_guard_comes_back_if_there_is_no_such_part() {
    let lock = Mutex::new(vec![1]);
    let guard = MutexGuard::try_map(lock.lock(), |numbers| numbers.get_mut(1)).expect_err("there is one number");
    assert!(lock.try_lock().is_none());
    let numbers = MutexGuard::try_map(guard, |numbers| Some(numbers.as_mut_slice())).expect("always there");
    let numbers = MappedMutexGuard::try_map(numbers, |numbers| numbers.get_mut(1)).expect_err("there is one number");
    let mut first = MappedMutexGuard::try_map(numbers, |numbers| numbers.first_mut()).expect("there is one number");
    *first = 2;
    drop(first);
    assert_eq!(lock.into_inner(), [2]);
}

#[test]
fn a_panic_while_a_part_is_looked_for_unlocks() {
    fn panics(_: &mut i32) -> &mut i32 {
        panic!("no part")
    }
    let lock = Mutex::new(1);
    catch_unwind(AssertUnwindSafe(|| drop(MutexGuard::map(lock.lock(), panics)))).expect_err("it panicked");
    assert!(lock.try_lock().is_some());
    let whole = || MutexGuard::map(lock.lock(), |value| value);
    catch_unwind(AssertUnwindSafe(|| drop(MappedMutexGuard::map(whole(), panics)))).expect_err("it panicked");
    assert!(lock.try_lock().is_some());
}

#[test]
fn an_owned_guard_keeps_its_lock() {
    let lock = Arc::new(Mutex::new(1));
    let guard = Arc::clone(&lock).lock_owned();
    assert!(Arc::clone(&lock).try_lock_owned().is_none());
    let weak = Arc::downgrade(&lock);
    drop(lock);
    assert_eq!(*guard, 1);
    assert!(OwnedMutexGuard::mutex(&guard).is_locked());
    drop(guard);
    assert!(weak.upgrade().is_none(), "the guard was the last to keep it");
}

#[test]
fn locks_and_guards_may_go_wherever_their_value_may() {
    fn assert_send<T: Send>() {}
    fn assert_sync<T: Sync>() {}
    // `Cell` is `Send`, and not `Sync`.
    assert_send::<Mutex<Cell<i32>>>();
    assert_sync::<Mutex<Cell<i32>>>();
    assert_send::<MutexGuard<'_, Cell<i32>>>();
    assert_send::<MappedMutexGuard<'_, Cell<i32>>>();
    assert_send::<OwnedMutexGuard<Cell<i32>>>();
    assert_send::<LockFuture<'_, Cell<i32>>>();
    assert_send::<LockOwnedFuture<Cell<i32>>>();
    assert_send::<WaitFuture<'_, Cell<i32>>>();
    assert_sync::<MutexGuard<'_, i32>>();
    assert_sync::<MappedMutexGuard<'_, i32>>();
    assert_sync::<OwnedMutexGuard<i32>>();
    assert_sync::<Condvar>();
}

#[test]
fn a_panic_under_the_lock_releases_it() {
    child("a_holder_panics").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_holder_panics() {
    run(|| {
        let lock = Arc::new(Mutex::new(0));
        let held = Arc::clone(&lock);
        let holder = spawn(move || {
            let mut value = held.lock();
            *value = 1;
            yield_now();
            panic!("under the lock");
        });
        let waits = Arc::clone(&lock);
        let waiter = spawn(move || *waits.lock());
        holder.join().expect_err("it panicked");
        waiter.join().expect("the lock is not poisoned");
        assert_eq!(*lock.lock(), 1, "the value is as it was left");
    });
}

#[test]
fn a_destructor_may_lock_while_a_panic_unwinds() {
    child_on_processors("destructors_lock_while_a_panic_unwinds", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn destructors_lock_while_a_panic_unwinds() {
    struct AddsAtItsEnd(Arc<Mutex<i32>>);
    impl Drop for AddsAtItsEnd {
        fn drop(&mut self) {
            *self.0.lock() += 1;
        }
    }
    run(|| {
        for _ in 0..50 {
            let lock = Arc::new(Mutex::new(0));
            let held = Arc::clone(&lock);
            let holder = spawn(move || {
                let guard = held.lock();
                yield_now();
                drop(guard);
            });
            let adds = AddsAtItsEnd(Arc::clone(&lock));
            let panics = spawn(move || {
                let _adds = adds;
                panic!("on purpose");
            });
            panics.join().expect_err("it panicked");
            holder.join().expect("no panic");
            assert_eq!(*lock.lock(), 1);
        }
    });
}

#[test]
fn a_guard_may_travel() {
    child("guards_travel").succeeds();
}

#[test]
#[ignore = "child process"]
fn guards_travel() {
    run(|| {
        // With its green thread, over migrations.
        let (movers, ends) = Movers::start();
        let lock = Arc::new(Mutex::new(0));
        for _ in 0..20 {
            let mut guard = lock.lock();
            let before = gettid();
            *guard += 1;
            movers.until_moved();
            assert_ne!(gettid(), before);
            *guard += 1;
            assert!(lock.try_lock().is_none());
        }
        assert_eq!(*lock.lock(), 40);
        drop(movers);
        for end in ends {
            end.join().expect("no panic");
        }

        // To another green thread, which unlocks; also from one that is pinned.
        let _pinned = pin();
        let mut guard = Arc::clone(&lock).lock_owned();
        let other = spawn(move || *guard += 1);
        assert_eq!(*lock.lock(), 41);
        other.join().expect("no panic");
    });
}

#[test]
fn a_guard_may_go_to_another_os_thread() {
    child("a_guard_goes_to_an_os_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_guard_goes_to_an_os_thread() {
    start();
    let lock = Mutex::new(1);
    let mut guard = lock.lock();
    std::thread::scope(|scope| {
        scope.spawn(move || *guard += 1);
        assert_eq!(*lock.lock(), 2);
    });
}
