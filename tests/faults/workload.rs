//! A bit of everything that needs stacks, OS threads and wakes: a storm of green threads, C called in all ways with callbacks that wait,
//! callbacks that wait for each other, pins, timers, locks, calls that block, and threads of C's and of std's.
//!
//! Each piece of work has a value, which it brings if it comes to its end. If it does not, it says why it was lost, and nothing may be lost
//! without a reason.

use super::support::{Callback, Way, for_c, panic_text};
use greenbridge::net::UnixStream;
use greenbridge::sync::Mutex;
use greenbridge::time::sleep;
use greenbridge::{JoinHandle, StackError, call, call_blocking, channel, pin, spawn, yield_now};
use std::any::Any;
use std::ffi::{c_long, c_void};
use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

unsafe extern "C" {
    fn faults_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn faults_sleep(microseconds: c_long);
    // Of `foreign_thread.c`.
    fn foreign_thread_at_once(f: Callback<c_long>, context: *mut c_void, threads: c_long, times: c_long) -> c_long;
}

/// Why a piece of work did not come to its end.
#[derive(Debug, Clone)]
pub(crate) enum Lost {
    /// There was no stack for it.
    NoStack(StackError),
    /// There was no OS thread for it.
    NoThread(String),
    /// Its socket could not be waited for.
    NoPoller(String),
    /// It was to get something from another one, which has gone.
    Peer,
}

/// What became of a piece of work.
type Outcome = Result<u64, Lost>;

/// What became of all of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: usize,
    pub(crate) no_stack: Vec<StackError>,
    pub(crate) no_thread: Vec<String>,
    pub(crate) no_poller: Vec<String>,
    pub(crate) peer: usize,
}

impl Tally {
    fn add(&mut self, value: u64, outcome: Outcome) {
        match outcome {
            Ok(brought) => {
                assert_eq!(brought, value, "a piece of work has brought another one's value");
                self.done += 1;
            }
            Err(Lost::NoStack(error)) => self.no_stack.push(error),
            Err(Lost::NoThread(text)) => self.no_thread.push(text),
            Err(Lost::NoPoller(text)) => self.no_poller.push(text),
            Err(Lost::Peer) => self.peer += 1,
        }
    }

    /// What was lost.
    pub(crate) fn lost(&self) -> usize {
        self.no_stack.len() + self.no_thread.len() + self.no_poller.len() + self.peer
    }
}

/// Does all of it.
pub(crate) fn run() -> Tally {
    let of_std = threads_of_std();
    let mut works = Vec::new();
    for kind in [storm, calls, crossing_callbacks, pins, timers, locks, blocking, sockets] {
        for number in 0..8 {
            let value = works.len() as u64;
            works.push(spawn(move || kind(number, value)));
        }
    }
    let mut tally = Tally::default();
    for (value, work) in works.into_iter().enumerate() {
        tally.add(value as u64, join(work));
    }
    for (value, outcome) in of_std.iter().chain(threads_of_c()) {
        tally.add(value, outcome);
    }
    tally
}

/// Waits for another piece of work: if that is lost, so is the caller's.
fn join(work: JoinHandle<Outcome>) -> Outcome {
    work.join().unwrap_or_else(|payload| Err(reason(payload)))
}

fn reason(payload: Box<dyn Any + Send>) -> Lost {
    if let Some(error) = payload.downcast_ref::<StackError>() {
        return Lost::NoStack(error.clone());
    }
    let text = panic_text(&*payload);
    if text.contains("nothing that could end those waits is running") {
        Lost::NoThread(text)
    } else {
        resume_unwind(payload)
    }
}

/// A value that another green thread sends, after it has let others go first.
fn from_a_peer(value: u64) -> Outcome {
    let (sender, receiver) = channel::bounded(0);
    let peer = spawn(move || {
        yield_now();
        sender.send(value).map(|()| value).map_err(|_| Lost::Peer)
    });
    let received = receiver.recv().map_err(|_| Lost::Peer);
    join(peer).and(received)
}

/// Twenty at once that all have a stack, and wait for the last one.
fn storm(_: u64, value: u64) -> Outcome {
    let (gate, waits) = channel::bounded::<()>(0);
    let children: Vec<_> = (0..20)
        .map(|n| {
            let waits = waits.clone();
            spawn(move || {
                let closed = waits.recv().is_err();
                if closed { Ok(n) } else { Err(Lost::Peer) }
            })
        })
        .collect();
    yield_now();
    drop(gate);
    // All are joined, lost or not.
    let all: Vec<_> = children.into_iter().map(join).collect();
    let sum = all.into_iter().sum::<Outcome>()?;
    assert_eq!(sum, (0..20).sum());
    Ok(value)
}

/// What a callback does.
struct Visit<'a> {
    work: std::sync::Mutex<Option<Box<dyn FnOnce() -> Outcome + Send + 'a>>>,
    outcome: std::sync::Mutex<Option<Outcome>>,
}

#[greenbridge::export(fallback = -1)]
extern "C" fn visit(visit: &Visit<'_>, number: c_long) -> c_long {
    let work = visit.work.lock().expect("no panic").take().expect("C calls back once");
    let outcome = work();
    *visit.outcome.lock().expect("no panic") = Some(outcome);
    number
}

/// C, called in `way`, calls back; the callback does `work`.
fn in_callback(way: Way, work: impl FnOnce() -> Outcome + Send) -> Outcome {
    let visited = Visit { work: std::sync::Mutex::new(Some(Box::new(work))), outcome: std::sync::Mutex::new(None) };
    let returned = way.call(|| {
        let (f, context) = for_c(visit, &visited);
        // SAFETY: C hands the pointer on to the callback, and returns after it.
        unsafe { faults_enter(f, context, 5) }
    });
    assert_eq!(returned, 5);
    visited.outcome.into_inner().expect("no panic").expect("C has called back")
}

/// In all ways; the callback waits.
fn calls(number: u64, value: u64) -> Outcome {
    let way = Way::ALL[number as usize % Way::ALL.len()];
    in_callback(way, || from_a_peer(value))
}

/// Two callbacks, each of which waits for the other: it takes two OS threads, besides those that others keep.
fn crossing_callbacks(_: u64, value: u64) -> Outcome {
    let (to_first, first) = channel::bounded(0);
    let (to_second, second) = channel::bounded(0);
    let peer = spawn(move || {
        in_callback(Way::Call, || {
            let half = second.recv().map_err(|_| Lost::Peer)?;
            to_first.send(half).map(|()| half).map_err(|_| Lost::Peer)
        })
    });
    let half = in_callback(Way::Call, || {
        to_second.send(value).map_err(|_| Lost::Peer)?;
        first.recv().map_err(|_| Lost::Peer)
    });
    join(peer).and(half)
}

fn pins(_: u64, value: u64) -> Outcome {
    let _pin = pin();
    yield_now();
    from_a_peer(value)
}

fn timers(number: u64, value: u64) -> Outcome {
    sleep(Duration::from_micros(500 * (number % 4)));
    let (sender, receiver) = channel::bounded::<()>(0);
    assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(channel::RecvTimeoutError::Timeout));
    drop(sender);
    Ok(value)
}

/// A byte over a pair of sockets; every other reader waits in a callback.
fn sockets(number: u64, value: u64) -> Outcome {
    let (mut mine, mut other) = UnixStream::pair().expect("two files");
    let peer = spawn(move || {
        yield_now();
        other.write_all(&[7]).map(|()| value).map_err(|_| Lost::Peer)
    });
    let mut byte = [0];
    let mut read = || match mine.read_exact(&mut byte) {
        Ok(()) => Ok(value),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Lost::Peer),
        Err(error) => Err(Lost::NoPoller(error.to_string())),
    };
    let received = if number.is_multiple_of(2) { read() } else { in_callback(Way::Call, read) };
    // Before the join: a peer that fills the socket would wait for the reader.
    join(peer).and(received)
}

/// Everybody adds one, a wait before and after it.
fn locks(_: u64, value: u64) -> Outcome {
    let count = Arc::new(Mutex::new(0));
    let adders: Vec<_> = (0..4)
        .map(|_| {
            let count = Arc::clone(&count);
            spawn(move || {
                for _ in 0..3 {
                    let mut count = count.lock();
                    yield_now();
                    *count += 1;
                }
                Ok(0)
            })
        })
        .collect();
    let all: Vec<_> = adders.into_iter().map(join).collect();
    all.into_iter().sum::<Outcome>()?;
    assert_eq!(*count.lock(), 12);
    Ok(value)
}

/// C that blocks, said and unsaid.
fn blocking(number: u64, value: u64) -> Outcome {
    // SAFETY: takes no pointer.
    let rest = || unsafe { faults_sleep(1_000) };
    if number.is_multiple_of(2) {
        call_blocking(rest)
    } else {
        call(rest)
    }
    from_a_peer(value)
}

/// OS threads of std's that wait for green threads. All wait in the runtime: it cannot know of one that blocks elsewhere whether it could
/// still help those that are left without an OS thread, and so would let them wait.
fn threads_of_std() -> channel::Receiver<(u64, Outcome)> {
    let (outcomes, receiver) = channel::unbounded();
    for value in 0..3 {
        let outcomes = outcomes.clone();
        std::thread::spawn(move || outcomes.send((value, from_a_peer(value))));
    }
    receiver
}

/// OS threads of C's that call back. The caller blocks in C until they have ended.
fn threads_of_c() -> Vec<(u64, Outcome)> {
    let outcomes = std::sync::Mutex::new(Vec::new());
    let (f, context) = for_c(from_c, &outcomes);
    // SAFETY: C hands the pointer on to `from_c`, and joins its threads while it is borrowed.
    assert_eq!(unsafe { foreign_thread_at_once(f, context, 3, 2) }, 2 * (1 + 2));
    outcomes.into_inner().expect("no panic")
}

#[greenbridge::export]
extern "C" fn from_c(outcomes: &std::sync::Mutex<Vec<(u64, Outcome)>>, number: c_long) -> c_long {
    let value = number.cast_unsigned();
    let outcome = from_a_peer(value);
    outcomes.lock().expect("no panic").push((value, outcome));
    number
}
