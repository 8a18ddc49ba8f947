//! A channel, `runtime/src/sync/channel/shared.rs`: a message that has been sent is received, or there was nobody left to; whoever waits
//! is woken, by a message, by room, or by the close.
//!
//! The very methods of the channel that ships run here, on the wait queue that ships (`queue.rs` has its own model), with handles that
//! are counted as the shipped ones are. A deadline is a receiver or a sender that gives up as soon as it waits; the explorer
//! decides what came before. Left out: futures that change their wakers, which is `rewake` and in the queue's model.

use greenbridge_models::witness::Parker;
use greenbridge_models::{explore, primitive};
use loom::thread;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

#[path = "../../../runtime/src/sync/channel/error.rs"]
#[allow(dead_code, unreachable_pub, reason = "the models use a part")]
mod error;

/// Where the channel looks for its errors.
mod sync {
    pub(crate) mod channel {
        pub(crate) use crate::error;
    }
}

/// Where it looks for the queue.
mod wait {
    include!(concat!(env!("OUT_DIR"), "/queue/module.rs"));
}

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use crate::wait::queue::Waiter;
        use self::$protocol::Channel;

        /// A waiter that is never dropped: one that fails in a queue would abort, and a mutant may touch it when it should be gone.
        type Place = ManuallyDrop<Pin<Box<Waiter<Option<u32>>>>>;

        fn place(slot: Option<u32>) -> Place {
            ManuallyDrop::new(Box::pin(Waiter::new(slot)))
        }

        fn channel(capacity: Option<usize>) -> Arc<Channel<u32>> {
            Arc::new(Channel::new(capacity))
        }

        /// Polls until it is ready, and parks in between.
        fn wait<T>(mut poll: impl FnMut(&Context<'_>) -> Poll<T>) -> T {
            let parker = Arc::new(Parker::new());
            let waker = Waker::from(parker.clone());
            loop {
                match poll(&Context::from_waker(&waker)) {
                    Poll::Ready(value) => return value,
                    Poll::Pending => parker.park(),
                }
            }
        }

        fn send(channel: &Channel<u32>, message: u32) -> Result<(), u32> {
            let mut place = place(Some(message));
            wait(|context| channel.poll_send(place.as_mut(), context)).map_err(|error| error.0)
        }

        fn receive(channel: &Channel<u32>) -> Option<u32> {
            let mut place = place(None);
            wait(|context| channel.poll_recv(place.as_mut(), context)).ok()
        }

        /// A receiver whose deadline is now.
        fn receive_or_give_up(channel: &Channel<u32>) -> Option<u32> {
            let mut place = place(None);
            match channel.poll_recv(place.as_mut(), &Context::from_waker(Waker::noop())) {
                Poll::Ready(received) => received.ok(),
                Poll::Pending => {
                    channel.give_up_recv(place.as_mut());
                    None
                }
            }
        }

        /// A sender whose deadline is now.
        fn send_or_give_up(channel: &Channel<u32>, message: u32) -> Result<(), u32> {
            let mut place = place(Some(message));
            match channel.poll_send(place.as_mut(), &Context::from_waker(Waker::noop())) {
                Poll::Ready(sent) => sent.map_err(|error| error.0),
                Poll::Pending => {
                    channel.give_up_send(place.as_ref());
                    place.as_mut().slot().take().map_or(Ok(()), Err)
                }
            }
        }

        /// What can be received without a wait.
        fn left(channel: &Channel<u32>) -> Vec<u32> {
            std::iter::from_fn(|| channel.try_recv().ok()).collect()
        }

        /// A send against a close, and a receiver that takes what there is (properties 1 and 2): the message is received if the send
        /// says so, and only then; and the receiver ends.
        fn message_meets_the_close(capacity: Option<usize>) {
            explore(3, move || {
                let channel = channel(capacity);
                let sender = {
                    let channel = channel.clone();
                    thread::spawn(move || send(&channel, 7))
                };
                let closer = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.close())
                };
                let received: Vec<_> = std::iter::from_fn(|| receive(&channel)).collect();
                match sender.join().unwrap() {
                    Ok(()) => assert_eq!(received, [7], "sent, and not received"),
                    Err(back) => assert_eq!((back, received), (7, vec![]), "refused, and received"),
                }
                assert!(closer.join().unwrap());
            });
        }

        /// With room for it.
        $(#[$test])?
        fn message_in_the_buffer_meets_the_close() {
            message_meets_the_close(Some(1));
        }

        /// From hand to hand.
        $(#[$test])?
        fn message_in_a_slot_meets_the_close() {
            message_meets_the_close(Some(0));
        }

        /// The last sender goes while a receiver comes to wait, or waits (property 3): it is woken.
        $(#[$test])?
        fn waiting_receiver_is_told_that_the_last_sender_is_gone() {
            explore(4, || {
                let channel = channel(None);
                channel.add_sender();
                let senders = [channel.clone(), channel.clone()].map(|channel| thread::spawn(move || channel.release_sender()));
                assert_eq!(receive(&channel), None);
                senders.into_iter().for_each(|sender| sender.join().unwrap());
            });
        }

        /// The last receiver goes while a sender waits for room (properties 2 and 3): it gets its message back, and what was in the
        /// channel has been dropped.
        $(#[$test])?
        fn waiting_sender_is_told_that_the_last_receiver_is_gone() {
            explore(4, || {
                let channel = channel(Some(1));
                assert!(channel.try_send(1).is_ok());
                let receiver = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.release_receiver())
                };
                assert_eq!(send(&channel, 2), Err(2));
                receiver.join().unwrap();
                assert_eq!(left(&channel), [], "kept for nobody");
            });
        }

        /// Two senders, room for one, one receiver: both are let in, in their order, and the wake-up for room is not lost (property 3).
        $(#[$test])?
        fn room_is_passed_on() {
            explore(3, || {
                let channel = channel(Some(1));
                let senders = [1, 2].map(|message| {
                    let channel = channel.clone();
                    thread::spawn(move || send(&channel, message))
                });
                let mut received = [receive(&channel), receive(&channel)];
                received.sort_unstable();
                assert_eq!(received, [Some(1), Some(2)]);
                assert_eq!(senders.map(|sender| sender.join().unwrap()), [Ok(()), Ok(())]);
            });
        }

        /// A receiver that gives up, against a send and another receiver that waits (property 4): the message is received by one of the
        /// two, and the other receiver is not left behind with nobody to wake it.
        $(#[$test])?
        fn message_of_one_that_gives_up_goes_to_the_next() {
            explore(3, || {
                let channel = channel(None);
                let impatient = {
                    let channel = channel.clone();
                    thread::spawn(move || receive_or_give_up(&channel))
                };
                let sender = {
                    let channel = channel.clone();
                    thread::spawn(move || {
                        assert!(channel.try_send(1).is_ok());
                        assert!(channel.try_send(2).is_ok());
                    })
                };
                let patient = receive(&channel);
                sender.join().unwrap();
                let mut all: Vec<_> = patient.into_iter().chain(impatient.join().unwrap()).chain(left(&channel)).collect();
                all.sort_unstable();
                assert_eq!(all, [1, 2]);
            });
        }

        /// A receiver that gives up, against a send, keeps the order: its message goes in front of those that came later.
        $(#[$test])?
        fn message_of_one_that_gives_up_stays_in_front() {
            explore(4, || {
                let channel = channel(None);
                let impatient = {
                    let channel = channel.clone();
                    thread::spawn(move || receive_or_give_up(&channel))
                };
                assert!(channel.try_send(1).is_ok());
                assert!(channel.try_send(2).is_ok());
                let all: Vec<_> = impatient.join().unwrap().into_iter().chain(left(&channel)).collect();
                assert_eq!(all, [1, 2], "out of order, or lost");
            });
        }

        /// A receiver that gives up, against a send and the close: the message can be received, also from the closed channel (1 and 4).
        $(#[$test])?
        fn one_that_gives_up_meets_the_close() {
            explore(4, || {
                let channel = channel(Some(0));
                let impatient = {
                    let channel = channel.clone();
                    thread::spawn(move || receive_or_give_up(&channel))
                };
                let closer = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.close())
                };
                let sent = channel.try_send(7).is_ok();
                let received = impatient.join().unwrap();
                closer.join().unwrap();
                let all: Vec<_> = received.into_iter().chain(left(&channel)).collect();
                assert_eq!(all, if sent { vec![7] } else { vec![] }, "sent or not, and received or not");
            });
        }

        /// A sender that gives up, against a receive (properties 1 and 2): the message is sent, or comes back.
        $(#[$test])?
        fn sender_that_gives_up_has_sent_or_has_not() {
            explore(4, || {
                let channel = channel(Some(0));
                let impatient = {
                    let channel = channel.clone();
                    thread::spawn(move || send_or_give_up(&channel, 7))
                };
                let received = channel.try_recv().ok();
                match impatient.join().unwrap() {
                    Ok(()) => assert_eq!(received, Some(7), "sent, and not received"),
                    Err(back) => assert_eq!((back, received), (7, None), "refused, and received"),
                }
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/channel.rs"));
