//! Where a worker looks for the next green thread, in order.
//!
//! 1. After a yield, and every 61st turn: the injector, so that a full run queue starves nobody.
//! 2. `next`, then the own run queue.
//! 3. The injector.
//! 4. Timers that are due, and events of sockets. A busy processor looks at them every some turns, too (`time.rs`).
//! 5. The run queues of the other processors, from a different one each time; and as a last resort their `next`, which
//!    their owners would otherwise run in a moment.
//!
//! A worker that finds nothing announces that its processor is idle, looks everywhere once more, and gives up (`idle.rs`).

use super::idle::{Role, Stopped};
use super::processor::{INJECTOR_EVERY, Owned, Processor};
use super::runtime::Runtime;
use super::worker::Worker;
use super::{hand_off, monitor, time};
use crate::green::thread::Ready;
use crate::primitive::Ordering;
use crate::testing::run::Testing;
use core::ptr;
use crossbeam_deque::{self as deque, Steal};

/// Rounds over the other processors before a searcher gives up.
const ROUNDS: usize = 4;

/// Spins between two rounds, and between two looks at a `next`.
const PAUSES: usize = 64;

/// Finds a green thread for `worker`, the owner of `processor`. None: the worker owns no processor any more, or has mail.
#[inline]
pub(crate) fn find(runtime: &'static Runtime, worker: &'static Worker, processor: &'static Processor) -> Option<Ready> {
    // SAFETY: the worker owns the processor, and nothing here suspends.
    let (tick, yielded, searching) = unsafe {
        processor.owned(|owned| {
            owned.tick = owned.tick.wrapping_add(1);
            (owned.tick, core::mem::take(&mut owned.yielded), owned.searching)
        })
    };
    processor.turns.store(tick, Ordering::Relaxed);
    if let Some(testing) = &runtime.testing {
        return find_by_chance(runtime, worker, processor, testing);
    }
    if searching {
        return search(runtime, worker, processor);
    }
    if processor.must_look(tick) {
        time::look(runtime, processor);
    }
    if (yielded || tick.is_multiple_of(INJECTOR_EVERY))
        && let Some(ready) = from_injector(runtime, processor)
    {
        return Some(ready);
    }
    // SAFETY: the worker owns the processor.
    if let Some(ready) = unsafe { processor.pop() } {
        return Some(ready);
    }
    find_elsewhere(runtime, worker, processor)
}

/// Counts a turn that is not found here, one of a resident.
pub(crate) fn count_turn(runtime: &'static Runtime, processor: &Processor) {
    // SAFETY: the caller is the owner.
    let tick = unsafe {
        processor.owned(|owned| {
            owned.tick = owned.tick.wrapping_add(1);
            owned.tick
        })
    };
    processor.turns.store(tick, Ordering::Relaxed);
    if processor.must_look(tick) {
        time::look(runtime, processor);
    }
}

/// The same in virtual time, where there is one processor.
#[cold]
fn find_by_chance(
    runtime: &'static Runtime,
    worker: &'static Worker,
    processor: &'static Processor,
    testing: &Testing,
) -> Option<Ready> {
    let found = testing.find(runtime, worker, processor);
    if found.is_some() || worker.has_mail() {
        stop_searching(runtime, processor);
        return found;
    }
    // SAFETY: the worker owns the processor.
    let was_searching = unsafe { processor.owned(|owned| core::mem::take(&mut owned.searching)) };
    give_up(runtime, worker, processor, if was_searching { Role::Searching } else { Role::Running })
}

/// What lies in the processor's own queue or the injector.
pub(crate) fn find_at_hand(runtime: &Runtime, processor: &Processor) -> Option<Ready> {
    if let Some(testing) = &runtime.testing {
        return testing.choose(runtime, processor);
    }
    // SAFETY: the caller is the owner.
    unsafe { processor.pop() }.or_else(|| from_injector(runtime, processor))
}

#[cold]
fn find_elsewhere(runtime: &'static Runtime, worker: &'static Worker, processor: &'static Processor) -> Option<Ready> {
    if let Some(ready) = from_injector(runtime, processor).or_else(|| from_outside(runtime, processor)) {
        return Some(ready);
    }
    if runtime.idle.start_search() {
        set_searching(processor, true);
        search(runtime, worker, processor)
    } else {
        give_up(runtime, worker, processor, Role::Running)
    }
}

/// Searches as a counted searcher.
#[cold]
fn search(runtime: &'static Runtime, worker: &'static Worker, processor: &'static Processor) -> Option<Ready> {
    let at_hand = find_at_hand(runtime, processor).or_else(|| from_outside(runtime, processor));
    match at_hand.or_else(|| steal(runtime, processor)) {
        Some(ready) => {
            set_searching(processor, false);
            if runtime.idle.stop_search() == Stopped::MustWakeOne {
                hand_off::wake_one(runtime);
            }
            Some(ready)
        }
        None => {
            set_searching(processor, false);
            give_up(runtime, worker, processor, Role::Searching)
        }
    }
}

/// Announces that `processor` is idle, and looks once more. If one that waits to move has come in between, the worker keeps the
/// processor for it, and finds it in its inbox.
fn give_up(
    runtime: &'static Runtime,
    worker: &'static Worker,
    processor: &'static Processor,
    was: Role,
) -> Option<Ready> {
    worker.disown();
    worker.beside.set(Some(processor));
    processor.sleeper.store(ptr::from_ref(worker).cast_mut(), Ordering::Release);
    runtime.idle.go_idle(processor.index, was);
    monitor::mind_next(runtime);
    let work = has_work_anywhere(runtime) || runtime.testing.as_ref().is_some_and(|testing| testing.can_go_on(runtime));
    let admits = runtime.spares.some_wait_to_move() && !worker.is_host();
    // Whoever takes the worker from its place beside the processor gives it another; only if that is this worker, it may look further.
    if (work || admits) && hand_off::leave_place(worker, processor) {
        worker.beside.set(None);
        if runtime.idle.take_back(processor.index, if work { Role::Searching } else { Role::Running }) {
            hand_off::own_idle(runtime, worker, processor);
            if work {
                set_searching(processor, true);
                return match &runtime.testing {
                    Some(testing) => find_by_chance(runtime, worker, processor, testing),
                    None => search(runtime, worker, processor),
                };
            }
            runtime.spares.admit(worker);
            return None;
        }
    }
    if work {
        // Somebody else has the processor, and may be busy with what it brought: whoever made the work has left it to this worker.
        hand_off::wake_one(runtime);
    }
    None
}

/// Whether any queue has something: the re-check of the idle protocol. `next` does not count: it is its owner's, who runs it after
/// the present turn, and the monitor, which `mind_next` keeps awake, calls a searcher if that turn is long.
pub(crate) fn has_work_anywhere(runtime: &Runtime) -> bool {
    !runtime.injector.is_empty() || runtime.processors.iter().any(|p| !p.stealer.is_empty())
}

/// A worker that was woken as a searcher has something else to run first: it does not count as one any more.
pub(crate) fn stop_searching(runtime: &'static Runtime, processor: &Processor) {
    // SAFETY: the caller is the owner.
    let was_searching = unsafe { processor.owned(|owned| core::mem::take(&mut owned.searching)) };
    if was_searching && runtime.idle.stop_search() == Stopped::MustWakeOne {
        hand_off::wake_one(runtime);
    }
}

fn set_searching(processor: &Processor, searching: bool) {
    // SAFETY: the caller is the owner.
    unsafe { processor.owned(|owned| owned.searching = searching) };
}

/// Takes from the injector, and moves a few more into the run queue.
pub(crate) fn from_injector(runtime: &Runtime, processor: &Processor) -> Option<Ready> {
    if runtime.injector.is_empty() {
        return None;
    }
    loop {
        // SAFETY: the caller is the owner.
        let (stolen, more) =
            unsafe { processor.owned(|owned| counted(owned, |queue| runtime.injector.steal_batch_and_pop(queue))) };
        match stolen {
            Steal::Success(ready) => {
                processor.counts.injected.add(1 + more);
                return Some(ready);
            }
            Steal::Empty => return None,
            Steal::Retry => {}
        }
    }
}

/// Fires timers that are due, delivers events of sockets, and takes whom that has made ready.
fn from_outside(runtime: &'static Runtime, processor: &Processor) -> Option<Ready> {
    if time::bring_any(runtime, processor) {
        // SAFETY: the caller is the owner.
        unsafe { processor.pop() }
    } else {
        None
    }
}

/// Takes from another processor.
fn steal(runtime: &Runtime, processor: &Processor) -> Option<Ready> {
    let count = runtime.processors.len();
    if count == 1 {
        return None;
    }
    processor.counts.searches.one();
    for round in 0..ROUNDS {
        // SAFETY: the caller is the owner.
        let start = unsafe {
            processor.owned(|owned| {
                owned.victim = (owned.victim + 1) % count;
                owned.victim
            })
        };
        for offset in 0..count {
            let victim = &runtime.processors[(start + offset) % count];
            if ptr::eq(victim, processor) {
                continue;
            }
            while !victim.stealer.is_empty() {
                // SAFETY: the caller is the owner.
                let (stolen, more) = unsafe {
                    processor.owned(|owned| counted(owned, |queue| victim.stealer.steal_batch_and_pop(queue)))
                };
                match stolen {
                    Steal::Success(ready) => {
                        count_steal(processor, 1 + more);
                        return Some(ready);
                    }
                    Steal::Empty => break,
                    Steal::Retry => {}
                }
            }
            if round == ROUNDS - 1
                && let Some(ready) = steal_next(victim)
            {
                count_steal(processor, 1);
                return Some(ready);
            }
        }
        pause();
    }
    None
}

/// Does `steal`, and says how many more it has put into the queue. What others have taken from there meanwhile is not counted.
fn counted<R>(owned: &Owned, steal: impl FnOnce(&deque::Worker<Ready>) -> R) -> (R, u64) {
    let before = owned.queue.len();
    let stolen = steal(&owned.queue);
    (stolen, owned.queue.len().saturating_sub(before) as u64)
}

fn count_steal(processor: &Processor, stolen: u64) {
    processor.counts.steals.one();
    processor.counts.stolen.add(stolen);
}

/// Takes the `next` of an owner that is in a long turn. Two green threads that wake each other by turns are left alone.
fn steal_next(victim: &Processor) -> Option<Ready> {
    let turns = victim.turns.load(Ordering::Relaxed);
    if !victim.has_next() {
        return None;
    }
    pause();
    if victim.turns.load(Ordering::Relaxed) == turns { victim.take_next() } else { None }
}

fn pause() {
    (0..PAUSES).for_each(|_| core::hint::spin_loop());
}
