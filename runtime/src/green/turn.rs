//! One turn of a green thread: attach a stack, switch, and commit what it switched away for.
//!
//! The worker that holds the [`Ready`] runs the turn. Everything that lets others resume the green thread (a park, a push to a
//! queue, the end) happens here, after the switch off its stack is complete, and nowhere else.

use super::state::{Finish, Park};
use super::switch::{Coroutine, Suspended, Turn};
use super::thread::{Head, Ready, Residence, body};
use crate::scheduler::runtime::{Runtime, is_forked};
use crate::scheduler::worker::Worker;
use crate::scheduler::{hand_off, schedule};
use crate::seen;
use crate::stack::{Stack, StackError};
use core::ptr::{self, NonNull};

/// Runs one turn.
#[inline]
pub(crate) fn run(runtime: &'static Runtime, worker: &'static Worker, ready: Ready) {
    if ready.residence.get() != Residence::Free || ready.home.get().is_some() {
        ready.residence.set(Residence::Free);
        ready.home.set(None);
        ready.in_callback.set(false);
    }
    // SAFETY: whoever holds the `Ready` owns the coroutine; the green thread itself does not touch it.
    let turn = ready.coroutine.with_mut(|slot| {
        // SAFETY: as above.
        let slot = unsafe { &mut *slot };
        let coroutine = match slot {
            Some(coroutine) => coroutine,
            None => match attach(runtime, worker, &ready) {
                Ok(coroutine) => slot.insert(coroutine),
                Err(error) => {
                    eprintln!("greenbridge: green thread #{} could not be started: {error}", ready.owner.id());
                    ready.fail(Box::new(error));
                    worker.counts.failed.one();
                    return Turn::Returned;
                }
            },
        };
        ready.stamp.runs(&worker.counts.latencies);
        worker.counts.turns.one();
        worker.set_hasty(ready.hasty.get());
        worker.set_green(ready.head().as_ptr());
        seen::turn_begins(worker, &ready);
        let turn = coroutine.resume();
        seen::turn_ends(worker, &ready, turn);
        worker.set_green(ptr::null());
        turn
    });
    match turn {
        Turn::Suspended(Suspended::Park) => park(worker, ready),
        Turn::Suspended(Suspended::Yield) => yielded(runtime, worker, ready),
        Turn::Suspended(Suspended::Queue) => queue(runtime, worker, ready),
        Turn::Suspended(Suspended::Move) => hand_off::move_to_free_worker(runtime, worker, ready),
        Turn::Returned => finish(runtime, worker, ready),
    }
}

/// Gives a green thread the stack for its first turn.
///
/// Inlined: a coroutine that is handed over in memory, written in words and read in pairs of them, costs a spawn a tenth more.
#[inline(always)]
fn attach(runtime: &Runtime, worker: &Worker, ready: &Ready) -> Result<Coroutine, StackError> {
    let stack = match worker.processor() {
        // SAFETY: the worker owns its processor, and nothing here suspends.
        Some(processor) => unsafe { processor.owned(|owned| owned.stacks.take(&runtime.stacks)) },
        None => runtime.stacks.allocate(),
    }?;
    // SAFETY: the owner is part of the control block, which outlives its time on the stack; see `finish`.
    unsafe { stack.set_owner(Head::owner(ready.head())) };
    worker.counts.begun.one();
    let suspender = NonNull::from(&ready.suspender);
    // SAFETY: the head, and the suspender in it, live until the scheduler's reference is released, after the coroutine has returned.
    Ok(unsafe { Coroutine::new(stack, suspender, body, ready.head()) })
}

/// Commits a park. From the moment it is parked, the green thread is no longer ours.
#[inline]
fn park(worker: &'static Worker, ready: Ready) {
    let residence = ready.residence.get();
    if residence != Residence::Free {
        settle(worker, &ready);
    }
    let head = ready.into_raw();
    // SAFETY: the scheduler's reference, just left, keeps it alive until the park is committed.
    match unsafe { head.as_ref() }.state.park() {
        Park::Parked => {}
        Park::Notified => {
            // SAFETY: not parked, so nobody else was told to schedule it.
            let ready = unsafe { Ready::from_raw(head) };
            match (residence, worker.processor()) {
                (Residence::Free, Some(processor)) => {
                    // SAFETY: the worker owns its processor.
                    unsafe { processor.owned(|owned| owned.queue.push(ready)) };
                }
                _ => schedule::schedule(ready, schedule::Place::Back),
            }
        }
    }
}

/// It let others go first: to the back of the queue. Nobody is woken for it: the queue is no longer than before the turn.
#[inline]
fn yielded(runtime: &'static Runtime, worker: &'static Worker, ready: Ready) {
    if ready.residence.get() != Residence::Free {
        settle(worker, &ready);
        return schedule::deliver(worker, ready);
    }
    match worker.processor() {
        // SAFETY: the worker owns its processor.
        Some(processor) => unsafe {
            processor.owned(|owned| {
                owned.queue.push(ready);
                owned.yielded = true;
            });
        },
        None => schedule::inject(runtime, ready),
    }
}

/// It needs a processor, and its worker has none: it queues for one.
fn queue(runtime: &'static Runtime, worker: &'static Worker, ready: Ready) {
    if ready.pins.get() > 0 {
        ready.residence.set(Residence::Exclusive);
        settle(worker, &ready);
    }
    ready.stamp.is_ready();
    schedule::inject(runtime, ready);
}

/// The green thread stays with this worker while it is suspended.
fn settle(worker: &'static Worker, ready: &Ready) {
    worker.settle(ready.residence.get());
    ready.home.set(Some(worker));
}

/// It has returned: gives its stack back, and wakes its joiner.
#[inline]
fn finish(runtime: &Runtime, worker: &Worker, ready: Ready) {
    if is_forked() {
        ended_in_forked_child(&ready);
    }
    // SAFETY: whoever holds the `Ready` owns the coroutine.
    if let Some(coroutine) = ready.coroutine.with_mut(|slot| unsafe { (*slot).take() }) {
        worker.counts.finished.one();
        let stack: Stack = coroutine.into_stack();
        // SAFETY: nobody runs on it any more.
        unsafe { stack.set_owner(ptr::null()) };
        match worker.processor() {
            // SAFETY: the worker owns its processor.
            Some(processor) => unsafe { processor.owned(|owned| owned.stacks.put(stack, &runtime.stacks)) },
            None => drop(stack),
        }
    }
    if ready.state.finish() == Finish::MustWakeJoiner {
        // SAFETY: the outcome makes the joiner's waker ours.
        let joiner = ready.joiner.with_mut(|joiner| unsafe { (*joiner).take() });
        joiner.expect("JOINER is set after the waker is in place").wake();
    }
    let green = ready.owner.id();
    ready.release();
    seen::finishes(worker, green);
}

/// A green thread has forked, and comes to its end in the child: whoever would join it is in the parent.
#[cold]
fn ended_in_forked_child(ready: &Ready) -> ! {
    eprintln!(
        "greenbridge: green thread #{} returned in a forked child, where no runtime goes on: in the child, exec a program or exit",
        ready.owner.id()
    );
    std::process::abort();
}
