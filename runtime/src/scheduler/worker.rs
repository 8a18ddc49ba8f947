//! A worker: an OS thread of the runtime, and its loop "find a green thread, run a turn, act on why it ended, or sleep".
//!
//! # Who may touch which field, and when
//! * `processor`: the worker; after a take also the monitor, which reads it.
//! * `last`, `beside`, `ringing`, `others_first`: the worker's own OS thread.
//! * `tickets`, `green`, `obstacles`, `interleaves`, `counts`: written by the worker's own OS thread; others read a moment's truth, or, of a
//!   sleeping worker, the truth.
//! * `status`, `inbox`, `pinned`, `assigned`, `token`, `unparker`: everyone.
//! * `refused`: set by the monitor, cleared by the worker's own OS thread.
//! * `os_thread`, `rests`: written by the worker's own OS thread, read by the monitor.
//! * `parker`: the worker's own OS thread.
//!
//! A `Worker` outlives its OS thread: when that ends, `spare.rs` keeps it for the next one, so a pointer to it is good forever.

use super::blocked::OsThread;
use super::idle::Role;
use super::inbox::{Inbox, Sleep};
use super::parker::{Bed, Begin, Call, Token};
use super::processor::Processor;
use super::runtime::{Runtime, runtime};
use super::status::{Status, Tickets};
use super::{age, current, deadlock, hand_off, monitor, resident, search, time};
use crate::driver::clock::{self, Moment, NEVER};
use crate::driver::reactor::{Batch, Turn};
#[cfg(feature = "faults")]
use crate::faults;
use crate::green::thread::{Head, Ready, Residence};
use crate::green::turn;
use crate::metrics::count::OfWorker;
use crate::primitive::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, UnsafeCell};
use crate::seen::{self, HandOff};
use crate::stack::AlternateStack;
use core::cell::Cell;
use core::fmt;
use core::ptr;
use crossbeam_deque::{Injector, Steal};
use crossbeam_utils::sync::{Parker, Unparker};

pub(crate) struct Worker {
    /// Which one it is among all workers ever made; names its OS thread.
    pub(crate) index: usize,
    /// The processor that it owns; null if it has none.
    pub(crate) processor: AtomicPtr<Processor>,
    /// The index of the processor that it owned last.
    pub(crate) last: Cell<usize>,
    /// The stays in C.
    pub(crate) tickets: Tickets,
    pub(crate) status: Status,
    /// The green thread whose turn it is.
    green: AtomicPtr<Head>,
    /// Pinned green threads that are suspended here, and whether there is a processor: see `resident.rs`. 0: nothing is in the way of
    /// a C call.
    pub(crate) obstacles: AtomicU32,
    /// Whether the C call that it is in, if any, is interleaved.
    pub(crate) interleaves: AtomicBool,
    /// The wait in which it blocks is to end with an error: see `limit.rs`.
    pub(crate) refused: AtomicBool,
    pub(crate) inbox: Inbox<Head>,
    /// Interleaved residents that are ready.
    pub(crate) pinned: Injector<Ready>,
    /// Whether `pinned` may still have something after the bell was taken.
    ringing: Cell<bool>,
    /// Whether a resident had the last turn.
    others_first: Cell<bool>,
    /// The idle processor beside which it is about to sleep: whoever wakes that for work wakes this worker.
    pub(crate) beside: Cell<Option<&'static Processor>>,
    /// What was given to it while it slept: a processor, or [`RETIREMENT`].
    assigned: AtomicPtr<Processor>,
    /// Where it sleeps, and whether it was called.
    token: Token,
    parker: UnsafeCell<Parker>,
    unparker: Unparker,
    /// Its OS thread.
    os_thread: AtomicU32,
    /// Counts how often it has gone to sleep.
    rests: AtomicU64,
    pub(crate) counts: OfWorker,
    /// Its own OS thread writes; see `seen.rs`.
    #[cfg_attr(not(feature = "trace"), allow(dead_code, reason = "nobody records"))]
    pub(crate) seen: seen::OfWorker,
}

// SAFETY: the cells and the parker belong to the worker's own OS thread, by the table above; the rest is `Sync`.
unsafe impl Sync for Worker {}
// SAFETY: a worker is made on one OS thread and used on another, with the start of that thread in between.
unsafe impl Send for Worker {}

impl Worker {
    pub(crate) fn new(index: usize) -> Self {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        Self {
            index,
            processor: AtomicPtr::new(ptr::null_mut()),
            last: Cell::new(0),
            tickets: Tickets::new(),
            status: Status::new(),
            green: AtomicPtr::new(ptr::null_mut()),
            obstacles: AtomicU32::new(resident::NO_PROCESSOR),
            interleaves: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            inbox: Inbox::new(),
            pinned: Injector::new(),
            ringing: Cell::new(false),
            others_first: Cell::new(false),
            beside: Cell::new(None),
            assigned: AtomicPtr::new(ptr::null_mut()),
            token: Token::new(),
            parker: UnsafeCell::new(parker),
            unparker,
            os_thread: AtomicU32::new(0),
            rests: AtomicU64::new(0),
            counts: OfWorker::default(),
            seen: seen::OfWorker::new(),
        }
    }

    /// The processor that this worker owns.
    #[inline(always)]
    pub(crate) fn processor(&self) -> Option<&'static Processor> {
        // SAFETY: null, or one of the runtime's processors, which are never freed.
        unsafe { self.processor.load(Ordering::Relaxed).as_ref() }
    }

    /// Makes this worker the owner of `processor`, which nobody owns.
    pub(crate) fn own(&self, processor: &'static Processor) {
        processor.worker.store(ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        self.last.set(processor.index);
        self.processor.store(ptr::from_ref(processor).cast_mut(), Ordering::Relaxed);
        self.change_obstacles(|obstacles| obstacles & !resident::NO_PROCESSOR);
    }

    /// The worker's processor has been taken while it was in C.
    pub(crate) fn lose_processor(&self) {
        self.processor.store(ptr::null_mut(), Ordering::Relaxed);
        self.change_obstacles(|obstacles| obstacles | resident::NO_PROCESSOR);
    }

    /// The worker gives up what it owns. The caller passes it on.
    pub(crate) fn disown(&self) -> Option<&'static Processor> {
        let processor = self.processor()?;
        self.lose_processor();
        processor.worker.store(ptr::null_mut(), Ordering::Relaxed);
        Some(processor)
    }

    /// The green thread whose turn it is.
    #[inline(always)]
    pub(crate) fn green(&self) -> Option<&Head> {
        // SAFETY: null, or the head that `turn.rs` has lent for the turn; only code of this turn can ask.
        unsafe { self.green.load(Ordering::Relaxed).as_ref() }
    }

    /// Whether a green thread has its turn: a moment's truth, for others.
    pub(crate) fn has_green(&self) -> bool {
        !self.green.load(Ordering::Relaxed).is_null()
    }

    /// Lends `head` to the code of the turn.
    #[inline(always)]
    pub(crate) fn set_green(&self, head: *const Head) {
        self.green.store(head.cast_mut(), Ordering::Relaxed);
    }

    /// The address of the control block of the green thread whose turn it is: a moment's truth.
    pub(crate) fn runs(&self) -> Option<usize> {
        let green = self.green.load(Ordering::Relaxed);
        (!green.is_null()).then(|| green.addr())
    }

    /// Wakes its OS thread.
    pub(crate) fn unpark(&self) {
        let call = self.token.call();
        // Between the call and what ends the sleep.
        #[cfg(feature = "faults")]
        faults::delay(faults::Site::Wake);
        match call {
            Call::MustUnpark => self.unparker.unpark(),
            Call::MustNotify => runtime().reactor.call(),
            Call::WillLook => {}
        }
    }

    /// Stops its OS thread until somebody unparks it; may come back early.
    fn park(&self) {
        self.park_until(NEVER);
    }

    /// The same until `moment` at most.
    pub(super) fn park_until(&self, moment: Moment) {
        if self.token.begin(Bed::Parker) == Begin::Called {
            return;
        }
        // SAFETY: the parker is this OS thread's own.
        self.parker.with(|parker| match (unsafe { &*parker }, clock::instant_of(moment)) {
            (parker, Some(deadline)) => parker.park_deadline(deadline),
            (parker, None) => parker.park(),
        });
        self.token.end();
        #[cfg(feature = "faults")]
        faults::delay(faults::Site::Woken);
    }

    /// The same in the poller, whose turn is the worker's. Returns the events that have ended it.
    pub(super) fn poll_until<'a>(&self, turn: Turn<'a>, moment: Moment) -> Option<Batch<'a>> {
        if self.token.begin(Bed::Poller) == Begin::Called {
            return None;
        }
        let batch = turn.sleep_until(moment);
        self.token.end();
        #[cfg(feature = "faults")]
        faults::delay(faults::Site::Woken);
        batch
    }

    /// Gives it a processor while it sleeps, and wakes it.
    pub(crate) fn assign(&self, processor: &'static Processor, why: HandOff) {
        seen::hands_over(processor, self, why);
        self.assigned.store(ptr::from_ref(processor).cast_mut(), Ordering::Release);
        self.unpark();
    }

    /// Tells it to end its OS thread.
    pub(crate) fn retire(&self) {
        self.assigned.store(RETIREMENT, Ordering::Release);
        self.unpark();
    }

    /// Whether something was assigned.
    fn is_assigned(&self) -> bool {
        !self.assigned.load(Ordering::Relaxed).is_null()
    }

    /// Takes what was assigned.
    fn take_assigned(&self) -> Option<Assigned> {
        if !self.is_assigned() {
            return None;
        }
        let assigned = self.assigned.swap(ptr::null_mut(), Ordering::Acquire);
        if assigned == RETIREMENT {
            return Some(Assigned::Retirement);
        }
        // SAFETY: one of the runtime's processors, by `assign`.
        Some(Assigned::Processor(unsafe { &*assigned }))
    }

    /// Its OS thread, while it has one: a moment's truth.
    pub(crate) fn os_thread(&self) -> OsThread {
        OsThread(self.os_thread.load(Ordering::Relaxed))
    }

    /// Its OS thread, and which rest of the worker this is, if it sleeps and nobody has called it or given it anything: a moment's truth.
    pub(crate) fn at_rest(&self) -> Option<(OsThread, u64)> {
        if !self.inbox.is_asleep() || self.is_assigned() {
            return None;
        }
        // Both were written before the inbox said so.
        Some((self.os_thread(), self.rests.load(Ordering::Relaxed)))
    }

    /// How often it has gone to sleep.
    pub(crate) fn rests(&self) -> u64 {
        self.rests.load(Ordering::Relaxed)
    }

    /// The next resident that is ready.
    fn next_resident(&self) -> Option<Ready> {
        if self.inbox.has_mail() {
            let mail = self.inbox.take();
            if mail.bell {
                self.ringing.set(true);
            }
            if let Some(head) = mail.resident {
                // SAFETY: `put` left the scheduler's reference in the inbox, and `take` gives it out once.
                return Some(unsafe { Ready::from_raw(head) });
            }
        }
        while self.ringing.get() {
            match self.pinned.steal() {
                Steal::Success(ready) => return Some(ready),
                Steal::Empty => self.ringing.set(false),
                Steal::Retry => {}
            }
        }
        None
    }

    /// Whether a resident may be ready.
    #[inline(always)]
    pub(crate) fn has_mail(&self) -> bool {
        self.ringing.get() || self.inbox.has_mail()
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .field("status", &self.status)
            .field("inbox", &self.inbox)
            .finish_non_exhaustive()
    }
}

/// In the place of a processor: the OS thread ends.
const RETIREMENT: *mut Processor = ptr::without_provenance_mut(1);

/// What was given to a sleeping worker.
enum Assigned {
    Processor(&'static Processor),
    Retirement,
}

/// Where a worker without a processor is while it sleeps, until somebody takes it from there.
#[derive(Clone, Copy)]
enum Place {
    /// In the hands of whoever started its OS thread.
    Given,
    /// Beside a processor that it has announced as idle.
    Beside(&'static Processor),
    /// Among the spare workers.
    Spare,
}

/// What a rest came to.
enum Rest {
    /// There is a processor, or mail: look.
    Look,
    /// The OS thread ends.
    End,
}

/// The body of a worker's OS thread.
pub(crate) fn main(runtime: &'static Runtime, worker: &'static Worker) {
    current::become_worker(worker);
    worker.os_thread.store(OsThread::current().0, Ordering::Relaxed);
    let alternate_stack = AlternateStack::install().inspect_err(|error| {
        eprintln!("greenbridge: a stack overflow on this OS thread will be a bare SIGSEGV, for it has no alternate signal stack: {error}");
    });
    if let Ok(stack) = &alternate_stack {
        current::keep_signal_stack(stack.range());
    }
    // Ends the process rather than the OS thread if a panic gets here: the processor would be lost.
    let abort = AbortOnUnwind;
    // Whoever starts an OS thread gives it a processor, or puts it among the spare workers.
    let mut place = Place::Given;
    while let Rest::Look = rest(runtime, worker, place) {
        while run_one(runtime, worker) {}
        place = match worker.beside.take() {
            Some(processor) => Place::Beside(processor),
            None => Place::Spare,
        };
    }
    core::mem::forget(abort);
    current::cease_to_be_worker();
    runtime.spares.ended(worker);
}

/// Finds a green thread and runs a turn of it. False: there is none, and the worker owns no processor.
fn run_one(runtime: &'static Runtime, worker: &'static Worker) -> bool {
    // A resident that is ready goes first, but after its turn somebody else does: one that yields in a callback lets others run.
    if worker.has_mail() {
        if let Some(processor) = worker.processor() {
            search::stop_searching(runtime, processor);
            search::count_turn(runtime, processor);
        }
        let others_first = match &runtime.testing {
            Some(testing) => testing.below(2) == 1,
            None => worker.others_first.replace(false),
        };
        if (!others_first || !run_other(runtime, worker))
            && let Some(ready) = worker.next_resident()
        {
            worker.others_first.set(true);
            worker.counts.residents_woken.one();
            run_resident(runtime, worker, ready);
        }
        return true;
    }
    let Some(processor) = worker.processor() else { return false };
    match search::find(runtime, worker, processor) {
        Some(ready) => {
            run_found(runtime, worker, ready);
            true
        }
        None => worker.processor().is_some(),
    }
}

/// Runs one that is not a resident, if there is one at hand.
fn run_other(runtime: &'static Runtime, worker: &'static Worker) -> bool {
    let found = worker.processor().and_then(|processor| search::find_at_hand(runtime, processor));
    found.map(|ready| run_found(runtime, worker, ready)).is_some()
}

/// Runs a resident. In a callback an exclusive one needs no processor, for it counts as in C; with one, whom it wakes runs here, next to it.
/// Of interleaved ones there may be thousands: without a processor they would run on as many OS threads as keep some.
fn run_resident(runtime: &'static Runtime, worker: &'static Worker, ready: Ready) {
    let counts_as_in_c = ready.in_callback.get() && ready.residence.get() != Residence::Interleaved;
    if worker.processor().is_some() || hand_off::fetch_idle(runtime, worker) || counts_as_in_c {
        resume(runtime, worker, ready);
    } else {
        if ready.residence.get() == Residence::Free {
            // A guest that is not pinned yet need not wait for this very worker.
            ready.home.set(None);
        }
        hand_off::await_processor(runtime, ready);
    }
}

/// Runs one that was found in a queue.
#[inline]
fn run_found(runtime: &'static Runtime, worker: &'static Worker, ready: Ready) {
    match ready.home.get() {
        Some(home) if !ptr::eq(home, worker) => hand_off::to_home(worker, home, ready),
        _ => resume(runtime, worker, ready),
    }
}

/// Runs a turn of `ready`, and what follows from it.
#[inline]
fn resume(runtime: &'static Runtime, worker: &'static Worker, ready: Ready) {
    worker.unsettle(ready.residence.get());
    turn::run(runtime, worker, ready);
    if !worker.is_host() {
        runtime.spares.admit(worker);
    }
}

/// Sleeps until there is a processor or mail.
fn rest(runtime: &'static Runtime, worker: &'static Worker, place: Place) -> Rest {
    debug_assert!(worker.processor().is_none());
    if let Place::Spare = place {
        runtime.spares.join(worker);
        hand_off::wake_one_for_work(runtime);
    }
    // Settled on every way out: whoever sleeps beside a processor may keep the time.
    let mut duty = if let Place::Beside(_) = place { Some(time::Duty::new(runtime)) } else { None };
    loop {
        worker.rests.store(worker.rests.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !worker.is_assigned() && worker.inbox.sleep() == Sleep::MayPark {
            deadlock::suspect();
            age::tick();
            if runtime.testing.is_some() && matches!(place, Place::Spare) {
                // It may have been this worker that the run waited for.
                hand_off::wake_one(runtime);
            }
            let slept = match place {
                Place::Beside(processor) => time::sleep_as_keeper(runtime, worker, processor),
                Place::Given | Place::Spare => None,
            };
            if slept.is_some() {
                duty.get_or_insert_with(|| time::Duty::new(runtime));
            } else {
                drop(duty.take());
                worker.park();
            }
            worker.inbox.wake_up();
            age::tick();
            if let Some(time::Slept::Due(batch)) = slept
                && let Place::Beside(processor) = place
                && hand_off::leave_place(worker, processor)
            {
                // Nobody else takes it from there any more. Without the processor, if that has gone, it is a spare worker, and whom it
                // wakes goes to the injector.
                if runtime.idle.take_back(processor.index, Role::Running) {
                    hand_off::own_idle(runtime, worker, processor);
                    if time::come_back(runtime, processor, batch) && (worker.has_mail() || !runtime.injector.is_empty())
                    {
                        // Somebody else may have a turn before `next` has.
                        monitor::wake();
                    }
                }
                return Rest::Look;
            }
        }
        match worker.take_assigned() {
            Some(Assigned::Processor(processor)) => {
                worker.own(processor);
                return Rest::Look;
            }
            Some(Assigned::Retirement) if !worker.has_mail() => return Rest::End,
            Some(Assigned::Retirement) => {
                runtime.spares.unretire();
                return Rest::Look;
            }
            None => {}
        }
        if worker.has_mail() {
            if runtime.spares.leave(worker) {
                return Rest::Look;
            }
            if let Place::Beside(processor) = place
                && hand_off::leave_place(worker, processor)
            {
                // Nobody else takes it from there any more. With the processor or, if that has gone, without: its resident is ready.
                if runtime.idle.take_back(processor.index, Role::Running) {
                    hand_off::own_idle(runtime, worker, processor);
                }
                return Rest::Look;
            }
            // Somebody has taken it from its place, and either gives it a processor or puts it among the spare workers; both
            // unpark it.
            while !worker.is_assigned() && !runtime.spares.contains(worker) {
                worker.park();
            }
        }
    }
}

struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("greenbridge: a worker's loop panicked; the process cannot go on without it");
        std::process::abort();
    }
}
