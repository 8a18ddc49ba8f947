//! What the scheduler tells, and to whom it goes.

use super::HandOff;
use crate::green::switch::{Suspended, Turn};
use crate::green::thread::{Head, Ready};
use crate::primitive::{AtomicU8, Mutex, Ordering, lock};
use crate::report::{self, Occupation};
use crate::scheduler::current;
use crate::scheduler::in_c::{Frame, Way};
use crate::scheduler::processor::Processor;
use crate::scheduler::worker::Worker;
use crate::trace::{self, Buffer, Ended, Event, Named, What};
use core::any::type_name;
use core::panic::Location;
use crossbeam_utils::CachePadded;
use std::time::Instant;

/// A timeline is being recorded.
pub(crate) const TIMELINE: u8 = 1;
/// A report is being made.
pub(crate) const REPORT: u8 = 2;

/// Who records. On a line of its own: every turn reads it.
static WATCHED: CachePadded<AtomicU8> = CachePadded::new(AtomicU8::new(0));

/// Begins or ends one of the two.
pub(crate) fn set_watched(by: u8, watched: bool) {
    if watched {
        WATCHED.fetch_or(by, Ordering::AcqRel);
        // The others see it at their next turn; the caller may call C in this one.
        if let Some(worker) = current::worker() {
            worker.watch();
        }
    } else {
        WATCHED.fetch_and(!by, Ordering::AcqRel);
    }
}

/// Whether somebody records.
#[inline(always)]
pub(crate) fn is_watched() -> bool {
    WATCHED.load(Ordering::Relaxed) != 0
}

fn is_watched_by(by: u8) -> bool {
    WATCHED.load(Ordering::Relaxed) & by != 0
}

/// What a worker keeps for both. Its own OS thread writes, and nobody else comes but to begin, to end or to look: the lock is free.
#[derive(Debug)]
pub(crate) struct OfWorker {
    pub(crate) buffer: Mutex<Buffer>,
    pub(crate) occupation: Mutex<Option<Occupation>>,
}

impl OfWorker {
    pub(crate) const fn new() -> Self {
        Self { buffer: Mutex::new(Buffer::new()), occupation: Mutex::new(None) }
    }
}

/// Keeps an event of the caller: in the buffer of its worker, or in that of all other OS threads.
///
/// Never inlined: its callers may be inlined into code that suspends, and locks and allocators have thread-locals of their own.
#[inline(never)]
fn tell(worker: Option<&Worker>, what: What) {
    let event = Event { at: Instant::now(), what };
    match worker {
        Some(worker) => lock(&worker.seen.buffer).push(event),
        None => lock(&trace::ELSEWHERE).push(event),
    }
}

/// A turn begins.
#[inline(always)]
pub(crate) fn turn_begins(worker: &'static Worker, ready: &Ready) {
    if is_watched() {
        turn_begins_watched(worker, ready);
    }
}

#[cold]
#[inline(never)]
fn turn_begins_watched(worker: &'static Worker, ready: &Ready) {
    let (green, named) = (ready.owner.id(), || Named::of(ready));
    if is_watched_by(TIMELINE) {
        lock(&worker.seen.buffer).name(green, named);
        tell(Some(worker), What::TurnBegins { green });
    }
    if is_watched_by(REPORT) {
        *lock(&worker.seen.occupation) = Some(Occupation::begins(green, named()));
    }
}

/// A turn has ended, and what it ended for is not committed yet. After the last one comes [`finishes`].
#[inline(always)]
pub(crate) fn turn_ends(worker: &Worker, ready: &Ready, turn: Turn) {
    if is_watched() {
        turn_ends_watched(worker, ready, turn);
    }
}

#[cold]
#[inline(never)]
fn turn_ends_watched(worker: &Worker, ready: &Ready, turn: Turn) {
    let why = match turn {
        Turn::Returned => Ended::Finishes,
        Turn::Suspended(Suspended::Park) => Ended::Waits(ready.waits.get().map(|(waits, _)| waits)),
        Turn::Suspended(Suspended::Yield) => Ended::Yields,
        Turn::Suspended(Suspended::Queue) => Ended::Queues,
        Turn::Suspended(Suspended::Move) => Ended::Moves,
    };
    if turn != Turn::Returned {
        ends_for(worker, ready.owner.id(), why);
    }
    let occupation = lock(&worker.seen.occupation).take();
    if is_watched_by(REPORT)
        && let Some(occupation) = occupation
    {
        report::occupied(occupation, why);
    }
}

/// A green thread has finished, and whoever waits for that has been woken: on the timeline the wake is part of its last turn.
#[inline(always)]
pub(crate) fn finishes(worker: &Worker, green: u64) {
    if is_watched() {
        ends_for(worker, green, Ended::Finishes);
    }
}

#[cold]
#[inline(never)]
fn ends_for(worker: &Worker, green: u64, why: Ended) {
    if is_watched_by(TIMELINE) {
        tell(Some(worker), What::TurnEnds { green, why });
    }
}

/// A green thread was made, and is about to be put into a queue.
#[inline(always)]
pub(crate) fn spawned(ready: &Ready) {
    if is_watched() && is_watched_by(TIMELINE) {
        tell(current::worker(), What::Spawned { green: ready.owner.id() });
    }
}

/// A green thread has been woken, and is about to be put where it belongs.
#[inline(always)]
pub(crate) fn woken(green: &Head) {
    if is_watched() {
        woken_watched(green);
    }
}

#[cold]
#[inline(never)]
fn woken_watched(green: &Head) {
    if is_watched_by(TIMELINE) {
        tell(current::worker(), What::Woken { green: green.owner.id() });
    }
}

/// A processor is about to be given to the worker `to`.
#[inline(always)]
pub(crate) fn hands_over(processor: &Processor, to: &Worker, why: HandOff) {
    if is_watched() {
        hands_over_watched(processor, to, why);
    }
}

#[cold]
#[inline(never)]
fn hands_over_watched(processor: &Processor, to: &Worker, why: HandOff) {
    if is_watched_by(TIMELINE) {
        tell(current::worker(), What::HandsOver { processor: processor.index, to: to.index, why });
    }
}

/// Where a C call is made.
#[derive(Clone, Copy)]
pub(crate) struct Here(&'static Location<'static>);

/// The place of the caller, if it is made to track its callers itself.
#[inline(always)]
#[track_caller]
pub(crate) fn here() -> Here {
    Here(Location::caller())
}

/// A C call while it lasts. It is dropped before the worker leaves C.
pub(crate) struct Stay(Option<Call>);

/// One that is told.
struct Call {
    worker: &'static Worker,
    green: u64,
    site: Site,
    began: Instant,
    turns: u64,
}

/// Where C is called, how, and in which function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) way: Way,
    pub(crate) function: &'static str,
    pub(crate) at: &'static Location<'static>,
}

/// A C call begins, made by a green thread on `worker`; it has entered C.
#[inline(always)]
pub(crate) fn c_begins<F>(worker: Option<&'static Worker>, way: Way, _: &F, here: Here) -> Stay {
    Stay(if is_watched() {
        c_begins_watched(worker, Site { way, function: type_name::<F>(), at: here.0 })
    } else {
        None
    })
}

#[cold]
#[inline(never)]
fn c_begins_watched(worker: Option<&'static Worker>, site: Site) -> Option<Call> {
    let worker = worker?;
    let green = worker.green()?.owner.id();
    if is_watched_by(TIMELINE) {
        tell(Some(worker), What::CBegins { green, site });
    }
    if let Some(occupation) = &mut *lock(&worker.seen.occupation) {
        occupation.calls(site.at);
    }
    Some(Call { worker, green, site, began: Instant::now(), turns: worker.counts.turns.read() })
}

impl Stay {
    /// It is over.
    #[inline(always)]
    pub(crate) fn ends(self) {
        drop(self);
    }
}

/// Also when it unwinds.
impl Drop for Stay {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(call) = &self.0 {
            call.ends();
        }
    }
}

impl Call {
    #[cold]
    #[inline(never)]
    fn ends(&self) {
        let worker = self.worker;
        // A turn has begun here since: a callback has waited.
        let has_waited = worker.counts.turns.read() != self.turns;
        // Claimed, taken or given up.
        let is_handed_off = !has_waited && worker.status.in_c().is_none();
        let lasted = self.began.elapsed();
        if is_watched_by(TIMELINE) {
            tell(Some(worker), What::CEnds { green: self.green, is_handed_off });
        }
        if is_watched_by(REPORT) {
            report::called(&self.site, lasted, is_handed_off);
            if let Some(occupation) = &mut *lock(&worker.seen.occupation) {
                occupation.called(lasted, is_handed_off);
            }
        }
    }
}

/// A callback from C while it lasts.
#[doc(hidden)]
#[derive(Debug)]
pub struct Callback {
    name: &'static str,
    began: Instant,
    bare: bool,
}

/// A callback begins, of the export `name`. For the bridge.
#[doc(hidden)]
#[cold]
#[inline(never)]
pub fn callback_begins(name: &'static str) -> Callback {
    let (frame, callbacks) = current::stack_of_calls();
    let worker = current::worker();
    let green = worker.and_then(Worker::green);
    if let (Some(green), true) = (green, is_watched_by(TIMELINE)) {
        tell(worker, What::CallbackBegins { green: green.owner.id(), name });
    }
    Callback { name, began: Instant::now(), bare: green.is_some() && !Frame::covers(frame, callbacks + 1) }
}

impl Callback {
    /// It has ended, on the same OS thread. For the bridge.
    #[doc(hidden)]
    #[cold]
    #[inline(never)]
    pub fn ends(self) {
        let lasted = self.began.elapsed();
        let worker = current::worker();
        if let (Some(green), true) = (worker.and_then(Worker::green), is_watched_by(TIMELINE)) {
            tell(worker, What::CallbackEnds { green: green.owner.id() });
        }
        if is_watched_by(REPORT) {
            report::called_back(self.name, lasted, self.bare);
        }
    }
}

/// What green threads do at this moment that occupy a processor, for a report.
pub(crate) fn occupations(workers: &[&'static Worker]) -> Vec<Occupation> {
    // Not those in C that have lost it.
    let has_one = |worker: &Worker| {
        worker.processor().is_some() && (!worker.status.is_entered() || worker.status.in_c().is_some())
    };
    workers.iter().filter(|worker| has_one(worker)).filter_map(|worker| lock(&worker.seen.occupation).clone()).collect()
}
