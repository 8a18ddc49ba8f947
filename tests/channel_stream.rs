//! A receiver is a stream as well: it ends when the channel is closed and empty, and one that is dropped loses nothing.
//!
//! What could break it: a stream that is polled again after it gave something, or that takes a message along.

mod support;

use futures_util::StreamExt;
use greenbridge::channel::bounded;
use greenbridge::{block_on, spawn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use support::{CAPACITIES, block_on_os_thread, child_on_processors, run, start, with_capacity};

#[test]
fn streams_on_green_threads_and_elsewhere_give_every_message_once() {
    child_on_processors("streams_share_a_channel", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn streams_share_a_channel() {
    start();
    for capacity in CAPACITIES {
        let (values, received) = with_capacity(capacity);
        let sender = spawn(move || (0..1000).try_for_each(|value| values.send(value)));
        let (of_green, of_owned) = (received.clone(), received.clone());
        let green = spawn(move || block_on(of_green.stream().collect::<Vec<u32>>()));
        let owned = spawn(move || block_on(of_owned.into_stream().collect::<Vec<u32>>()));
        let mut all = block_on_os_thread(received.stream().collect::<Vec<_>>());
        all.extend(green.join().expect("no panic"));
        all.extend(owned.join().expect("no panic"));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000), "capacity {capacity:?}");
        assert_eq!(sender.join().expect("no panic"), Ok(()));
    }
}

#[test]
fn a_stream_that_is_dropped_gives_back_what_it_was_handed() {
    child_on_processors("streams_are_dropped", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn streams_are_dropped() {
    run(|| {
        let mut context = Context::from_waker(Waker::noop());
        let (values, received) = bounded(2);
        {
            let mut stream = pin!(received.stream());
            assert_eq!(stream.as_mut().poll_next_unpin(&mut context), Poll::Pending);
            assert_eq!(values.try_send(1), Ok(()));
            assert_eq!(values.try_send(2), Ok(()));
        }
        assert_eq!(received.try_iter().collect::<Vec<_>>(), [1, 2]);

        // The receiver in it goes with it.
        {
            let mut stream = pin!(received.into_stream());
            assert_eq!(stream.as_mut().poll_next_unpin(&mut context), Poll::Pending);
            assert_eq!(values.try_send(3), Ok(()));
            assert_eq!(stream.as_mut().poll_next_unpin(&mut context), Poll::Ready(Some(3)));
            assert_eq!(stream.as_mut().poll_next_unpin(&mut context), Poll::Pending);
        }
        assert!(values.is_closed());
    });
}
