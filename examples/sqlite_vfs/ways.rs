//! The three ways to wait for the store inside SQLite, each in a process of its own, and what each needs.

use crate::connection::Connection;
use crate::store::Store;
use crate::support::AnyError;
use crate::support::figures::{Figures, Measurement};
use crate::support::ways::{Way, serve};
use crate::{vfs, work};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Serves `connections` connections in `way`: all do a unit of work, and all another, `units` times.
pub(crate) fn measure(way: Way, connections: usize, units: usize, store: SocketAddr) -> Result<Figures, AnyError> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    greenbridge::tokio::set_handle(tokio.handle().clone())?;
    vfs::register(Arc::new(Store::new(store))).map_err(|code| format!("SQLite refuses the file system: {code}"))?;
    let measurement = Measurement::start()?;
    // Opened before the clock starts: connections live long, and each client has its own.
    let opened: Arc<Vec<Mutex<Option<Connection>>>> = Arc::new((0..connections).map(|_| Mutex::default()).collect());
    let places = Arc::clone(&opened);
    serve(way, &tokio, connections, move |n| {
        *lock(&places[n]) = Some(work::open(n)?);
        Ok(())
    })?;

    let begin = Instant::now();
    for _ in 0..units {
        let (places, times, asked) = (Arc::clone(&opened), measurement.times(), Instant::now());
        serve(way, &tokio, connections, move |n| {
            // Taken out, so that no lock is held over a wait.
            let connection = lock(&places[n]).take().ok_or("a connection is in use")?;
            work::unit(&connection, n)?;
            times.done(asked);
            *lock(&places[n]) = Some(connection);
            Ok(())
        })?;
    }
    measurement.stop(begin)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
