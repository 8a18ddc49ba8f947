//! Selects, `runtime/src/wait/select.rs`, with `runtime/src/wait/commit.rs` and `runtime/src/wait/queue.rs`: at most one branch is served,
//! the others take nothing, and nobody waits for ever.
//!
//! The branches are those of a small channel without room: a sender waits for a receiver, or (`leave`) leaves its value. There is no clock: a
//! deadline comes at any moment, so a select with one is polled and ends its wait, and the explorer decides what came between. The order of branches
//! is not random here, it alternates. Left out: futures, which are polled while nothing is queued, and the pause between two rounds.

use greenbridge_models::witness::Parker;
use greenbridge_models::{explore, primitive};
use loom::thread;
use primitive::{Mutex, lock};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Branch, Look, Selecting};
        use self::commit::Commit;
        use self::queue::{GaveUp, WaitQueue, Waiter};

        type Slot = Waiter<Option<u32>>;

        struct Open {
            values: Vec<u32>,
            senders: WaitQueue<Option<u32>>,
            receivers: WaitQueue<Option<u32>>,
        }

        impl Open {
            fn take(&mut self) -> Option<(u32, Option<Waker>)> {
                if !self.values.is_empty() {
                    return Some((self.values.remove(0), None));
                }
                let (value, waker) = self.senders.serve(Option::take)?;
                Some((value.expect("a waiting sender has a value"), Some(waker)))
            }
        }

        struct Channel(Mutex<Open>);

        impl Channel {
            fn new() -> Arc<Self> {
                Arc::new(Self(Mutex::new(Open {
                    values: Vec::new(),
                    senders: WaitQueue::new(),
                    receivers: WaitQueue::new(),
                })))
            }

            /// Hands the value to a receiver that waits, or leaves it.
            fn leave(&self, value: u32) {
                let mut open = lock(&self.0);
                if !open.receivers.claim() {
                    open.values.push(value);
                    return;
                }
                let served = open.receivers.serve(|slot| *slot = Some(value));
                drop(open);
                served.expect("claimed").1.wake();
            }

            /// Receives, alone.
            fn receive(self: &Arc<Self>) -> u32 {
                let mut place = ManuallyDrop::new(Box::pin(Slot::new(None)));
                let parker = Arc::new(Parker::new());
                {
                    let mut open = lock(&self.0);
                    if let Some((value, waker)) = open.take() {
                        drop(open);
                        waker.map(Waker::wake);
                        return value;
                    }
                    // SAFETY: 1. new; 2. on the heap, and never dropped; 3. the lock is held.
                    let _ = unsafe { open.receivers.enqueue(place.as_ref(), Waker::from(parker.clone())) };
                }
                while !place.is_served() {
                    parker.park();
                }
                place.as_mut().slot().take().expect("served with a value")
            }

            fn left(&self) -> Vec<u32> {
                let open = lock(&self.0);
                assert!(open.senders.is_empty() && open.receivers.is_empty(), "still queued");
                open.values.clone()
            }
        }

        /// A branch that receives, or that sends if its slot is full.
        struct End {
            channel: Arc<Channel>,
            sends: bool,
            waiter: Slot,
            /// The value received, or sent.
            done: Option<u32>,
            value: u32,
            /// Whether it may find, when it gives up, that it was served.
            gives_back: bool,
        }

        /// Never dropped: one that fails in a queue would abort, and a mutant may touch it when it should be gone.
        type Place = ManuallyDrop<Pin<Box<End>>>;

        fn receives(channel: &Arc<Channel>) -> Place {
            end(channel, None, false)
        }

        fn sends(channel: &Arc<Channel>, value: u32) -> Place {
            end(channel, Some(value), false)
        }

        fn end(channel: &Arc<Channel>, sent: Option<u32>, gives_back: bool) -> Place {
            ManuallyDrop::new(Box::pin(End {
                channel: channel.clone(),
                sends: sent.is_some(),
                waiter: Slot::new(sent),
                done: None,
                value: sent.unwrap_or(0),
                gives_back,
            }))
        }

        impl End {
            fn parts(self: Pin<&mut Self>) -> (Arc<Channel>, bool, u32, Pin<&mut Slot>, &mut Option<u32>) {
                // SAFETY: only the waiter is pinned, and it is not moved.
                let this = unsafe { self.get_unchecked_mut() };
                // SAFETY: as above.
                let waiter = unsafe { Pin::new_unchecked(&mut this.waiter) };
                (this.channel.clone(), this.sends, this.value, waiter, &mut this.done)
            }
        }

        impl Branch for End {
            fn look(self: Pin<&mut Self>, _: &mut Context<'_>) -> Look {
                let (channel, sends, value, waiter, done) = self.parts();
                assert!(!waiter.is_queued(), "still queued");
                let mut open = lock(&channel.0);
                if sends {
                    if !open.receivers.claim() {
                        return Look::MustWait;
                    }
                    assert_eq!(waiter.slot().take(), Some(value), "sent twice");
                    let served = open.receivers.serve(|slot| *slot = Some(value));
                    drop(open);
                    served.expect("claimed").1.wake();
                    *done = Some(value);
                    return Look::Ready;
                }
                let Some((value, waker)) = open.take() else { return Look::MustWait };
                drop(open);
                waker.map(Waker::wake);
                *done = Some(value);
                Look::Ready
            }

            unsafe fn queue(self: Pin<&mut Self>, commit: &Commit, context: &mut Context<'_>) -> Look {
                let (channel, sends, _, waiter, _) = self.parts();
                let mut open = lock(&channel.0);
                let is_ready = if sends {
                    open.receivers.may_serve(commit)
                } else {
                    !open.values.is_empty() || open.senders.may_serve(commit)
                };
                if is_ready {
                    return Look::Ready;
                }
                let queue = if sends { &mut open.senders } else { &mut open.receivers };
                // SAFETY: 1. it has given up before; 2. on the heap, and never dropped; 3. the lock is held; 4. the word is leaked.
                let old = unsafe { queue.enqueue_of_select(waiter.as_ref(), context.waker().clone(), commit) };
                drop(open);
                drop(old);
                Look::MustWait
            }

            fn give_up(self: Pin<&mut Self>) {
                let gives_back = self.gives_back;
                let (channel, sends, value, waiter, _) = self.parts();
                if waiter.is_queued() {
                    let mut open = lock(&channel.0);
                    let queue = if sends { &mut open.senders } else { &mut open.receivers };
                    let gave_up = queue.give_up(waiter.as_ref());
                    assert!(gives_back || gave_up == GaveUp::InTime, "handed to a branch that was not chosen");
                }
                if gives_back && waiter.is_served() {
                    return channel.leave(waiter.slot().take().expect("served with a value"));
                }
                assert!(!waiter.is_served(), "handed to a branch that was not chosen");
                assert_eq!(*waiter.slot(), sends.then_some(value), "handed to a branch that was not chosen");
            }

            fn waiter(&self) -> Option<usize> {
                Some(self.waiter.address())
            }

            fn finish(self: Pin<&mut Self>) {
                let (channel, sends, value, mut waiter, done) = self.parts();
                if !waiter.is_served() {
                    drop(lock(&channel.0));
                }
                assert!(waiter.is_served(), "chosen, and not served");
                let found = waiter.as_mut().slot().take();
                assert_eq!(found.is_none(), sends, "served without a value");
                *done = Some(found.unwrap_or(value));
            }
        }

        /// A select of two branches that is polled by `drive`. What was received or sent by each.
        fn select<R>(
            mut ends: [Place; 2],
            drive: impl FnOnce(&mut Selecting<'_, '_, fn() -> u32>) -> R,
        ) -> ([Option<u32>; 2], R) {
            let [first, second] = &mut ends;
            let commit: &Commit = Box::leak(Box::new(Commit::new()));
            let mut branches: [Pin<&mut dyn Branch>; 2] = [first.as_mut(), second.as_mut()];
            // A failure must not drop it: it would lock, in a model that has ended.
            let mut selecting = ManuallyDrop::new(Selecting::new(&mut branches, commit, (|| 0) as fn() -> u32));
            let result = drive(&mut selecting);
            drop(ManuallyDrop::into_inner(selecting));
            (ends.each_ref().map(|end| end.done), result)
        }

        /// A select without a deadline.
        fn select_and_wait(ends: [Place; 2]) -> [Option<u32>; 2] {
            let parker = Arc::new(Parker::new());
            let waker = Waker::from(parker.clone());
            select(ends, |selecting| {
                while selecting.poll(&mut Context::from_waker(&waker)).is_pending() {
                    parker.park();
                }
            })
            .0
        }

        /// Two senders, one for each branch: one value is received, by one branch, and the other one is left.
        $(#[$test])?
        fn one_of_two_branches_is_served() {
            explore(3, || {
                let channels = [Channel::new(), Channel::new()];
                let senders = [(0, 7), (1, 8)].map(|(at, value): (usize, u32)| {
                    let channel = channels[at].clone();
                    thread::spawn(move || channel.leave(value))
                });
                let received = select_and_wait([receives(&channels[0]), receives(&channels[1])]);
                let _ = senders.map(|sender| sender.join().unwrap());
                let left = [channels[0].left(), channels[1].left()];
                match received {
                    [Some(7), None] => assert_eq!(left, [vec![], vec![8]]),
                    [None, Some(8)] => assert_eq!(left, [vec![7], vec![]]),
                    _ => panic!("received {received:?}"),
                }
            });
        }

        /// The deadline comes, or a future's waker, while a value may: it is received or left, once.
        $(#[$test])?
        fn value_is_received_or_left_when_the_deadline_comes() {
            explore(4, || {
                let channels = [Channel::new(), Channel::new()];
                let sender = {
                    let channel = channels[0].clone();
                    thread::spawn(move || channel.leave(7))
                };
                let (received, ()) = select([receives(&channels[0]), receives(&channels[1])], |selecting| {
                    let mut context = Context::from_waker(Waker::noop());
                    if selecting.poll(&mut context).is_pending() {
                        selecting.completes_at_once(&mut context);
                    }
                });
                sender.join().unwrap();
                assert_eq!(received[1], None);
                assert_eq!(channels[0].left(), if received[0].is_some() { vec![] } else { vec![7] });
                assert_eq!(channels[1].left(), []);
            });
        }

        /// Woken once for nothing, it waits again, and is served.
        $(#[$test])?
        fn a_select_that_was_woken_for_nothing_is_still_served() {
            explore(4, || {
                let channels = [Channel::new(), Channel::new()];
                let sender = {
                    let channel = channels[1].clone();
                    thread::spawn(move || channel.leave(7))
                };
                let parker = Arc::new(Parker::new());
                parker.unpark();
                let waker = Waker::from(parker.clone());
                let (received, ()) = select([receives(&channels[0]), receives(&channels[1])], |selecting| {
                    while selecting.poll(&mut Context::from_waker(&waker)).is_pending() {
                        parker.park();
                    }
                });
                sender.join().unwrap();
                assert_eq!(received, [None, Some(7)]);
            });
        }

        /// A receiver behind a select that is served elsewhere: the value goes to that receiver.
        $(#[$test])?
        fn one_behind_a_select_is_served() {
            explore(3, || {
                let channels = [Channel::new(), Channel::new()];
                let receiver = {
                    let channel = channels[0].clone();
                    thread::spawn(move || channel.receive())
                };
                let sender = {
                    let channels = channels.clone();
                    thread::spawn(move || {
                        channels[1].leave(8);
                        channels[0].leave(7);
                    })
                };
                let received = select_and_wait([receives(&channels[0]), receives(&channels[1])]);
                if received[0] == Some(7) {
                    channels[0].leave(9);
                }
                assert!(receiver.join().unwrap() >= 7);
                sender.join().unwrap();
            });
        }

        /// Each could send to the other, or receive from it: one of the two meetings takes place, and is the same for both.
        $(#[$test])?
        fn two_selects_that_face_each_other_meet() {
            explore(3, || {
                let [there, back] = [Channel::new(), Channel::new()];
                let other = {
                    let [there, back] = [there.clone(), back.clone()];
                    thread::spawn(move || select_and_wait([receives(&there), sends(&back, 8)]))
                };
                let one = select_and_wait([sends(&there, 7), receives(&back)]);
                assert_eq!(other.join().unwrap(), one, "they have not met on one channel");
                assert!(one == [Some(7), None] || one == [None, Some(8)], "met {one:?}");
                assert_eq!([there.left(), back.left()], [vec![], vec![]]);
            });
        }

        /// One that sends and receives on the same channel waits for somebody else.
        $(#[$test])?
        fn a_select_does_not_meet_itself() {
            explore(3, || {
                let channel = Channel::new();
                let receiver = {
                    let channel = channel.clone();
                    thread::spawn(move || channel.receive())
                };
                let done = select_and_wait([sends(&channel, 7), receives(&channel)]);
                assert_eq!((done, receiver.join().unwrap()), ([Some(7), None], 7));
            });
        }

        /// Cut short, it leaves the queues, and gives back what it may just have been handed.
        $(#[$test])?
        fn a_select_that_is_cut_short_loses_nothing() {
            explore(4, || {
                let channels = [Channel::new(), Channel::new()];
                let sender = {
                    let channel = channels[0].clone();
                    thread::spawn(move || channel.leave(7))
                };
                let ends = channels.each_ref().map(|channel| end(channel, None, true));
                let (received, poll) =
                    select(ends, |selecting| selecting.poll(&mut Context::from_waker(Waker::noop())));
                sender.join().unwrap();
                assert_eq!(poll.is_ready(), received[0].is_some());
                assert_eq!(channels[0].left(), if poll.is_ready() { vec![] } else { vec![7] });
                assert_eq!(channels[1].left(), []);
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/select.rs"));
