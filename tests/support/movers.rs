//! Green threads that make others migrate.
//!
//! A mover is pinned: it always runs on the same OS thread. Whoever it wakes is put into the `next` slot of that thread's
//! processor, so that asking two movers in turn makes a green thread travel between two workers, without any help from
//! chance or load. A pinned green thread that asks them must stay where it is.

use super::gettid;
use greenbridge::channel::{Receiver, Sender, bounded, unbounded};
use greenbridge::{JoinHandle, pin, spawn};

/// Two pinned green threads on two OS threads. They end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Movers {
    asks: [Sender<Sender<i32>>; 2],
}

impl Movers {
    /// Starts them; the handles are for whoever wants to see them end.
    pub(crate) fn start() -> (Self, [JoinHandle<()>; 2]) {
        let (first, first_ask) = mover();
        let (second, second_ask) = mover();
        (Self { asks: [first_ask, second_ask] }, [first, second])
    }

    /// Is woken by each of the two movers, one after the other, and so is moved to the OS thread of each, or close to it.
    pub(crate) fn round(&self) {
        for ask in &self.asks {
            let (reply, replied) = bounded(1);
            ask.send(reply).expect("the mover lives");
            replied.recv().expect("the mover replies");
        }
    }

    /// Goes on until the caller has been seen on another OS thread. A green thread that was left pinned never returns,
    /// which the deadline of the child process turns into a failure.
    pub(crate) fn until_moved(&self) {
        let before = gettid();
        while gettid() == before {
            self.round();
        }
    }
}

fn mover() -> (JoinHandle<()>, Sender<Sender<i32>>) {
    let (ask, asked): (Sender<Sender<i32>>, Receiver<Sender<i32>>) = unbounded();
    let handle = spawn(move || {
        let _pinned = pin();
        let home = gettid();
        for reply in asked {
            assert_eq!(gettid(), home, "a pinned green thread was resumed on another OS thread");
            reply.send(home).expect("whoever asked waits for the reply");
        }
    });
    (handle, ask)
}
