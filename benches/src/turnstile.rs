//! The place where the green threads of a row wait until the row lets all of them go.

use crate::callee::rest;
use greenbridge::channel::{Receiver, Sender, unbounded};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The only one: a callback reaches it without an argument.
pub(crate) static TURNSTILE: LazyLock<Turnstile> = LazyLock::new(Turnstile::new);

/// A channel that nobody sends on: to receive from it is to wait until it is closed.
#[derive(Debug)]
pub(crate) struct Turnstile {
    sender: Sender<()>,
    receiver: Receiver<()>,
    arrived: AtomicUsize,
    passed: AtomicUsize,
}

impl Turnstile {
    fn new() -> Turnstile {
        let (sender, receiver) = unbounded();
        Turnstile { sender, receiver, arrived: AtomicUsize::new(0), passed: AtomicUsize::new(0) }
    }

    /// Waits until [`open`](Self::open).
    pub(crate) fn pass(&self) {
        self.arrived.fetch_add(1, Relaxed);
        assert!(self.receiver.recv().is_err(), "nothing is ever sent through a turnstile");
        self.passed.fetch_add(1, Relaxed);
    }

    /// Returns when `n` have arrived, and have had 200 ms more to come to rest.
    pub(crate) fn wait_for_arrivals(&self, n: usize) {
        while self.arrived.load(Relaxed) < n {
            rest(1);
        }
        rest(200);
    }

    /// Lets everybody go, and returns when all have passed.
    pub(crate) fn open(&self) {
        self.sender.close();
        while self.passed.load(Relaxed) < self.arrived.load(Relaxed) {
            rest(1);
        }
    }
}
