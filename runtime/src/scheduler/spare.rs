//! Spare workers: OS threads without a processor. They start when a hand-off finds none, wait here, and end after an idle time.
//!
//! A worker without a processor is in one of three places: asleep beside an idle processor (`idle.rs`), here, or in C. Those here are
//! *free*, or *hosts* that keep residents; hosts are given a processor only when no free one can be had.
//!
//! At `max_threads` no OS thread is made. A processor then waits for a worker in the idle set or with its owner in C. A green thread that
//! must move to a worker without residents waits here until one has lost its last resident: it *waits to move*.
//!
//! # What it must never do
//! Hold its lock while it wakes, starts or joins an OS thread.

use super::blocked::OsThread;
use super::hand_off::{self, NoWorker};
use super::runtime::Runtime;
use super::template::Template;
use super::worker::{self, Worker};
use super::{monitor, schedule};
use crate::green::thread::Ready;
use crate::primitive::{AtomicI32, AtomicUsize, Mutex, Ordering, fence, lock};
use core::fmt;
use core::ptr;
use std::collections::VecDeque;
use std::io;
use std::time::Instant;

pub(crate) struct Spares {
    list: Mutex<List>,
    /// How many green threads wait to move: read without the lock.
    waiting: AtomicUsize,
    /// What the system said when it last refused to make an OS thread; 0 if it never has.
    refusal: AtomicI32,
    template: Template,
}

struct List {
    free: Vec<Spare>,
    hosts: Vec<Spare>,
    /// Workers whose OS thread has ended, for the next one.
    ended: Vec<&'static Worker>,
    /// OS threads that run or are being started.
    threads: usize,
    /// All that ever were.
    started: u64,
    /// All workers ever made.
    made: Vec<&'static Worker>,
    /// Green threads that wait to move.
    movers: VecDeque<Ready>,
}

struct Spare {
    worker: &'static Worker,
    since: Instant,
}

impl Spares {
    /// Made by the thread that starts the runtime.
    pub(crate) fn new() -> Self {
        Self {
            list: Mutex::new(List {
                free: Vec::new(),
                hosts: Vec::new(),
                ended: Vec::new(),
                threads: 0,
                started: 0,
                made: Vec::new(),
                movers: VecDeque::new(),
            }),
            waiting: AtomicUsize::new(0),
            refusal: AtomicI32::new(0),
            template: Template::of_caller(),
        }
    }

    /// Puts a worker without a processor here. If it is free, those that wait to move come to it first. Unless it is the caller, the
    /// caller unparks it afterwards.
    pub(crate) fn join(&self, worker: &'static Worker) {
        let spare = Spare { worker, since: Instant::now() };
        loop {
            let mut list = lock(&self.list);
            if worker.is_host() {
                list.hosts.push(spare);
                break;
            }
            // Under the same lock as the push: whoever comes to wait after this finds the worker here.
            let Some(guest) = list.next_mover(&self.waiting) else {
                list.free.push(spare);
                break;
            };
            drop(list);
            invite(worker, guest);
        }
        monitor::watch_spares();
    }

    /// Whether any worker is here.
    pub(crate) fn has_some(&self) -> bool {
        let list = lock(&self.list);
        !(list.free.is_empty() && list.hosts.is_empty())
    }

    /// Takes that very worker out, if it is here.
    pub(crate) fn leave(&self, worker: &Worker) -> bool {
        let mut list = lock(&self.list);
        let List { free, hosts, .. } = &mut *list;
        for place in [free, hosts] {
            if let Some(at) = place.iter().position(|spare| ptr::eq(spare.worker, worker)) {
                place.remove(at);
                return true;
            }
        }
        false
    }

    /// Whether that very worker is here.
    pub(crate) fn contains(&self, worker: &Worker) -> bool {
        let list = lock(&self.list);
        list.free.iter().chain(&list.hosts).any(|spare| ptr::eq(spare.worker, worker))
    }

    /// A worker for a processor: free, one that keeps only interleaved residents, new, or as a last resort any host.
    ///
    /// Interleaved calls can go on beside those it keeps. Were a new OS thread made while such a worker is to be had, each hand-off among
    /// thousands of interleaved calls would leave one more behind that keeps some.
    pub(crate) fn find(&self, runtime: &'static Runtime) -> Result<&'static Worker, NoWorker> {
        let at_hand = {
            let mut list = lock(&self.list);
            list.free.pop().or_else(|| {
                let at = list.hosts.iter().rposition(|spare| !spare.worker.keeps_exclusive())?;
                Some(list.hosts.swap_remove(at))
            })
        };
        if let Some(spare) = at_hand {
            return Ok(spare.worker);
        }
        self.find_free(runtime).or_else(|| lock(&self.list).hosts.pop().map(|spare| spare.worker)).ok_or(NoWorker)
    }

    /// A worker without residents: the last to have become free, or a new one.
    pub(crate) fn find_free(&self, runtime: &'static Runtime) -> Option<&'static Worker> {
        let mut list = lock(&self.list);
        if let Some(spare) = list.free.pop() {
            return Some(spare.worker);
        }
        if list.threads >= runtime.settings.max_threads {
            drop(list);
            return hand_off::take_sleeper(runtime);
        }
        let worker = list.reserve();
        drop(list);
        self.start(runtime, worker).ok().or_else(|| hand_off::take_sleeper(runtime))
    }

    /// Starts the first worker, which the runtime cannot do without.
    pub(crate) fn start_first(&self, runtime: &'static Runtime) -> io::Result<&'static Worker> {
        let worker = lock(&self.list).reserve();
        self.start(runtime, worker)
    }

    /// Makes an OS thread by `spawn` that no signal comes to.
    pub(crate) fn make_undisturbed<R>(&self, spawn: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.template.make_thread(spawn)
    }

    /// Starts the OS thread of `worker`, which is reserved, and sleeps until it is given a processor.
    fn start(&self, runtime: &'static Runtime, worker: &'static Worker) -> io::Result<&'static Worker> {
        let name = format!("{}-{}", runtime.settings.thread_name, worker.index);
        let main = move || {
            runtime.spares.template.adopt();
            worker::main(runtime, worker);
        };
        let mut thread = std::thread::Builder::new().name(name);
        if let Some(bytes) = runtime.settings.thread_stack_size {
            thread = thread.stack_size(bytes);
        }
        let started = self.template.make_thread(|| thread.spawn(main));
        started.map(|_| worker).inspect_err(|error| {
            self.refusal.store(error.raw_os_error().unwrap_or(libc::EAGAIN), Ordering::Relaxed);
            lock(&self.list).end(worker);
        })
    }

    /// What the system said when it last refused to make an OS thread.
    pub(crate) fn refusal(&self) -> Option<io::Error> {
        let code = self.refusal.load(Ordering::Relaxed);
        (code != 0).then(|| io::Error::from_raw_os_error(code))
    }

    /// Ends the OS threads of free workers that have been here for longer than `spare_idle`, down to one for each processor in all.
    /// Says when to come again.
    pub(crate) fn retire(&self, runtime: &Runtime) -> Option<Instant> {
        let idle = runtime.settings.spare_idle;
        let mut list = lock(&self.list);
        let now = Instant::now();
        let mut retired = Vec::new();
        while list.threads > runtime.processors.len()
            && list.free.first().is_some_and(|spare| spare.since + idle <= now)
        {
            let worker = list.free.remove(0).worker;
            list.threads -= 1;
            retired.push(worker);
        }
        let next =
            list.free.first().filter(|_| list.threads > runtime.processors.len()).map(|spare| spare.since + idle);
        drop(list);
        retired.iter().for_each(|worker| worker.retire());
        next
    }

    /// One that was told to end has mail, and stays.
    pub(crate) fn unretire(&self) {
        lock(&self.list).threads += 1;
    }

    /// The OS thread of `worker` is about to end.
    pub(crate) fn ended(&self, worker: &'static Worker) {
        lock(&self.list).ended.push(worker);
    }

    /// How many OS threads there are, how many of their workers are here, and how many OS threads there ever were: of one moment.
    pub(crate) fn counts(&self) -> (usize, usize, u64) {
        let list = lock(&self.list);
        (list.threads, list.free.len() + list.hosts.len(), list.started)
    }

    /// All workers ever made.
    pub(crate) fn made(&self) -> Vec<&'static Worker> {
        lock(&self.list).made.clone()
    }

    /// How many green threads wait to move: a moment's truth.
    pub(crate) fn waiting_to_move(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The workers that have an OS thread.
    pub(crate) fn alive(&self) -> Vec<&'static Worker> {
        let list = lock(&self.list);
        list.made.iter().filter(|made| !list.ended.iter().any(|ended| ptr::eq(*ended, **made))).copied().collect()
    }

    /// The workers that sleep, and that nobody has called: a moment's truth.
    pub(crate) fn at_rest(&self) -> Vec<(OsThread, u64)> {
        lock(&self.list).made.iter().filter_map(|worker| worker.at_rest()).collect()
    }

    /// Lets those that wait to move go on with an error: there will never be room for them.
    pub(crate) fn refuse_all(&self) {
        let movers = {
            let mut list = lock(&self.list);
            self.waiting.store(0, Ordering::Relaxed);
            core::mem::take(&mut list.movers)
        };
        for ready in movers {
            ready.refused.set(true);
            schedule::schedule(ready, schedule::Place::Back);
        }
    }

    /// Whether green threads wait to move.
    #[inline(always)]
    pub(crate) fn some_wait_to_move(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) != 0
    }

    /// `ready` waits for a worker without residents.
    pub(crate) fn wait_to_move(&self, runtime: &'static Runtime, ready: Ready) {
        {
            let mut list = lock(&self.list);
            list.movers.push_back(ready);
            self.waiting.store(list.movers.len(), Ordering::Relaxed);
        }
        monitor::watch_spares();
        // Pairs with the fence in `go_idle`: a worker that went idle without having seen this one is found here.
        fence(Ordering::SeqCst);
        let _ = self.try_to_move(runtime);
    }

    /// Makes room for one that waits to move, if the system makes OS threads again. For the monitor.
    pub(crate) fn try_to_move(&self, runtime: &'static Runtime) -> bool {
        let Some(worker) = self.find_free(runtime) else { return false };
        self.join(worker);
        worker.unpark();
        true
    }

    /// `worker` has no residents: one that waits to move may come.
    #[inline]
    pub(crate) fn admit(&self, worker: &'static Worker) {
        if self.some_wait_to_move() {
            self.admit_one(worker);
        }
    }

    #[cold]
    fn admit_one(&self, worker: &'static Worker) {
        let guest = lock(&self.list).next_mover(&self.waiting);
        if let Some(guest) = guest {
            invite(worker, guest);
        }
    }
}

/// Lets one that waits to move come to `worker`.
fn invite(worker: &'static Worker, guest: Ready) {
    guest.home.set(Some(worker));
    schedule::deliver(worker, guest);
}

impl List {
    /// The first of those that wait to move.
    fn next_mover(&mut self, waiting: &AtomicUsize) -> Option<Ready> {
        let mover = self.movers.pop_front();
        waiting.store(self.movers.len(), Ordering::Relaxed);
        mover
    }

    /// A worker for a new OS thread.
    fn reserve(&mut self) -> &'static Worker {
        self.threads += 1;
        self.started += 1;
        self.ended.pop().unwrap_or_else(|| {
            let worker: &'static Worker = Box::leak(Box::new(Worker::new(self.made.len())));
            self.made.push(worker);
            worker
        })
    }

    fn end(&mut self, worker: &'static Worker) {
        self.threads -= 1;
        self.started -= 1;
        self.ended.push(worker);
    }
}

impl fmt::Debug for Spares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = lock(&self.list);
        f.debug_struct("Spares")
            .field("free", &list.free.len())
            .field("hosts", &list.hosts.len())
            .field("threads", &list.threads)
            .field("movers", &list.movers.len())
            .finish()
    }
}
