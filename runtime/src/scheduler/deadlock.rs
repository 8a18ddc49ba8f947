//! Deadlock: nobody runs, and nobody is left who could wake anybody. The exact test, when it is made, and what follows.
//!
//! The runtime counts OS threads rather than green threads, so the test holds with any C in the process: what C does, some OS thread does.
//! The process is *stuck* when
//!
//! 1. each of its OS threads is the monitor or the observer (`observer.rs`), or a worker that sleeps and has been given nothing, or blocks in a wait of the
//!    runtime's and has not been woken (`blocked.rs`);
//! 2. no timer is armed, and nobody waits for a socket or another file: somebody outside may write to it.
//!
//! Every change is made by somebody who runs. So a process that is stuck at one moment stays stuck, and a report of it is final.
//!
//! # How it is seen
//! The monitor is the one that looks, and an OS thread itself: it makes no green thread ready, and wakes none. Neither does the observer, which
//! goes with it below.
//!
//! | access | what | does |
//! |---|---|---|
//! | Before | [`sleepers`] | reads which OS threads sleep or block, and for each which rest or stay that is |
//! | Threads | [`os_threads`] | reads `/proc/self/task`: all OS threads of the process, by number |
//! | Fence | heavy fence | lets the monitor see what anybody has done before it |
//! | After | [`sleepers`] | the same again |
//!
//! Stuck, if Before and After are equal, and Threads has these and the monitor, no more and no fewer.
//!
//! # Proof
//! Each sleeper of Before and After is on the same rest or stay in both, so it has slept from Before to Fence: to be woken is to be
//! called, given something or taken off the list *first*, and After would see that; to go back to sleep is a new rest or stay. (One that was
//! unparked for nothing looks, in vain, and goes back to sleep; a look that finds something without having been woken is not ours to foresee,
//! nor would anybody make it look.)
//!
//! Let *t* be the moment at which the kernel's walk over the threads has come to its end, between Before and Fence. Threads of a process are
//! linked in the order in which they were made, new ones at the end, and leave the chain when they have ended. Assume that another OS
//! thread L lives at *t*. The last one that the walk has come to is a sleeper or the monitor, for it met nobody else; it was made before
//! Before, and is the end of the chain at *t*. So L was made earlier, and was in the chain during the whole walk, which met it: a
//! contradiction. (A walk breaks off early, or counts from the front again, only beside a thread that has ended; it has met that one then, or all
//! sleepers before it once. Hence the numbers are compared and not only counted: a count can be right by chance.) So at *t* every OS thread sleeps but
//! the monitor: (1) holds, and from then on nothing changes. What is read after Fence, queues and timers, is therefore the truth.
//!
//! # What is not a deadlock
//! An OS thread that is in C, computes, sleeps, reads, or waits in std, tokio or another runtime: it is no sleeper. A C call is one of these.
//! A wait with a deadline: a timer, or an OS thread that gets up by itself. A process that has a handler for a signal from outside: it might
//! wake somebody. A forked child: it has no monitor. And some are missed: where `/proc` is not mounted or counts in another namespace, and
//! where `main` has ended by `pthread_exit`, for the kernel goes on listing it.
//!
//! # When it looks
//! Whoever goes to sleep while all processors are idle asks for a look *after* it can be seen to sleep ([`suspect`]). The last one to do so
//! is followed by a look that sees all of them: it either finds a look asked for, and then the monitor, which takes the request before it
//! looks, with a heavy fence in between, sees it asleep; or it asks. An OS thread of somebody else's can end at any time, and nobody is told.
//! So the monitor looks [several times](PAUSES) more, and then sleeps for good, for an idle runtime makes no system calls: what such
//! a thread leaves behind when it ends later is found at the next request, or not at all.
//!
//! # What it must never do
//! Cost anything where work is done: [`suspect`] is called by OS threads that are about to sleep.

pub(crate) mod report;

use super::blocked::{self, OsThread};
use super::monitor;
use super::runtime::{Runtime, is_started, runtime};
use crate::observer;
use crate::primitive::{AtomicU8, AtomicU64, Ordering, heavy_fence, light_fence};
use std::time::{Duration, Instant};

/// No look is to come.
const NONE: u8 = 0;
/// One is to come, for a request that has been looked into.
const AGAIN: u8 = 1;
/// One is to come, for a request that is newer than the last look.
const ASKED: u8 = 2;

static LOOK: AtomicU8 = AtomicU8::new(NONE);

/// Before the first look that was asked for, and between two. In steady traffic the last one counts.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(10), Duration::from_millis(30), Duration::from_millis(100), Duration::from_millis(180)];

/// Asks for a look, if nothing seems to run. The caller is about to sleep, and can be seen to.
#[inline]
pub(crate) fn suspect() {
    // Pairs with the heavy fence in `Watch::look`.
    light_fence();
    if LOOK.load(Ordering::Relaxed) != ASKED && is_started() {
        ask(runtime());
    }
}

#[cold]
fn ask(runtime: &Runtime) {
    // While a timer is armed, or a file waited for, nobody is stuck; whoever ends the last of that runs, and comes here when it goes to sleep.
    let may_be_stuck = runtime.idle.all_idle() && !runtime.timers.some_armed() && !runtime.reactor.some_wait();
    if runtime.settings.deadlock_detection && may_be_stuck && LOOK.swap(ASKED, Ordering::AcqRel) == NONE {
        monitor::call();
    }
}

/// The monitor's side: when it looks next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    next: Option<Instant>,
    looks: usize,
}

impl Watch {
    /// Looks if it is time to. Says when to come again; whoever asks first calls the monitor.
    pub(super) fn look(&mut self, runtime: &'static Runtime) -> Option<Instant> {
        match self.next {
            None if LOOK.load(Ordering::Acquire) == NONE => return None,
            None => (self.looks, self.next) = (0, Some(Instant::now() + PAUSES[0])),
            Some(next) if next > Instant::now() => {}
            Some(_) => {
                let is_new = LOOK.swap(AGAIN, Ordering::AcqRel) == ASKED;
                // Pairs with the light fence in `suspect`: who has not been seen to sleep sees AGAIN.
                heavy_fence();
                if is_deadlock(runtime) {
                    report::end();
                }
                self.looks += 1;
                self.next = PAUSES.get(self.looks).map(|&pause| Instant::now() + pause);
                if self.next.is_none() && (is_new || !rest()) {
                    self.next = PAUSES.last().map(|&pause| Instant::now() + pause);
                }
            }
        }
        self.next
    }
}

/// No look is to come, unless somebody has asked for one.
fn rest() -> bool {
    LOOK.compare_exchange(AGAIN, NONE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

fn is_deadlock(runtime: &Runtime) -> bool {
    everybody_waits(runtime) && !runtime.spares.some_wait_to_move() && !catches_signals()
}

/// Whether the process is stuck, but for those that wait to move: see `limit.rs`.
pub(super) fn everybody_waits(runtime: &Runtime) -> bool {
    frozen(runtime, || nothing_is_ready(runtime))
}

/// Whether all OS threads sleep or block, and nobody has woken any, while `holds`: then that goes on to hold.
pub(super) fn frozen(runtime: &Runtime, holds: impl Fn() -> bool) -> bool {
    if !holds() {
        return false;
    }
    let before = sleepers(runtime);
    let mut expected: Vec<_> =
        before.iter().map(|sleeper| sleeper.thread).chain([OsThread::current()]).chain(observer::os_thread()).collect();
    expected.sort_unstable();
    if os_threads() != Some(expected) {
        return false;
    }
    heavy_fence();
    sleepers(runtime) == before && holds()
}

/// Whether any worker but the caller's neither sleeps nor blocks in a wait: a moment's truth.
pub(crate) fn other_workers_run(runtime: &Runtime) -> bool {
    let blocked = blocked::all().iter().filter(|blocked| !blocked.green.is_null()).count();
    runtime.spares.at_rest().len() + blocked + 1 < runtime.spares.counts().0
}

/// An OS thread that sleeps or blocks.
#[derive(PartialEq, Eq)]
struct Sleeper {
    thread: OsThread,
    /// Which rest of the worker, or which stay among those that block.
    since: u64,
}

fn sleepers(runtime: &Runtime) -> Vec<Sleeper> {
    let workers = runtime.spares.at_rest().into_iter();
    let blocked = blocked::all().into_iter().map(|blocked| (blocked.thread, blocked.stay));
    workers.chain(blocked).map(|(thread, since)| Sleeper { thread, since }).collect()
}

/// Whether no green thread is about to run: a moment's truth.
fn nothing_is_ready(runtime: &Runtime) -> bool {
    runtime.idle.all_idle()
        && runtime.injector.is_empty()
        && !runtime.processors.iter().any(|processor| processor.has_work())
        && !runtime.timers.some_armed()
        && !runtime.reactor.some_wait()
}

/// The OS threads of the process, in order.
fn os_threads() -> Option<Vec<OsThread>> {
    let mut threads = Vec::new();
    for entry in std::fs::read_dir("/proc/self/task").ok()? {
        threads.push(OsThread(entry.ok()?.file_name().to_str()?.parse().ok()?));
    }
    threads.sort_unstable();
    Some(threads)
}

/// The handlers that the runtime has installed: a bit for each signal. They wake nobody.
static OWN_HANDLERS: AtomicU64 = AtomicU64::new(0);

/// The runtime has installed a handler for `signal`.
pub(crate) fn is_own(signal: libc::c_int) {
    OWN_HANDLERS.fetch_or(1 << (signal - 1), Ordering::Relaxed);
}

/// Whether the process has a handler for a signal that may come from outside.
fn catches_signals() -> bool {
    /// These come from what the process itself does, or from the C library.
    const OWN: [libc::c_int; 11] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGABRT,
        libc::SIGPROF,
        libc::SIGVTALRM,
        32,
        33,
    ];
    let own: u64 = OWN.iter().map(|signal| 1_u64 << (signal - 1)).sum();
    let own = own | OWN_HANDLERS.load(Ordering::Relaxed);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let caught = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    // What cannot be read may be caught.
    caught.is_none_or(|caught| caught & !own != 0)
}
