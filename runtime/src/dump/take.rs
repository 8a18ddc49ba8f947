//! Taking a dump: the census, what the workers do, and the backtraces.

use super::census::{Seen, census};
use super::group::{self, Groups, Key, Limits, Member, Order, Who};
use super::memory::Memory;
use super::model::{self, Dump, Pinned, State, WorkerState};
use crate::green::thread::Residence;
use crate::scheduler::age::Ages;
use crate::scheduler::blocked::{self, Blocked};
use crate::scheduler::runtime::{Runtime, runtime};
use crate::scheduler::worker::Worker;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// In a small program every green thread is listed, in a large one the first few of each group.
const SMALL: usize = 10_000;
/// What is kept of a large program.
const LIMITS: Limits = Limits { groups: 1_000, members: 8 };

pub(super) fn dump() -> Dump {
    let runtime = runtime();
    let begin = Instant::now();
    let memory = match Memory::shared() {
        Ok(memory) => memory,
        Err(error) => return unreadable(runtime, &error),
    };
    let green_threads = crate::stack::in_use().count();
    let limits = if green_threads > SMALL { LIMITS } else { Limits { members: SMALL, ..LIMITS } };
    let mut groups = Groups::new(limits);
    let around = Around::now(runtime);
    let ages = Ages::now();
    #[cfg(feature = "dump")]
    let mut stacks = super::unwind::Stacks::new(&memory);
    let (mut queued, mut ids) = (0, HashMap::new());
    let mut seen_at_all = 0;
    let missed = census(&memory, |seen| {
        let (key, member) = around.tell(&seen, Some(&ages));
        seen_at_all += 1;
        queued += usize::from(key.state == State::Ready);
        if around.runs.contains_key(&seen.glimpse.head) {
            ids.insert(seen.glimpse.head, seen.glimpse.id);
        }
        #[cfg(feature = "dump")]
        let key = Key { stack: stacks.take(&seen, &key, around.runs.get(&seen.glimpse.head).copied()), ..key };
        groups.add(key, member);
    });
    around.os_threads(Some(&ages)).for_each(|(key, member)| groups.add(key, member));
    groups.join_without_stack();
    let more = groups.more;
    #[cfg(feature = "dump")]
    let (no_backtraces, groups) = (stacks.failure(), groups.finish(Order::BySize, |number| stacks.finish(number)));
    #[cfg(not(feature = "dump"))]
    let (no_backtraces, groups) = (
        Some("the feature `dump` of the crate greenbridge is off".to_owned()),
        groups.finish(Order::BySize, |_| unreachable!("untaken")),
    );
    let processors = processors(runtime);
    let in_queues: usize = processors.iter().map(|p| p.queued).sum::<usize>() + runtime.injector.len();
    Dump {
        process: std::process::id(),
        took_us: u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX),
        green_threads: seen_at_all + missed,
        not_begun: in_queues.saturating_sub(queued),
        missed,
        groups,
        more,
        processors,
        workers: around.workers(&ids),
        no_backtraces,
    }
}

/// A sandbox lets nobody read this process's memory.
#[cold]
fn unreadable(runtime: &'static Runtime, error: &std::io::Error) -> Dump {
    Dump {
        process: std::process::id(),
        took_us: 0,
        green_threads: crate::stack::in_use().count(),
        not_begun: 0,
        missed: crate::stack::in_use().count(),
        groups: Vec::new(),
        more: 0,
        processors: processors(runtime),
        workers: Around::now(runtime).workers(&HashMap::new()),
        no_backtraces: Some(format!("neither process_vm_readv nor /proc/self/mem may be used here: {error}")),
    }
}

/// All green threads that wait, and all OS threads that block in a wait: at most `limits`, and how many more there are.
///
/// # Safety
/// No green thread runs, or is made ready or resumed meanwhile, but for the caller; and the caller has seen this in a way that orders their
/// last turns before this call.
pub(crate) unsafe fn waiting(limits: Limits) -> (Vec<model::Group>, usize) {
    // SAFETY: by contract nobody writes control blocks or ends meanwhile.
    let memory = unsafe { Memory::quiet() };
    let mut groups = Groups::new(limits);
    let around = Around::blocked();
    let _ = census(&memory, |seen| {
        let (key, member) = around.tell(&seen, None);
        let waits = key.waits.or(seen.glimpse.waited.map(|(waits, _)| waits));
        groups.add(Key { state: State::Waits, waits, ..key }, member);
    });
    around.os_threads(None).for_each(|(key, member)| groups.add(key, member));
    let more = groups.more;
    (groups.finish(Order::ByMember, |_| unreachable!("untaken")), more)
}

/// What goes on around the green threads: a moment's truth.
#[derive(Default)]
struct Around {
    /// Those that wait for themselves.
    os_threads: Vec<Blocked>,
    /// By the control blocks of the green threads that wait in this way.
    blocked: HashMap<usize, Blocked>,
    workers: Vec<&'static Worker>,
    /// Who runs which control block.
    runs: HashMap<usize, &'static Worker>,
}

impl Around {
    fn now(runtime: &Runtime) -> Self {
        let workers = runtime.spares.alive();
        let runs = workers.iter().filter_map(|&worker| Some((worker.runs()?, worker))).collect();
        Self { workers, runs, ..Self::blocked() }
    }

    /// Only who blocks.
    fn blocked() -> Self {
        let (os_threads, by_green): (Vec<_>, Vec<_>) =
            blocked::all().into_iter().partition(|blocked| blocked.green.is_null());
        let blocked = by_green.into_iter().map(|blocked| (blocked.green.addr(), blocked)).collect();
        Self { os_threads, blocked, ..Self::default() }
    }

    /// What is told of a green thread.
    fn tell(&self, seen: &Seen, ages: Option<&Ages>) -> (Key, Member) {
        let glimpse = &seen.glimpse;
        let blocks = self.blocked.get(&glimpse.head);
        let runs = self.runs.get(&glimpse.head).copied();
        let state = match (blocks, runs) {
            (Some(_), _) => State::Waits,
            _ if glimpse.is_parked => State::Waits,
            (_, Some(worker)) if counts_as_in_c(worker) => State::InC,
            (_, Some(_)) => State::Runs,
            _ => State::Ready,
        };
        let waits = match (state, blocks) {
            (_, Some(blocked)) => Some(blocked.waits),
            (State::Waits, None) => glimpse.waited.map(|(waits, _)| waits),
            _ => None,
        };
        let waited = ages.filter(|_| state == State::Waits).and_then(|ages| match blocks {
            Some(blocked) => Some(rounded(blocked.since.elapsed())),
            None => glimpse.waited.map(|(_, since)| ages.of(since)),
        });
        let pinned = match (glimpse.in_callback, glimpse.has_pins) {
            _ if blocks.is_some() => Pinned::Blocks,
            _ if state < State::Ready || glimpse.residence == Residence::Free => Pinned::No,
            (true, false) => Pinned::ByC,
            (false, _) => Pinned::ByGuard,
            (true, true) => Pinned::ByCAndGuard,
        };
        let worker = if state == State::Waits { glimpse.home } else { runs };
        let os_thread = match blocks {
            Some(blocked) => Some(blocked.thread),
            None => worker.map(Worker::os_thread),
        };
        let who = Who::Green { id: glimpse.id, name: seen.name.clone() };
        let key = Key { state, spawned: Some(glimpse.spawned), waits, pinned, stack: None };
        (key, Member { who, os_thread, worker: worker.map(|worker| worker.index), waited })
    }

    /// What is told of OS threads that wait for themselves.
    fn os_threads(&self, ages: Option<&Ages>) -> impl Iterator<Item = (Key, Member)> {
        self.os_threads.iter().map(move |blocked| {
            let waits = Some(blocked.waits);
            let key = Key { state: State::Waits, spawned: None, waits, pinned: Pinned::No, stack: None };
            let waited = ages.map(|_| rounded(blocked.since.elapsed()));
            (key, Member { who: Who::Os, os_thread: Some(blocked.thread), worker: None, waited })
        })
    }

    /// The workers. `ids` has the ids of the green threads that run, by their control blocks.
    fn workers(&self, ids: &HashMap<usize, u64>) -> Vec<model::Worker> {
        self.workers.iter().map(|worker| self.worker(worker, ids)).collect()
    }

    fn worker(&self, worker: &Worker, ids: &HashMap<usize, u64>) -> model::Worker {
        let os_thread = worker.os_thread();
        let runs = worker.runs();
        let state = match runs {
            _ if worker.at_rest().is_some() => WorkerState::Sleeps,
            Some(head) if self.blocked.contains_key(&head) => WorkerState::Blocks,
            Some(_) if counts_as_in_c(worker) => WorkerState::InC,
            Some(_) => WorkerState::Runs,
            None => WorkerState::Looks,
        };
        model::Worker {
            index: worker.index,
            os_thread: group::named(os_thread),
            state,
            processor: worker
                .processor()
                .filter(|processor| processor.owner() == Some(worker.index))
                .map(|processor| processor.index),
            green_thread: runs.and_then(|head| ids.get(&head).copied()),
            residents: worker.residents(),
        }
    }
}

/// Who has handed its processor on before a call of C, or lost it there, runs all the same.
fn counts_as_in_c(worker: &Worker) -> bool {
    worker.status.is_in_c() || worker.processor().is_none()
}

/// As coarse as the waits of those that park.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn processors(runtime: &Runtime) -> Vec<model::Processor> {
    let processors = runtime.processors.iter().map(|processor| {
        let (queued, turns) = processor.load();
        model::Processor { index: processor.index, worker: processor.owner(), queued, turns }
    });
    processors.collect()
}
