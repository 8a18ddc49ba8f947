//! A oneshot channel brings its one message to its receiver, or tells each side that the other is gone.
//!
//! What could break it: a send against a receiver that goes at the same moment, which loses the message, or a wait that nobody ends.

mod support;

use greenbridge::channel::{RecvError, RecvTimeoutError, TryRecvError};
use greenbridge::sync::oneshot;
use greenbridge::{block_on, spawn, yield_now};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use support::{block_on_all, child, child_on_processors, run, start};

#[test]
fn each_message_comes_to_its_receiver() {
    child_on_processors("messages_between_all_kinds", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn messages_between_all_kinds() {
    start();
    let mut waits_on_os_threads = Vec::new();
    let mut waits = Vec::new();
    let mut futures = Vec::new();
    for n in 0..3000_u64 {
        let (sender, receiver) = oneshot::channel();
        match n % 3 {
            0 => waits.push((n, spawn(move || receiver.recv()))),
            1 => futures.push((n, Box::pin(receiver))),
            _ if n < 60 => waits_on_os_threads.push((n, thread::spawn(move || receiver.recv()))),
            _ => waits.push((n, spawn(move || block_on(receiver)))),
        }
        if n % 2 == 0 {
            spawn(move || sender.send(n).expect("somebody receives"));
        } else {
            assert_eq!(sender.send(n), Ok(()));
        }
    }
    for (n, waits) in waits {
        assert_eq!(waits.join().expect("no panic"), Ok(n));
    }
    for (n, waits) in waits_on_os_threads {
        assert_eq!(waits.join().expect("no panic"), Ok(n));
    }
    let (numbers, futures): (Vec<_>, Vec<_>) = futures.into_iter().unzip();
    assert!(block_on_all(futures).into_iter().eq(numbers.into_iter().map(Ok)));
}

#[test]
fn a_message_is_received_or_comes_back() {
    child_on_processors("receivers_go_as_messages_come", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn receivers_go_as_messages_come() {
    run(|| {
        let alive = Arc::new(());
        for round in 0..2000 {
            let (sender, mut receiver) = oneshot::channel();
            let message = Arc::clone(&alive);
            let sends = spawn(move || sender.send(message).is_ok());
            if round % 4 == 0 {
                yield_now();
            }
            if round % 2 == 0 {
                drop(receiver);
                sends.join().expect("no panic");
            } else {
                receiver.close();
                let received = receiver.try_recv().is_ok();
                let is_sent = sends.join().expect("no panic");
                assert!(!received || is_sent, "received, and came back");
                assert_eq!(receiver.try_recv().is_ok(), is_sent && !received, "sent, and lost");
            }
        }
        assert_eq!(Arc::strong_count(&alive), 1, "every message has been dropped");
    });
}

#[test]
fn either_side_learns_that_the_other_is_gone() {
    child_on_processors("sides_of_oneshots_go", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn sides_of_oneshots_go() {
    run(|| {
        let (sender, receiver) = oneshot::channel::<i32>();
        let waits = spawn(move || receiver.recv());
        yield_now();
        drop(sender);
        assert_eq!(waits.join().expect("no panic"), Err(RecvError));

        let (mut sender, receiver) = oneshot::channel();
        assert!(!sender.is_closed());
        let waits = spawn(move || {
            sender.closed();
            assert!(sender.is_closed());
            sender.send(1)
        });
        yield_now();
        drop(receiver);
        assert_eq!(waits.join().expect("no panic"), Err(1));

        let (mut sender, mut receiver) = oneshot::channel::<i32>();
        receiver.close();
        block_on(sender.closed_async());
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(sender.send(2), Err(2));
        assert_eq!(receiver.recv(), Err(RecvError));

        // A message that has been sent outlives its sender, and a close.
        let (sender, mut receiver) = oneshot::channel();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(sender.send(3), Ok(()));
        receiver.close();
        assert_eq!(receiver.try_recv(), Ok(3));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn os_threads_wait_until_a_deadline() {
    child("deadlines_on_an_os_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn deadlines_on_an_os_thread() {
    start();
    deadlines();
}

#[test]
fn green_threads_wait_until_a_deadline() {
    child("deadlines_on_a_green_thread").succeeds();
}

#[test]
#[ignore = "child process"]
fn deadlines_on_a_green_thread() {
    run(deadlines);
}

fn deadlines() {
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(receiver.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    assert_eq!(receiver.recv_deadline(Instant::now()), Err(RecvTimeoutError::Timeout));
    let sends = spawn(move || sender.send(1));
    assert_eq!(receiver.recv_timeout(Duration::MAX), Ok(1));
    assert_eq!(receiver.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Closed));
    assert_eq!(sends.join().expect("no panic"), Ok(()));
}

#[test]
fn of_two_wakers_the_last_one_is_woken_and_none_is_kept() {
    let wakers = [(); 2].map(|()| Arc::new(Counts::default()));
    let (sender, mut receiver) = oneshot::channel();
    for waker in &wakers {
        let waker = Waker::from(Arc::clone(waker));
        assert_eq!(Pin::new(&mut receiver).poll(&mut Context::from_waker(&waker)), Poll::Pending);
    }
    assert_eq!(sender.send(7), Ok(()));
    let woken = wakers.each_ref().map(|waker| waker.0.load(std::sync::atomic::Ordering::Acquire));
    assert_eq!(woken, [0, 1]);
    assert_eq!(wakers.map(|waker| Arc::strong_count(&waker)), [1, 1]);
    assert_eq!(receiver.try_recv(), Ok(7));
}

/// Counts how often it is woken.
#[derive(Default)]
struct Counts(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
    }
}
