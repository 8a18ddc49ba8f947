//! A timeline of what green threads do, for Perfetto and Chrome. With the feature `trace`.
//!
//! [`start`] begins to record, [`stop`] gives the [`Timeline`]. Its [`write_json`](Timeline::write_json) writes the trace-event format, which
//! <https://ui.perfetto.dev> and `chrome://tracing` open: a track for each worker and one for each green thread, with slices for running, for C by
//! the function that calls it, for callbacks by their export, and for waits by what is waited for and where; and with arrows from who wakes,
//! spawns or hands a processor over to what comes of it.
//!
//! ```
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! use greenbridge_runtime::{run, spawn, trace};
//!
//! trace::start(trace::Options::new());
//! run(|| spawn(|| ()).join()).expect("no panic");
//! let timeline = trace::stop().expect("it was started");
//! let mut json = Vec::new();
//! timeline.write_json(&mut json)?;
//! assert!(json.starts_with(b"{\"traceEvents\":["));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it costs
//! Each worker keeps its events in a buffer of its own, up to a bound; what comes after that is dropped, and counted. An event takes a look
//! at the clock and up to 64 bytes: there are two for each turn, one for each wake and spawn, two for each C call and callback.
//!
//! While nobody records, a turn, a wake, a spawn and a callback pay a load and a branch, and a C call nothing: a green thread whose turn had
//! begun before [`start`] has its calls told from its next turn on, unless it is the caller.

mod json;
mod line_up;
mod timeline;

pub use timeline::{Arrow, Slice, SliceKind, Timeline, Track};

use crate::green::origin::Origin;
use crate::primitive::{AtomicUsize, Mutex, Ordering, lock};
use crate::scheduler::runtime::runtime;
use crate::scheduler::worker::Worker;
use crate::seen::{self, HandOff, Site};
use crate::wait::Waits;
use std::collections::HashMap;
use std::time::Instant;

/// When the recording began; None: nobody records.
static BEGAN: Mutex<Option<Instant>> = Mutex::new(None);

/// The events of all OS threads that are no workers: the monitor's takes, and what foreign threads wake and spawn.
pub(crate) static ELSEWHERE: Mutex<Buffer> = Mutex::new(Buffer::new());

/// How a timeline is recorded.
#[derive(Debug, Clone)]
pub struct Options {
    events_per_thread: usize,
}

impl Options {
    /// 100,000 events for each worker, at most 6.4 MB.
    pub fn new() -> Self {
        Self { events_per_thread: 100_000 }
    }

    /// Keeps so many events for each worker, and as many for all other OS threads together; what comes after that is dropped.
    #[must_use]
    pub fn events_per_thread(mut self, events: usize) -> Self {
        self.events_per_thread = events;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Begins to record. What has been recorded and not been fetched by [`stop`] is forgotten.
///
/// # Panics
/// If the runtime has not been started.
pub fn start(options: Options) {
    let workers = runtime().spares.made();
    let mut began = lock(&BEGAN);
    LIMIT.store(options.events_per_thread, Ordering::Relaxed);
    workers.iter().for_each(|worker| *lock(&worker.seen.buffer) = Buffer::new());
    *lock(&ELSEWHERE) = Buffer::new();
    *began = Some(Instant::now());
    seen::set_watched(seen::TIMELINE, true);
}

/// Ends the recording, and gives what was recorded. None: nobody has started one.
pub fn stop() -> Option<Timeline> {
    let mut began = lock(&BEGAN);
    let start = began.take()?;
    seen::set_watched(seen::TIMELINE, false);
    let workers = runtime().spares.made();
    let of_worker = |&worker: &&'static Worker| (Some(worker.index), core::mem::take(&mut *lock(&worker.seen.buffer)));
    let elsewhere = core::mem::take(&mut *lock(&ELSEWHERE));
    let buffers: Vec<_> = workers.iter().map(of_worker).chain([(None, elsewhere)]).collect();
    Some(line_up::line_up(start, Instant::now(), buffers))
}

/// Whether a timeline is being recorded.
pub fn is_recording() -> bool {
    lock(&BEGAN).is_some()
}

/// How many events a buffer takes.
static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// The events of one OS thread, in their order.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    events: Vec<Event>,
    dropped: u64,
    /// What the green threads in it are called: they may be gone when it is read.
    names: Option<HashMap<u64, Named>>,
}

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self { events: Vec::new(), dropped: 0, names: None }
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, event: Event) {
        if self.events.len() < LIMIT.load(Ordering::Relaxed) {
            self.events.push(event);
        } else {
            self.dropped += 1;
        }
    }

    /// Keeps what `green` is called, as long as there is room for events.
    pub(crate) fn name(&mut self, green: u64, named: impl FnOnce() -> Named) {
        if self.dropped == 0 {
            self.names.get_or_insert_default().entry(green).or_insert_with(named);
        }
    }
}

/// What a green thread is called.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: Option<String>,
    pub(crate) spawned: Origin,
}

/// Something that has happened on an OS thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at: Instant,
    pub(crate) what: What,
}

/// What it was. `green` is the number of a green thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    TurnBegins { green: u64 },
    TurnEnds { green: u64, why: Ended },
    CBegins { green: u64, site: Site },
    CEnds { green: u64, is_handed_off: bool },
    CallbackBegins { green: u64, name: &'static str },
    CallbackEnds { green: u64 },
    Spawned { green: u64 },
    Woken { green: u64 },
    HandsOver { processor: usize, to: usize, why: HandOff },
}

/// Why a turn has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ended {
    Waits(Option<Waits>),
    Yields,
    Queues,
    Moves,
    Finishes,
}

const _: () = assert!(size_of::<Event>() <= 64);
