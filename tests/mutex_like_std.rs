//! The same program, with this lock and with std's, comes to the same result.
//!
//! What could break it: a difference that a user would trip over when he replaces one by the other.

mod support;

use greenbridge::spawn;
use greenbridge::sync::{Mutex, MutexGuard};
use std::sync::{Arc, PoisonError, TryLockError};
use support::{Random, child_on_processors, run};

/// What both locks can do.
trait Lock: Send + Sync + 'static {
    type Guard<'a>: std::ops::DerefMut<Target = Vec<u64>>;
    fn new(value: Vec<u64>) -> Self;
    fn lock(&self) -> Self::Guard<'_>;
    fn try_lock(&self) -> Option<Self::Guard<'_>>;
    fn into_inner(self) -> Vec<u64>;
    fn get_mut(&mut self) -> &mut Vec<u64>;
}

impl Lock for Mutex<Vec<u64>> {
    type Guard<'a> = MutexGuard<'a, Vec<u64>>;

    fn new(value: Vec<u64>) -> Self {
        Mutex::new(value)
    }

    fn lock(&self) -> Self::Guard<'_> {
        self.lock()
    }

    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }

    fn into_inner(self) -> Vec<u64> {
        self.into_inner()
    }

    fn get_mut(&mut self) -> &mut Vec<u64> {
        self.get_mut()
    }
}

impl Lock for std::sync::Mutex<Vec<u64>> {
    type Guard<'a> = std::sync::MutexGuard<'a, Vec<u64>>;

    fn new(value: Vec<u64>) -> Self {
        std::sync::Mutex::new(value)
    }

    fn lock(&self) -> Self::Guard<'_> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        match self.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn into_inner(self) -> Vec<u64> {
        self.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_mut(&mut self) -> &mut Vec<u64> {
        self.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One caller, who keeps a guard for a while: everything that he sees.
fn alone<L: Lock>(seed: u64) -> Vec<u64> {
    let mut random = Random::new(seed);
    let mut lock = L::new(Vec::new());
    let mut seen = Vec::new();
    for _ in 0..20 {
        let mut kept = None;
        for _ in 0..30 {
            match random.below(5) {
                0 => kept = None,
                1 if kept.is_none() => kept = Some(lock.lock()),
                2 => match lock.try_lock() {
                    Some(guard) => kept = Some(guard),
                    None => seen.push(u64::MAX),
                },
                3 => seen.extend(kept.as_ref().map(|value| value.iter().sum::<u64>())),
                _ => {
                    if let Some(value) = &mut kept {
                        value.push(random.below(100));
                    }
                }
            }
        }
        drop(kept);
        lock.get_mut().push(random.below(100));
    }
    seen.extend(lock.into_inner());
    seen
}

/// Many callers: what they leave, in an order that does not depend on who came when.
fn together<L: Lock>(seed: u64) -> Vec<u64> {
    let lock = Arc::new(L::new(Vec::new()));
    let threads: Vec<_> = (0..16)
        .map(|number| {
            let lock = Arc::clone(&lock);
            spawn(move || {
                let mut random = Random::new(100 * seed + number);
                for _ in 0..100 {
                    let (value, tries) = (random.below(1000), random.below(2) == 0);
                    match lock.try_lock() {
                        Some(mut values) if tries => values.push(value),
                        guard => {
                            drop(guard);
                            lock.lock().push(value);
                        }
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let mut values = Arc::into_inner(lock).expect("all have ended").into_inner();
    values.sort_unstable();
    values
}

#[test]
fn one_caller_sees_the_same() {
    for seed in 0..50 {
        assert_eq!(alone::<Mutex<_>>(seed), alone::<std::sync::Mutex<_>>(seed), "seed {seed}");
    }
}

#[test]
fn many_callers_leave_the_same() {
    child_on_processors("many_callers_of_both_locks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn many_callers_of_both_locks() {
    run(|| {
        for seed in 0..10 {
            let [ours, stds] = [together::<Mutex<_>>(seed), together::<std::sync::Mutex<_>>(seed)];
            assert_eq!(ours, stds, "seed {seed}");
        }
    });
}
