//! A closed channel gives out what it holds and takes nothing, and everybody who waits for it is told.
//!
//! It is closed by `close` on either side, or when the last sender or the last receiver is gone. What could break it: a
//! waiter that nobody wakes, a value that a refused sender does not get back, or one that was in the channel and is lost.

mod support;

use greenbridge::channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use greenbridge::{block_on, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::{child, child_on_processors, run, start, with_capacity};

#[test]
fn a_closed_channel_gives_out_what_it_holds_and_takes_nothing() {
    child("channels_are_closed").succeeds();
}

#[test]
#[ignore = "child process"]
fn channels_are_closed() {
    run(|| {
        for capacity in [Some(8), None] {
            for close in [drop_sender, close_by_sender, close_by_receiver] {
                let (values, received) = with_capacity(capacity);
                for value in 0..5 {
                    // One sender of many may go.
                    values.clone().send(value).expect("it is open");
                }
                let values = close(values, &received);
                assert!(received.is_closed());
                if let Some(values) = values {
                    assert!(values.is_closed());
                    assert_eq!(values.send(5).expect_err("it is closed").0, 5);
                    assert_eq!(values.try_send(6), Err(TrySendError::Closed(6)));
                    assert_eq!(block_on(values.send_async(7)).expect_err("it is closed").0, 7);
                }
                assert_eq!(received.recv(), Ok(0));
                assert_eq!(received.try_recv(), Ok(1));
                assert_eq!(block_on(received.recv_async()), Ok(2));
                assert_eq!(received.iter().collect::<Vec<_>>(), [3, 4]);
                assert!(received.recv().is_err());
                assert_eq!(received.try_recv(), Err(TryRecvError::Closed));
                assert!(block_on(received.recv_async()).is_err());
            }
        }
        let (values, received) = bounded(1);
        let clone = received.clone();
        drop(received);
        assert_eq!(values.send(1), Ok(()), "one receiver is left");
        drop(clone);
        assert_eq!(values.send(2).expect_err("nobody is left to receive").0, 2);
    });
}

fn drop_sender(values: Sender<i32>, _: &Receiver<i32>) -> Option<Sender<i32>> {
    drop(values);
    None
}

fn close_by_sender(values: Sender<i32>, _: &Receiver<i32>) -> Option<Sender<i32>> {
    values.close();
    Some(values)
}

fn close_by_receiver(values: Sender<i32>, received: &Receiver<i32>) -> Option<Sender<i32>> {
    received.close();
    Some(values)
}

#[test]
fn closing_wakes_everybody_who_waits() {
    child_on_processors("waiters_of_a_channel_that_closes", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn waiters_of_a_channel_that_closes() {
    start();
    let begun = Arc::new(AtomicUsize::new(0));
    // Waiting senders get their values back.
    for capacity in [0, 1] {
        let (values, received) = bounded(capacity);
        let each = |n: usize| {
            let (values, begun) = (values.clone(), Arc::clone(&begun));
            move || {
                begun.fetch_add(1, Ordering::AcqRel);
                values.send(n).map_err(|error| error.0)
            }
        };
        let green: Vec<_> = (0..10).map(|n| spawn(each(n))).collect();
        let os: Vec<_> = (10..14).map(|n| thread::spawn(each(n))).collect();
        while begun.load(Ordering::Acquire) < 14 {
            yield_now();
        }
        begun.store(0, Ordering::Release);
        received.close();
        let results = green.into_iter().map(|thread| thread.join().expect("no panic"));
        let results: Vec<_> = results.chain(os.into_iter().map(|thread| thread.join().expect("no panic"))).collect();
        let buffered: Vec<_> = received.try_iter().collect();
        for (n, result) in results.into_iter().enumerate() {
            // Whoever came late enough finds it closed at once; whoever found room has sent.
            assert_eq!(result, if buffered.contains(&n) { Ok(()) } else { Err(n) });
        }
        assert!(buffered.len() <= capacity);
    }
    // Waiting receivers get an error.
    let (values, received) = bounded::<()>(1);
    let each = || {
        let (received, begun) = (received.clone(), Arc::clone(&begun));
        move || {
            begun.fetch_add(1, Ordering::AcqRel);
            received.recv().is_err()
        }
    };
    let green: Vec<_> = (0..10).map(|_| spawn(each())).collect();
    let os: Vec<_> = (0..4).map(|_| thread::spawn(each())).collect();
    while begun.load(Ordering::Acquire) < 14 {
        yield_now();
    }
    drop(values);
    assert!(green.into_iter().all(|thread| thread.join().expect("no panic")));
    assert!(os.into_iter().all(|thread| thread.join().expect("no panic")));
}
