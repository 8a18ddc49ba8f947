//! Hand-offs: a processor changes its worker.
//!
//! | when | from | to |
//! |---|---|---|
//! | work was made, or nobody keeps the time, and a processor is idle | the idle set | the worker that sleeps beside it, a spare one, or a new one |
//! | the monitor took it from a worker in C | that worker | a spare or a new one |
//! | `call_blocking`, or an OS thread about to block | its worker | a spare or a new one; the idle set if nothing waits |
//! | a green thread wants to be pinned where somebody is already | its worker | a spare or new one without residents |
//! | a worker came back from C without one | the idle set | that worker |
//! | a pinned green thread is ready, and its worker has none | whoever finds it in a queue | its worker |
//!
//! Whoever hands a processor over owns it until then, and `Worker::assign` publishes it.

use super::idle::Role;
use super::processor::Processor;
use super::runtime::{Runtime, runtime};
use super::worker::Worker;
use super::{current, monitor, schedule, search, time};
use crate::green::switch::Suspended;
use crate::green::thread::{Head, Ready};
use crate::primitive::{Ordering, fence};
use crate::seen::HandOff;
use crate::wait::park;
use core::ptr;

/// Wakes a worker for work that was just made, if a processor is idle and nobody searches.
#[inline]
pub(crate) fn wake_one(runtime: &'static Runtime) {
    if let Some(index) = runtime.idle.wake_one() {
        start_searcher(runtime, index);
    }
}

#[cold]
fn start_searcher(runtime: &'static Runtime, index: usize) {
    let processor = &runtime.processors[index];
    // SAFETY: taken out of the idle set, so it is the caller's.
    unsafe { processor.owned(|owned| owned.searching = true) };
    if give(runtime, processor, HandOff::Work).is_err() {
        // No OS thread is to be had, and the processor stays idle. Others have left their work to this claim, so it is looked for once
        // more; a worker that becomes spare after that looks, too.
        // SAFETY: still the caller's.
        unsafe { processor.owned(|owned| owned.searching = false) };
        runtime.idle.go_idle(index, Role::Searching);
        if runtime.spares.has_some() {
            wake_one_for_work(runtime);
        }
    }
}

/// Wakes a worker if there is work: for a worker that has just become spare while a processor may be idle.
#[cold]
pub(crate) fn wake_one_for_work(runtime: &'static Runtime) {
    fence(Ordering::SeqCst);
    if runtime.idle.some_idle() && (search::has_work_anywhere(runtime) || time::is_unkept(runtime)) {
        wake_one(runtime);
    }
}

/// No worker can be had for a processor: the limit is reached, or the system makes no more OS threads.
#[derive(Debug)]
pub(crate) struct NoWorker;

/// Gives `processor`, which the caller owns, to a worker: the one that sleeps beside it, or a spare or new one.
pub(crate) fn give(runtime: &'static Runtime, processor: &'static Processor, why: HandOff) -> Result<(), NoWorker> {
    let sleeper = processor.sleeper.swap(ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: null, or a worker; those are never freed.
    if let Some(worker) = unsafe { sleeper.as_ref() } {
        worker.assign(processor, why);
        return Ok(());
    }
    runtime.spares.find(runtime)?.assign(processor, why);
    Ok(())
}

/// Fetches an idle processor for `worker`, which has none: its last one if that is idle.
pub(crate) fn fetch_idle(runtime: &'static Runtime, worker: &'static Worker) -> bool {
    let Some(index) = runtime.idle.acquire(Some(worker.last.get())) else { return false };
    own_idle(runtime, worker, &runtime.processors[index]);
    true
}

/// Makes `worker` the owner of a processor that the caller has taken out of the idle set. Whoever sleeps beside it is a spare worker now.
pub(crate) fn own_idle(runtime: &'static Runtime, worker: &'static Worker, processor: &'static Processor) {
    let sleeper = processor.sleeper.swap(ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: null, or a worker; those are never freed.
    if let Some(sleeper) = unsafe { sleeper.as_ref() } {
        runtime.spares.join(sleeper);
        sleeper.unpark();
    }
    worker.own(processor);
}

/// Takes a worker without residents from its place beside an idle processor, which stays idle: for when no other can be had.
pub(crate) fn take_sleeper(runtime: &'static Runtime) -> Option<&'static Worker> {
    runtime.processors.iter().find_map(|processor| {
        // SAFETY: null, or a worker; those are never freed.
        let worker = unsafe { processor.sleeper.load(Ordering::Acquire).as_ref() }?;
        (!worker.is_host() && leave_place(worker, processor)).then_some(worker)
    })
}

/// Takes `worker` from its place beside `processor`. False: somebody else has.
pub(crate) fn leave_place(worker: &Worker, processor: &Processor) -> bool {
    let me = ptr::from_ref(worker).cast_mut();
    processor.sleeper.compare_exchange(me, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Fetches a processor for the running green thread, whose worker has come back from C without one: an idle one, or by
/// queueing for it like any green thread that is ready.
#[cold]
#[inline(never)]
pub(crate) fn fetch_processor() {
    let Some(worker) = current::worker() else { return };
    let runtime = runtime();
    if worker.processor().is_some() || fetch_idle(runtime, worker) {
        return;
    }
    if worker.green().is_some_and(|green| may_queue(worker, green)) {
        park::suspend_unpinned(Suspended::Queue);
    }
    // Else it goes on without a processor, until it next suspends.
}

/// Whether the running green thread may switch away to queue: not while it unwinds, for std counts panics by OS thread; not over the
/// frames of a bare C call; and not if a pin keeps it on a worker beside other residents.
fn may_queue(worker: &Worker, green: &Head) -> bool {
    let (_, callbacks) = current::stack_of_calls();
    callbacks == 0 && !std::thread::panicking() && (green.pins.get() == 0 || !worker.is_host())
}

/// A pinned green thread is ready, needs a processor, and its worker could not get one: it queues, and whoever finds it in the
/// queue brings the processor.
pub(crate) fn await_processor(runtime: &'static Runtime, ready: Ready) {
    runtime.injector.push(ready);
    wake_one(runtime);
}

/// Brings the processor of `worker` to the worker that alone may run `ready`.
#[cold]
pub(crate) fn to_home(worker: &'static Worker, home: &'static Worker, ready: Ready) {
    let processor = worker.disown().expect("a worker that found a green thread owns a processor");
    // SAFETY: the caller owns the processor until it is assigned.
    unsafe { processor.put_first(ready) };
    let runtime = runtime();
    if runtime.spares.leave(home) {
        worker.counts.brought_to_resident.one();
        home.assign(processor, HandOff::Resident);
        return;
    }
    // It has a processor by now, or is about to get one: then it does not need this one, only its green thread.
    let ready = processor.take_next();
    worker.own(processor);
    if let Some(ready) = ready {
        schedule::deliver(home, ready);
    }
}

/// The worker gives its processor up, because its OS thread is about to block: to another worker if work waits, else to the idle set. Says
/// whether it had one, and has given it up.
#[cold]
#[inline(never)]
pub(crate) fn give_up_processor(worker: &'static Worker) -> bool {
    if worker.status.is_entered() && !worker.try_leave() {
        return false;
    }
    let Some(processor) = worker.disown() else { return false };
    let runtime = runtime();
    if processor.has_work() || !runtime.injector.is_empty() {
        match give(runtime, processor, HandOff::Blocks) {
            Ok(()) => return true,
            // It keeps the processor, in C for as long as it blocks: the monitor takes it as soon as there is a worker.
            Err(NoWorker) => {
                worker.own(processor);
                worker.enter();
                return false;
            }
        }
    }
    leave_idle(runtime, processor);
    true
}

/// Puts a processor without work among the idle, and looks once more.
pub(crate) fn leave_idle(runtime: &'static Runtime, processor: &'static Processor) {
    processor.sleeper.store(ptr::null_mut(), Ordering::Relaxed);
    runtime.idle.go_idle(processor.index, Role::Running);
    monitor::mind_next(runtime);
    // Nobody sleeps beside it, so nobody who does can keep the time.
    if search::has_work_anywhere(runtime) || time::is_unkept(runtime) {
        wake_one(runtime);
    }
}

/// A green thread wants to be pinned where somebody is already: it goes, with the processor, to a worker without residents.
pub(crate) fn move_to_free_worker(runtime: &'static Runtime, worker: &'static Worker, ready: Ready) {
    let Some(free) = runtime.spares.find_free(runtime) else {
        runtime.spares.wait_to_move(runtime, ready);
        return;
    };
    match worker.disown() {
        Some(processor) => {
            worker.counts.moved.one();
            // SAFETY: the caller owns the processor until it is assigned.
            unsafe { processor.put_first(ready) };
            free.assign(processor, HandOff::Move);
        }
        None => {
            runtime.spares.join(free);
            free.unpark();
            schedule::inject(runtime, ready);
        }
    }
}
