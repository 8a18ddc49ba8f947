//! The loop around `accept` and `spawn`, and the end of the server.

mod body;
mod connection;
mod date;
mod head;
mod input;
mod output;
mod routes;

use connection::Served;
use greenbridge::cancel::CancelToken;
use greenbridge::net::{TcpListener, TcpStream};
use greenbridge::sync::WaitGroup;
use greenbridge::{spawn, time};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long nobody is accepted after an error: mostly there are too many open files, and only time helps.
const PAUSE: Duration = Duration::from_millis(10);

/// How long what takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The rest of a connection between two requests.
    pub(crate) idle: Duration,
    /// The arrival of a head; the pauses in a body.
    pub(crate) head: Duration,
    /// What has begun, after the server has been told to end.
    pub(crate) grace: Duration,
}

/// How a server is told to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    /// Ends what has not begun: the rests of connections, and the wait for new ones.
    pub(crate) drain: CancelToken,
    /// Ends everything.
    pub(crate) abandon: CancelToken,
}

/// What all connections have come to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    connections: AtomicU64,
    requests: AtomicU64,
    refused: AtomicU64,
    cut_short: AtomicU64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [connections, requests, refused, cut_short] =
            [&self.connections, &self.requests, &self.refused, &self.cut_short].map(|n| n.load(Ordering::Relaxed));
        write!(
            f,
            "{requests} requests on {connections} connections, {refused} refused, {cut_short} connections cut short"
        )
    }
}

/// Serves whoever connects to `listener`, until it is told to end and all that has begun is done.
pub(crate) fn serve(listener: TcpListener, limits: Limits, end: &End) -> Arc<Figures> {
    let (figures, open) = (Arc::new(Figures::default()), WaitGroup::new());
    // Whoever waits to be accepted when the end comes still is: only a wait is cut short.
    let _ = end.drain.run(|| {
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    let (member, end, figures) = (open.enter(), end.clone(), Arc::clone(&figures));
                    spawn(move || {
                        serve_one(stream, &limits, &end, &figures);
                        drop(member);
                    });
                }
                Err(_) => time::sleep(PAUSE),
            }
        }
    });
    drop(listener);
    if end.abandon.child_with_timeout(limits.grace).run(|| open.wait()).is_err() {
        end.abandon.cancel();
        open.wait();
    }
    figures
}

fn serve_one(stream: TcpStream, limits: &Limits, end: &End, figures: &Figures) {
    let mut served = Served::default();
    // A connection that fails is the client's business; what it has come to is counted all the same.
    let result = end.abandon.run(|| connection::serve(&stream, limits, &end.drain, &mut served));
    figures.connections.fetch_add(1, Ordering::Relaxed);
    figures.requests.fetch_add(served.requests, Ordering::Relaxed);
    figures.refused.fetch_add(served.refused, Ordering::Relaxed);
    figures.cut_short.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
}
