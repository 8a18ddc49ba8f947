//! The monitor: an OS thread that looks after processors whose workers are long in C.
//!
//! | it sees, twice in a row | it does |
//! |---|---|
//! | a worker on the same stay in C, and work waits for its processor or anywhere | takes the processor, and hands it to another worker |
//! | the same for a millisecond, and no work | takes it, and makes it idle |
//! | an interleaved call on the same stay for a millisecond | either of these, if [patience](super::patience) with it is at an end |
//! | the same turn, `next` taken, and an idle processor | wakes a searcher, which may steal `next` |
//! | a spare worker that has been idle for too long | ends it |
//! | green threads that wait to move, or a worker that blocks with work for its processor, and nobody who could ever make room | refuses them (`limit.rs`) |
//! | all wait, and nobody who could ever wake them | reports it and ends the process (`deadlock.rs`), which tells when it looks for that |
//!
//! # When it looks
//! Every 20 us while somebody is in C and work waits. Otherwise it backs off to a millisecond, so that is how late its first look at such
//! a call may be (Go's monitor backs off to 10 ms, and a green thread behind a long C call waits for 11 ms). When nothing is in C and
//! nothing is left in `next` it sleeps for good.
//!
//! # How it is woken
//! A worker that enters C, and one that fills `next` while a processor is idle, look at [`ASLEEP`] afterwards. That is a store and a
//! load on one side, and on the other the store of `ASLEEP`, a heavy fence, and another look at everything: one of the two sees
//! the other. So the fast path of a C call pays one load of a line that is hardly ever written. A worker whose processor becomes idle
//! while another has a `next` looks at `ASLEEP` too: until then that `next` concerned nobody.
//!
//! # What it must never do
//! Run a green thread, or wait for one. Take a processor before there is a worker for it.

use super::patience::Patience;
use super::processor::Processor;
use super::runtime::Runtime;
use super::status::{Take, Ticket};
use super::worker::Worker;
use super::{age, deadlock, hand_off, limit, template, time};
#[cfg(feature = "faults")]
use crate::faults;
use crate::primitive::{AtomicBool, Mutex, Ordering, heavy_fence, lock};
use crate::seen::HandOff;
use core::ptr;
use crossbeam_utils::CachePadded;
use crossbeam_utils::sync::{Parker, Unparker};
use std::io;
use std::time::{Duration, Instant};

/// Between two looks while a worker is in C and work waits.
const SHORT: Duration = Duration::from_micros(20);
/// The longest pause while it is awake.
const LONG: Duration = Duration::from_millis(1);
/// How long a processor may be in C with nothing to do before it is made idle.
const LONG_IN_C: Duration = Duration::from_millis(1);
/// How long nothing must have happened before it sleeps for good.
const CALM: Duration = Duration::from_millis(10);

/// Whether the monitor sleeps for good. On a line of its own: every C call reads it.
pub(crate) static ASLEEP: CachePadded<AtomicBool> = CachePadded::new(AtomicBool::new(false));

static UNPARKER: Mutex<Option<Unparker>> = Mutex::new(None);

/// Wakes the monitor.
#[cold]
#[inline(never)]
pub(crate) fn wake() {
    if ASLEEP.swap(false, Ordering::AcqRel) {
        call();
    }
}

/// A processor has become idle: if another has a `next`, the monitor must watch whether that is left there.
pub(crate) fn mind_next(runtime: &Runtime) {
    // If it is awake it will look after this: it announces its sleep before its last look.
    if !ASLEEP.load(Ordering::Relaxed) {
        return;
    }
    // Pairs with the light fence in `push`: a `next` that this misses was put there by somebody who sees the idle processor.
    heavy_fence();
    if runtime.processors.iter().any(Processor::has_next) {
        wake();
    }
}

/// There is a new spare worker, whose idle time the monitor must keep.
pub(crate) fn watch_spares() {
    if ASLEEP.load(Ordering::Relaxed) {
        wake();
    }
}

/// Lets the monitor look at what it looks at asleep, too.
pub(super) fn call() {
    #[cfg(feature = "faults")]
    faults::delay(faults::Site::Wake);
    if let Some(unparker) = &*lock(&UNPARKER) {
        unparker.unpark();
    }
}

/// Starts the monitor's OS thread.
pub(crate) fn start(runtime: &'static Runtime) -> io::Result<()> {
    #[cfg(feature = "faults")]
    faults::fail(faults::Site::Thread)?;
    let parker = Parker::new();
    *lock(&UNPARKER) = Some(parker.unparker().clone());
    let name = format!("{}-mon", runtime.settings.thread_name);
    std::thread::Builder::new().name(name).stack_size(64 * 1024).spawn(move || main(runtime, &parker)).map(drop)
}

/// What the monitor remembers of a processor from its last look.
#[derive(Clone, Copy)]
struct Seen {
    worker: *const Worker,
    ticket: Option<Ticket>,
    since: Instant,
    patience: Option<Patience>,
    turns: u32,
    had_next: bool,
}

/// What a look has shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outlook {
    /// Nobody is in C, and nothing is left in `next`.
    Calm,
    /// Somebody is in C, or `next` is taken.
    Busy,
    /// Somebody is in C, and work waits.
    Pressing,
}

fn main(runtime: &'static Runtime, parker: &Parker) {
    template::be_monitor();
    make_short_sleeps_short();
    let now = Instant::now();
    let mut seen =
        vec![
            Seen { worker: ptr::null(), ticket: None, since: now, patience: None, turns: 0, had_next: false };
            runtime.processors.len()
        ];
    let (mut pause, mut calm_since) = (SHORT, now);
    let mut watch = deadlock::Watch::default();
    let mut limit = limit::Watch::default();
    loop {
        let now = Instant::now();
        age::tick();
        let (outlook, starved) = look(runtime, &mut seen, now);
        match outlook {
            Outlook::Pressing => (pause, calm_since) = (SHORT, now),
            Outlook::Busy => (pause, calm_since) = ((pause * 2).min(LONG), now),
            Outlook::Calm if now - calm_since < CALM => pause = (pause * 2).min(LONG),
            Outlook::Calm => {
                sleep_for_good(runtime, parker, &mut watch, &mut limit);
                (pause, calm_since) = (SHORT, Instant::now());
            }
        }
        if pause == LONG {
            let _ = runtime.spares.retire(runtime);
        }
        let _ = watch.look(runtime);
        let _ = limit.look(runtime, starved);
        pause_for(pause);
    }
}

/// Sleeps until somebody enters C, or fills `next` beside an idle processor; meanwhile it still ends idle spare workers, and looks for
/// a deadlock when it is asked to.
fn sleep_for_good(runtime: &'static Runtime, parker: &Parker, watch: &mut deadlock::Watch, limit: &mut limit::Watch) {
    ASLEEP.store(true, Ordering::Relaxed);
    heavy_fence();
    if outlook(runtime) > Outlook::Calm {
        ASLEEP.store(false, Ordering::Relaxed);
        return;
    }
    while ASLEEP.load(Ordering::Acquire) {
        let retires = runtime.spares.retire(runtime);
        let looks = watch.look(runtime);
        let moves = limit.look(runtime, None);
        match [retires, looks, moves].into_iter().flatten().min() {
            Some(next) => parker.park_deadline(next),
            None => parker.park(),
        }
        #[cfg(feature = "faults")]
        faults::delay(faults::Site::Woken);
    }
}

/// What a processor's worker is doing in C, if it is there.
fn stay(processor: &Processor) -> Option<(&'static Worker, Ticket)> {
    // SAFETY: null, or a worker; those are never freed.
    let worker = unsafe { processor.worker.load(Ordering::Relaxed).as_ref() }?;
    Some((worker, worker.status.in_c()?))
}

fn outlook(runtime: &Runtime) -> Outlook {
    let busy = runtime.processors.iter().any(|p| stay(p).is_some() || (p.has_next() && runtime.idle.some_idle()));
    if busy { Outlook::Busy } else { Outlook::Calm }
}

/// One look at every processor. Also names a worker that keeps one for which work waits, and for which there is no other worker.
fn look(runtime: &'static Runtime, seen: &mut [Seen], now: Instant) -> (Outlook, Option<&'static Worker>) {
    let mut outlook = Outlook::Calm;
    let mut starved = None;
    for (processor, seen) in runtime.processors.iter().zip(seen) {
        let turns = processor.turns.load(Ordering::Relaxed);
        let has_next = processor.has_next();
        if has_next && runtime.idle.some_idle() {
            outlook = outlook.max(Outlook::Busy);
            if seen.had_next && seen.turns == turns {
                hand_off::wake_one(runtime);
            }
        }
        (seen.turns, seen.had_next) = (turns, has_next);

        let Some((worker, ticket)) = stay(processor) else {
            seen.ticket = None;
            continue;
        };
        let work_waits = processor.has_work() || !runtime.injector.is_empty() || time::some_due_unkept(runtime);
        let is_new = seen.ticket != Some(ticket) || !ptr::eq(seen.worker, worker);
        if is_new {
            (seen.worker, seen.ticket, seen.since, seen.patience) = (worker, Some(ticket), now, None);
        }
        let is_long = now - seen.since > LONG_IN_C;
        let stays = is_new
            || worker.is_interleaved() && (!is_long || Patience::lasts(&mut seen.patience, worker.os_thread(), now));
        outlook = outlook.max(if work_waits && (is_new || !stays) { Outlook::Pressing } else { Outlook::Busy });
        if stays {
            continue;
        }
        if work_waits {
            if !take_and_give(runtime, worker, ticket) {
                outlook = Outlook::Busy;
                starved = Some(worker);
            }
        } else if is_long && let Some(processor) = take(worker, ticket) {
            runtime.counts.taken_idle.one();
            hand_off::leave_idle(runtime, processor);
        }
    }
    (outlook, starved)
}

/// Takes the processor of `worker`, which is on the stay `ticket`.
fn take(worker: &'static Worker, ticket: Ticket) -> Option<&'static Processor> {
    // Read before the take: afterwards the worker may already have come back, and forgotten it. On this stay it cannot change, so
    // if the take succeeds this is the processor it has entered C with.
    let processor = worker.processor();
    match worker.status.take(ticket) {
        Take::Taken => processor,
        Take::TooLate => None,
    }
}

/// Takes a processor, and gives it to a worker that exists before it is taken. False: there is none to be had.
fn take_and_give(runtime: &'static Runtime, worker: &'static Worker, ticket: Ticket) -> bool {
    let Ok(other) = runtime.spares.find(runtime) else { return false };
    match take(worker, ticket) {
        Some(processor) => {
            runtime.counts.taken.one();
            other.assign(processor, HandOff::Taken);
        }
        None => {
            runtime.spares.join(other);
            other.unpark();
        }
    }
    true
}

/// A thread's sleeps are rounded up by 50 us unless it asks for less.
fn make_short_sleeps_short() {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a number of this OS thread; takes no pointer.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_usize)
    };
}

#[allow(clippy::disallowed_methods, reason = "the monitor is an OS thread of its own, and sleeps as one")]
fn pause_for(pause: Duration) {
    std::thread::sleep(pause);
}
