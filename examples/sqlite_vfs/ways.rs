//! The three ways to wait for the store inside SQLite, each in a process of its own, and what each needs.

use crate::connection::Connection;
use crate::gauge::Most;
use crate::store::Store;
use crate::{vfs, work};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// An error from any thread.
pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// How the connections are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A green thread for each.
    Green,
    /// tokio's `spawn_blocking`, with its default limit of 512 threads.
    SpawnBlocking,
    /// An OS thread for each.
    Threads,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Green, Self::SpawnBlocking, Self::Threads];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Green => "green threads",
            Self::SpawnBlocking => "spawn_blocking",
            Self::Threads => "a thread each",
        }
    }
}

/// What a way has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// For all units of work of all connections.
    pub(crate) wall: Duration,
    /// From when all were asked to when one was done: the median, and the slowest of a hundred.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// The most OS threads at a time; the client's two are among them.
    pub(crate) threads: usize,
    /// The most memory at a time, in KiB.
    pub(crate) memory: usize,
}

/// Serves `connections` connections in `way`: all do a unit of work, and all another, `units` times.
pub(crate) fn measure(way: Way, connections: usize, units: usize, store: SocketAddr) -> Result<Figures, AnyError> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    greenbridge::tokio::set_handle(tokio.handle().clone())?;
    vfs::register(Arc::new(Store::new(store))).map_err(|code| format!("SQLite refuses the file system: {code}"))?;
    let most = Most::start()?;
    // Opened before the clock starts: connections live long, and each client has its own.
    let opened: Arc<Vec<Mutex<Option<Connection>>>> = Arc::new((0..connections).map(|_| Mutex::default()).collect());
    let places = Arc::clone(&opened);
    serve(way, &tokio, connections, move |n| {
        *lock(&places[n]) = Some(work::open(n)?);
        Ok(())
    })?;

    let times = Arc::new(Mutex::new(Vec::new()));
    let begin = Instant::now();
    for _ in 0..units {
        let (places, times, asked) = (Arc::clone(&opened), Arc::clone(&times), Instant::now());
        serve(way, &tokio, connections, move |n| {
            // Taken out, so that no lock is held over a wait.
            let connection = lock(&places[n]).take().ok_or("a connection is in use")?;
            work::unit(&connection, n)?;
            lock(&times).push(asked.elapsed());
            *lock(&places[n]) = Some(connection);
            Ok(())
        })?;
    }
    let wall = begin.elapsed();
    let (threads, memory) = most.stop()?;
    let mut times = lock(&times);
    times.sort_unstable();
    let at = |percent| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    Ok(Figures { wall, p50: at(50), p99: at(99), threads, memory })
}

/// Calls `f` with 0, 1, 2, ..., all at the same time, in `way`.
fn serve<F>(way: Way, tokio: &Runtime, count: usize, f: F) -> Result<(), AnyError>
where
    F: Fn(usize) -> Result<(), AnyError> + Clone + Send + 'static,
{
    let each = (0..count).map(|n| {
        let f = f.clone();
        move || f(n)
    });
    let gone = |_| AnyError::from("a thread has panicked");
    match way {
        Way::Green => {
            let all: Vec<_> = each.map(greenbridge::spawn).collect();
            all.into_iter().try_for_each(|thread| thread.join().map_err(gone)?)
        }
        Way::SpawnBlocking => {
            let all: Vec<_> = each.map(|f| tokio.spawn_blocking(f)).collect();
            all.into_iter().try_for_each(|task| tokio.block_on(task)?)
        }
        Way::Threads => {
            let threads: Result<Vec<_>, _> = each.map(|f| std::thread::Builder::new().spawn(f)).collect();
            threads?.into_iter().try_for_each(|thread| thread.join().map_err(gone)?)
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
