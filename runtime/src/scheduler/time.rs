//! Time and sockets: who fires the timers that are due, and who fetches the events of files.
//!
//! Both are done by workers, between two turns; there is no thread for it, and no tick. In every situation somebody looks:
//!
//! | situation | who | when |
//! |---|---|---|
//! | a worker runs green threads | it | every some turns: see [`Watch`] |
//! | it has found nothing at hand | it | before it steals, and before it goes idle |
//! | a processor is idle | the *keeper*: one of the workers that sleep beside idle processors | at the first deadline; if files are registered, it sleeps in the poller, and at each event, too |
//! | a timer is armed that is earlier, or a first file is registered | who does it unparks the keeper by name | at once |
//! | the keeper goes on to run something | it wakes another worker, if a processor is idle and something is armed or registered | before it does |
//! | all processors are in C | the monitor takes one, as for any work that waits | within a millisecond |
//! | ... for long, with nothing to do | the monitor makes it idle, and wakes a worker, which becomes the keeper | |
//! | all processors are in long turns of Rust code | nobody | at the end of a turn: turns are not cut short |
//!
//! # Why no timer is forgotten
//! To the idle protocol (`idle.rs`) an armed timer while nobody keeps the time is work, and whoever makes that so is the pusher. That is
//! who arms a timer and finds no keeper ([`armed`]), and who gives the role up and does not take it again ([`Duty`]); each then calls
//! `wake_one`. So a processor does not stay idle with that work about, unless somebody searches. A searcher that finds other work wakes
//! another. One that finds nothing announces its processor as idle, and then, before it sleeps, claims the role; the claim comes after the
//! announcement, and the look at the timers after the claim (`keeper.rs`). If it has lost its place beside the processor in between it may
//! not claim, for it could not begin to run: then it calls `wake_one` in the pusher's place. A processor that becomes idle without a
//! sleeper is looked after by whoever leaves it (`hand_off::leave_idle`). And with no processor idle, each of them is run by a worker that
//! looks, or is in C, under the monitor's eyes.
//!
//! # Why no event is forgotten
//! A file that is registered is a timer that may be due at any time: all of the above holds with "registered" in the place of "armed", and
//! the number of registered files in the place of the first deadline. Who registers the first one asks for the keeper
//! ([`registered`]), as for a deadline that has come: if the keeper sleeps in its parker, it is called, and sleeps again, in the poller. Its
//! claim is followed by a look at that number, and the question follows the number; between each two lies a fence, so one sees the other
//! (`keeper.rs`). Later files need no question: who sleeps in the poller learns of them from the kernel.
//!
//! What the kernel has reported once it does not report again. Whoever has fetched it holds a batch, and delivers it on every way out.
//! Fetching takes the turn, and who finds that taken leaves it at that: the other one fetches what there is, or sleeps, and then the kernel
//! wakes it.
//!
//! A call must end the keeper's sleep, wherever that is: `parker.rs`.
//!
//! If `max_threads` workers all are blocked, nobody is left to look, and timers and events are late until one comes back.
//!
//! # Who runs what a timer wakes
//! A green thread that is woken by a timer goes into `next`, before all that is queued: it has waited for its moment, and the queue may be
//! long. Timers that are due at once are fired one by one, each when the one before has had its turn, so that other processors,
//! whose keeper or searchers look too, take their part of them. `next` in turn leaves every 33rd turn to the queue (`processor.rs`).
//!
//! Green threads that are woken by events go to the back of the run queue, in the order of the events, a bounded batch at a time: however
//! much comes in, those that are ready have their turns, and timers are looked at in between.
//!
//! Wakers of other executors are called here, on a worker, between two turns.

use super::processor::{Owned, Processor};
use super::runtime::{Runtime, runtime};
use super::schedule::{self, Place};
use super::worker::Worker;
use super::{age, current, hand_off};
use crate::driver::clock::{self, Moment, NEVER};
use crate::driver::keeper::{Ask, Claim};
use crate::driver::reactor::Batch;
use crate::driver::timers::Timers;
use crate::primitive::Ordering;
use core::ptr;

/// The most turns between two looks of a busy processor, and the number while nothing is armed.
const MOST_TURNS: u32 = 64;
/// Looks should be about this far apart, in nanoseconds: a look reads the clock, which costs 25 ns.
const APART: Moment = 25_000;
/// A busy processor fetches the events of files this far apart, in nanoseconds: each time is a system call, and green threads that are ready
/// are better served by fewer and larger batches.
const APART_FILES: Moment = 500_000;
/// Timers fired at once, if none of them leads to a turn on this processor.
const BATCH: usize = 32;
/// Earlier than every deadline, and not the keeper's word for nobody.
const NOW: Moment = 1;

/// How far the looks of a processor are apart. The number of turns between two of them follows the length of the turns.
#[derive(Debug)]
pub(crate) struct Watch {
    turns: u32,
    /// When it looked last.
    looked: Moment,
    /// The shard of another processor that the next look includes, in case that one is in a long turn.
    other: usize,
    /// For how many looks `next` is still left alone, in case what was fired lies there: the injector and the queue may each have a turn
    /// before it.
    spare_next: u8,
    /// Whether timers are being fired, and what that puts into `next` runs at once: then the monitor need not watch it.
    runs_next: bool,
}

impl Watch {
    /// One that has not looked yet.
    pub(super) const fn new() -> Self {
        Self { turns: 1, looked: 0, other: 0, spare_next: 0, runs_next: false }
    }

    /// Whether what is put into `next` now runs at once.
    pub(super) fn runs_next(&self) -> bool {
        self.runs_next
    }

    /// Looks: which shard has a timer that is due at which moment, or after how many turns to look again. The clock is read in any case if
    /// `for_files`.
    fn look(&mut self, timers: &Timers, own: usize, for_files: bool) -> Result<(usize, Moment), u32> {
        self.other = (self.other + 1) % timers.shards();
        let (mine, others) = (timers.earliest_in(own), timers.earliest_in(self.other));
        let (shard, earliest) = if mine <= others { (own, mine) } else { (self.other, others) };
        if earliest == NEVER {
            if for_files {
                self.read_clock();
                return Err(self.turns);
            }
            self.turns = 1;
            return Err(MOST_TURNS);
        }
        // What was due at the last look is due: the clock need not be read for each of many.
        if earliest > self.looked && earliest > self.read_clock() {
            return Err(self.turns);
        }
        self.spare_next = 2;
        Ok((shard, self.looked))
    }

    /// Reads the clock, and moves the looks nearer together or further apart.
    fn read_clock(&mut self) -> Moment {
        let now = clock::moment();
        match now.saturating_sub(self.looked) {
            short if short < APART => self.turns = (self.turns * 2).min(MOST_TURNS),
            long if long > 2 * APART => self.turns = (self.turns / 2).max(1),
            _ => {}
        }
        self.looked = now;
        now
    }
}

/// A look of a busy processor at its own timers and at those of one other: fires one that is due. And at the files.
#[cold]
#[inline(never)]
pub(super) fn look(runtime: &'static Runtime, processor: &Processor) {
    // One look in four: to read the clock at each would be seen in the cost of a yield.
    if processor.turns.load(Ordering::Relaxed) % (4 * MOST_TURNS) < MOST_TURNS {
        age::tick();
    }
    let for_files = runtime.reactor.is_needed();
    let look = |owned: &mut Owned| {
        let looks = if owned.watch.spare_next > 0 && processor.has_next() {
            owned.watch.spare_next -= 1;
            Err(1)
        } else {
            owned.watch.look(&runtime.timers, processor.index, for_files)
        };
        let turns = looks.err().unwrap_or(1);
        processor.look_at.store(owned.tick.wrapping_add(turns), Ordering::Relaxed);
        (looks.ok(), owned.watch.looked)
    };
    // SAFETY: the caller is the owner, and nothing here suspends.
    let (due, looked) = unsafe { processor.owned(look) };
    if for_files && let Some(batch) = runtime.reactor.fetch_now_and_then(looked, APART_FILES) {
        deliver(runtime, processor, batch);
    }
    if let Some((shard, now)) = due {
        fire(runtime, processor, shard, now);
    }
}

/// Fires timers of `shard` that are due, until one leads to a turn on this processor. Says whether there was any.
fn fire(runtime: &Runtime, processor: &Processor, shard: usize, now: Moment) -> bool {
    let had_next = processor.has_next();
    let mut fired = false;
    for _ in 0..BATCH {
        let Some(waker) = runtime.timers.take_due(shard, now) else { break };
        waker.wake();
        fired = true;
        if had_next || processor.has_next() {
            break;
        }
    }
    fired
}

/// Delivers events. Whom they wake goes to the back of the queue of `processor`, which is the caller's.
fn deliver(runtime: &'static Runtime, processor: &Processor, batch: Batch<'_>) {
    let next = processor.take_next();
    let is_one = next.is_none() && batch.len() == 1;
    drop(batch);
    // Each that was woken has moved the one before to the back.
    if !is_one && let Some(last) = processor.take_next() {
        schedule::push(runtime, processor, last, Place::Back);
    }
    if let Some(displaced) = next.and_then(|next| processor.put_next(next)) {
        schedule::push(runtime, processor, displaced, Place::Back);
    }
}

/// For a green thread that is about to let others go first: those for whom there are events are among them.
#[cold]
#[inline(never)]
pub(crate) fn fetch_for_others() {
    // In a callback from C the processor may be taken at any moment.
    if let Some(worker) = current::worker().filter(|worker| !worker.status.is_entered())
        && let Some(processor) = worker.processor()
    {
        let runtime = runtime();
        if let Some(batch) = runtime.reactor.fetch() {
            deliver(runtime, processor, batch);
        }
    }
}

/// For a worker that has nothing at hand: fires a timer that is due, whosever it is, and delivers events that are there. The caller takes
/// `next` at once.
#[cold]
pub(crate) fn bring_any(runtime: &'static Runtime, processor: &Processor) -> bool {
    let fired = fire_any(runtime, processor);
    if !runtime.reactor.is_needed() {
        return fired;
    }
    match runtime.reactor.fetch() {
        Some(batch) => {
            deliver_any(runtime, processor, batch);
            true
        }
        None => fired,
    }
}

/// For the keeper that has come back with a processor: the same, with the events that have woken it.
#[cold]
pub(super) fn come_back(runtime: &'static Runtime, processor: &Processor, batch: Option<Batch<'static>>) -> bool {
    let fired = fire_any(runtime, processor);
    match batch {
        Some(batch) => {
            deliver_any(runtime, processor, batch);
            true
        }
        None => fired,
    }
}

/// Delivers events for a caller that takes `next` at once.
fn deliver_any(runtime: &'static Runtime, processor: &Processor, batch: Batch<'_>) {
    set_runs_next(processor, true);
    deliver(runtime, processor, batch);
    set_runs_next(processor, false);
    pass_on(runtime);
    look_soon(processor);
}

/// Says whether what is put into `next` of the caller's processor runs at once.
fn set_runs_next(processor: &Processor, runs: bool) {
    // SAFETY: the caller is the owner.
    unsafe {
        processor.owned(|owned| {
            owned.watch.runs_next = runs;
            owned.watch.spare_next = 2;
        });
    }
}

/// Fires a timer that is due, whosever it is, and sees to it that others look after the rest.
fn fire_any(runtime: &'static Runtime, processor: &Processor) -> bool {
    if !runtime.timers.some_armed() {
        return false;
    }
    let now = clock::moment();
    let (count, own) = (runtime.timers.shards(), processor.index);
    set_runs_next(processor, true);
    let fired = (0..count).any(|n| fire(runtime, processor, (own + n) % count, now));
    set_runs_next(processor, false);
    if fired {
        pass_on(runtime);
        look_soon(processor);
    }
    fired
}

/// A timer has been armed that is the first of its shard: whoever keeps the time must know, and so must the processor that looks there.
pub(crate) fn armed(runtime: &'static Runtime, shard: usize, deadline: Moment) {
    look_soon(&runtime.processors[shard]);
    call_keeper(runtime, deadline);
}

/// A file has been registered, and it is the only one: whoever keeps the time must sleep in the poller from now on.
pub(crate) fn registered(runtime: &'static Runtime) {
    // As early as no deadline is.
    call_keeper(runtime, NOW);
}

/// Sees to it that somebody wakes until `deadline`.
fn call_keeper(runtime: &'static Runtime, deadline: Moment) {
    match runtime.keeper.ask(deadline) {
        Ask::Kept => {}
        // SAFETY: a worker; those are never freed.
        Ask::MustUnpark(keeper) => unsafe { keeper.as_ref() }.unpark(),
        Ask::NobodyKeeps => hand_off::wake_one(runtime),
    }
}

/// Lets `processor` look at the timers before its next turn.
fn look_soon(processor: &Processor) {
    processor.look_at.store(processor.turns.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Whether timers are armed or files registered, and nobody keeps the time.
#[inline]
pub(super) fn is_unkept(runtime: &Runtime) -> bool {
    runtime.keeper.is_vacant() && (runtime.timers.some_armed() || runtime.reactor.is_needed())
}

/// Whether a timer is due, or an event is there, and nobody keeps the time: work that waits, for the monitor.
pub(super) fn some_due_unkept(runtime: &Runtime) -> bool {
    is_unkept(runtime)
        && (runtime.timers.earliest() <= clock::moment()
            || (runtime.reactor.is_needed() && runtime.reactor.has_events()))
}

/// Wakes a worker, to keep the time, if nobody does and a processor is idle.
fn pass_on(runtime: &'static Runtime) {
    if runtime.idle.some_idle() && is_unkept(runtime) {
        hand_off::wake_one(runtime);
    }
}

/// What a worker owes that may leave the time without a keeper: settled when it is dropped.
pub(super) struct Duty(&'static Runtime);

impl Duty {
    /// For a worker that has announced its processor as idle, or has given the role up. There is a fence between that and the drop.
    pub(super) fn new(runtime: &'static Runtime) -> Self {
        Self(runtime)
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        pass_on(self.0);
    }
}

/// How a sleep beside a processor has ended.
#[must_use]
pub(super) enum Slept {
    /// A timer is due, or there are events: run.
    Due(Option<Batch<'static>>),
    /// Somebody has called, or may have.
    Called,
}

/// Sleeps as the keeper of the time, until the first deadline, until an event, or until it is called. None: somebody else keeps, or `worker` is not beside
/// `processor` any more; it has not slept.
pub(super) fn sleep_as_keeper(
    runtime: &'static Runtime,
    worker: &'static Worker,
    processor: &Processor,
) -> Option<Slept> {
    let is_beside = ptr::eq(processor.sleeper.load(Ordering::Relaxed), worker);
    if !is_beside || runtime.keeper.claim(worker) == Claim::AnotherKeeps {
        return None;
    }
    // A virtual clock does not go on by itself.
    let earliest = if clock::is_virtual() { NEVER } else { runtime.timers.earliest() };
    let is_due = |earliest: Moment| earliest != NEVER && earliest <= clock::moment();
    let mut batch = None;
    if !is_due(earliest) {
        runtime.keeper.keep_until(earliest);
        match runtime.reactor.is_needed().then(|| runtime.reactor.take_turn()).flatten() {
            Some(turn) => batch = worker.poll_until(turn, earliest),
            None => worker.park_until(earliest),
        }
    }
    runtime.keeper.resign();
    let some_due = batch.is_some() || is_due(runtime.timers.earliest());
    Some(if some_due { Slept::Due(batch) } else { Slept::Called })
}
