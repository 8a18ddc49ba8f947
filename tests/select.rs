//! A select completes one branch, chosen at random among those that are ready, and does nothing for the others.
//!
//! What could break it: an order that is always the same, a value taken from a branch that was not chosen, a rendezvous whose
//! sender is let go though nobody received, or a closed channel that is taken for one that may yet become ready.

mod support;

use greenbridge::channel::{Receiver, RecvError, SendError, TryRecvError, TrySendError, bounded, unbounded};
use greenbridge::{select, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{CAPACITIES, child, child_on_processors, panic_text, run, with_capacity};

/// So far away that a test which waits for it hangs.
const NEVER: Duration = Duration::from_secs(100_000);

#[test]
fn the_ready_branch_is_chosen_wherever_it_stands() {
    let ((first, a), (second, b), (_third, c)) = (bounded(1), bounded(1), bounded::<i32>(1));
    let receive = || {
        select! {
            recv(a) -> message => ("a", message),
            recv(b) -> message => ("b", message),
            recv(c) -> message => ("c", message),
        }
    };
    for round in 0..20 {
        first.try_send(round).expect("there is room");
        assert_eq!(receive(), ("a", Ok(round)));
        second.try_send(round).expect("there is room");
        assert_eq!(receive(), ("b", Ok(round)));
    }
}

#[test]
fn without_a_ready_branch_the_default_is_chosen() {
    let (full, _receiver) = bounded(1);
    full.try_send(1).expect("there is room");
    let (_sender, empty) = bounded::<i32>(1);
    let (rendezvous, _nobody) = bounded(0);
    for _ in 0..20 {
        let chosen = select! {
            recv(empty) -> _ => "received",
            send(full, 2) -> _ => "sent",
            send(rendezvous, 3) -> _ => "met",
            after(NEVER) => "late",
            future(std::future::pending::<()>()) -> _ => "done",
            default => "default",
        };
        assert_eq!(chosen, "default");
    }
    assert_eq!(full.len(), 1);
    assert_eq!(select! { default => 7 }, 7);
    assert_eq!(select! { default => { 8 } }, 8);
}

#[test]
fn a_ready_branch_comes_before_the_default() {
    let (sender, receiver) = unbounded();
    for number in 0..20 {
        select! {
            default => panic!("there is room"),
            send(sender, number) -> result => assert_eq!(result, Ok(())),
        }
        select! {
            recv(receiver) -> message => assert_eq!(message, Ok(number)),
            default => panic!("there is a message"),
        }
    }
}

#[test]
fn every_ready_branch_is_chosen_sometimes() {
    const BRANCHES: usize = 6;
    let (sender, a) = unbounded();
    (0..10_000).for_each(|_| sender.send(()).expect("it is open"));
    let b = a.clone();
    let (closed, c) = bounded::<()>(1);
    drop(closed);
    let (open, _kept) = unbounded();
    let past = Instant::now();
    let mut chosen = [0; BRANCHES];
    for _ in 0..600 {
        let branch = select! {
            recv(a) -> message => { message.expect("it is open"); 0 }
            recv(b) -> message => { message.expect("it is open"); 1 }
            recv(c) -> message => { assert_eq!(message, Err(RecvError)); 2 }
            send(open, ()) -> result => { result.expect("it is open"); 3 }
            at(past) => 4,
            future(std::future::ready(5)) -> number => number,
        };
        chosen[branch] += 1;
    }
    // One in six of 600 is 100 on average. Fewer than 20 would happen once in 10^20 runs.
    assert!(chosen.iter().all(|&count| count > 20), "chosen {chosen:?}");
}

#[test]
fn branches_that_are_not_chosen_keep_what_they_have() {
    let ((_to_a, a), (to_b, b), (to_c, _c)) = (bounded::<i32>(4), bounded(4), bounded(4));
    (0..3).for_each(|n| to_b.try_send(n).expect("there is room"));
    let mut received = 0;
    let mut sent = 0;
    for _ in 0..5 {
        select! {
            recv(a) -> _ => panic!("nothing was sent"),
            recv(b) -> message => {
                assert_eq!(message, Ok(received));
                received += 1;
            }
            send(to_c, sent) -> result => {
                assert_eq!(result, Ok(()));
                sent += 1;
            }
            default => {}
        }
        assert_eq!((b.len(), to_c.len()), (3 - received as usize, sent as usize));
    }
}

#[test]
fn closed_channels_are_ready() {
    for capacity in CAPACITIES {
        let (sender, receiver) = with_capacity::<i32>(capacity);
        drop(sender);
        let message = select! { recv(receiver) -> message => message };
        assert_eq!(message, Err(RecvError));
        let (sender, receiver) = with_capacity(capacity);
        drop(receiver);
        let result = select! { send(sender, 7) -> result => result, after(NEVER) => Ok(()) };
        assert_eq!(result.map_err(SendError::into_inner), Err(7));
    }
    // What is in it comes first.
    let (sender, receiver) = bounded(1);
    sender.try_send(1).expect("there is room");
    drop(sender);
    let receive = || select! { recv(receiver) -> message => message };
    assert_eq!((receive(), receive()), (Ok(1), Err(RecvError)));
}

#[test]
fn a_branch_with_a_false_condition_is_not_chosen() {
    let (sender, receiver) = bounded(1);
    sender.try_send(1).expect("there is room");
    let mut receives = false;
    for expected in [None, Some(1)] {
        let message = select! {
            recv(receiver) -> message, if receives => message.ok(),
            at(Instant::now()), if false => panic!("switched off"),
            default => None,
        };
        assert_eq!(message, expected);
        receives = true;
    }
    // Behind one that is switched off, the other is waited for.
    let message = select! {
        future(std::future::ready(1)) -> number, if false => number,
        after(Duration::from_millis(1)) => 2,
    };
    assert_eq!(message, 2);
}

#[test]
fn code_of_a_branch_may_leave_what_is_around_it() {
    fn first_even(numbers: &Receiver<u32>) -> Result<u32, RecvError> {
        loop {
            select! {
                recv(numbers) -> number => {
                    let number = number?;
                    if number % 2 == 1 {
                        continue;
                    }
                    if number == 0 {
                        return Ok(number);
                    }
                    break Ok(number);
                }
            }
        }
    }
    let (sender, receiver) = unbounded();
    [1, 3, 4, 5, 0].into_iter().for_each(|number| sender.send(number).expect("it is open"));
    drop(sender);
    assert_eq!(first_even(&receiver), Ok(4));
    assert_eq!(first_even(&receiver), Ok(0));
    assert_eq!(first_even(&receiver), Err(RecvError));
}

#[test]
fn expressions_are_evaluated_once_and_their_borrows_end_before_the_code() {
    struct Ends {
        receivers: Vec<Receiver<String>>,
        evaluated: u32,
    }
    impl Ends {
        fn first(&mut self) -> &Receiver<String> {
            self.evaluated += 1;
            &self.receivers[0]
        }
    }
    let (sender, receiver) = bounded(2);
    let mut ends = Ends { receivers: vec![receiver], evaluated: 0 };
    sender.try_send("one".to_owned()).expect("there is room");
    let length = select! {
        recv(ends.first()) -> message => {
            ends.receivers.clear();
            message.map_or(0, |message| message.len())
        }
    };
    assert_eq!((length, ends.evaluated), (3, 1));
    // A receiver that is made for the wait, and one behind pointers.
    let (sender, receiver) = bounded(1);
    let (_other, shared) = bounded::<i32>(1);
    let shared = Arc::new(shared);
    sender.try_send(5).expect("there is room");
    let got = select! {
        recv(shared) -> _ => None,
        recv(receiver.clone()) -> number => number.ok(),
    };
    assert_eq!(got, Some(5));
}

#[test]
fn a_value_that_is_not_sent_is_dropped_once() {
    let value = Arc::new(());
    let (sender, receiver) = bounded(0);
    select! {
        send(sender, Arc::clone(&value)) -> _ => panic!("nobody receives"),
        default => {}
    }
    select! {
        send(sender, Arc::clone(&value)) -> _ => panic!("nobody receives"),
        after(Duration::from_millis(1)) => {}
    }
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(receiver.try_recv().err(), Some(TryRecvError::Empty));
    drop(receiver);
    let returned = select! { send(sender, Arc::clone(&value)) -> result => result };
    assert_eq!(Arc::strong_count(&value), 2);
    assert!(returned.is_err());
}

#[test]
fn many_branches_are_no_trouble() {
    let ends: [_; 20] = std::array::from_fn(|_| bounded::<usize>(1));
    let r = |at: usize| &ends[at].1;
    for (at, (sender, _)) in ends.iter().enumerate() {
        sender.try_send(at).expect("there is room");
        let got = select! {
            recv(r(0)) -> n => n, recv(r(1)) -> n => n, recv(r(2)) -> n => n, recv(r(3)) -> n => n,
            recv(r(4)) -> n => n, recv(r(5)) -> n => n, recv(r(6)) -> n => n, recv(r(7)) -> n => n,
            recv(r(8)) -> n => n, recv(r(9)) -> n => n, recv(r(10)) -> n => n, recv(r(11)) -> n => n,
            recv(r(12)) -> n => n, recv(r(13)) -> n => n, recv(r(14)) -> n => n, recv(r(15)) -> n => n,
            recv(r(16)) -> n => n, recv(r(17)) -> n => n, recv(r(18)) -> n => n, recv(r(19)) -> n => n,
        };
        assert_eq!(got, Ok(at));
    }
}

#[test]
fn a_rendezvous_is_not_lost_to_a_select_that_chooses_another_branch() {
    child_on_processors("senders_meet_a_select", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn senders_meet_a_select() {
    run(|| {
        for _ in 0..2000 {
            let ((to_a, a), (to_b, b)) = (bounded(0), bounded(0));
            let sends = [to_a, to_b].map(|sender| {
                let is_through = Arc::new(AtomicBool::new(false));
                let told = Arc::clone(&is_through);
                (spawn(move || sender.send(1).map(|()| told.store(true, Ordering::SeqCst))), is_through)
            });
            let chosen = select! {
                recv(a) -> message => message.map(|_| 0),
                recv(b) -> message => message.map(|_| 1),
            };
            let chosen = chosen.expect("both senders are there");
            (0..3).for_each(|_| yield_now());
            // Whoever was not chosen still waits: nobody else receives.
            assert!(!sends[1 - chosen].1.load(Ordering::SeqCst), "a sender was told that its message was taken");
            drop((a, b));
            let results = sends.map(|(sender, _)| sender.join().expect("no panic"));
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        }
    });
}

#[test]
fn waiting_selects_are_passed_over_when_they_are_lost() {
    child("plain_operations_see_no_selects_that_are_over").succeeds();
}

#[test]
#[ignore = "child process"]
fn plain_operations_see_no_selects_that_are_over() {
    run(|| {
        for capacity in [0, 1] {
            let (sender, receiver) = bounded(capacity);
            let (wake, woken) = bounded(0);
            let waits = {
                let receiver = receiver.clone();
                spawn(move || {
                    select! {
                        recv(receiver) -> message => message.ok(),
                        recv(woken) -> _ => None,
                    }
                })
            };
            (0..10).for_each(|_| yield_now());
            wake.send(()).expect("it waits");
            // Chosen for the other branch, it may not have left the first queue yet.
            let refused = sender.try_send(7);
            if capacity == 0 {
                assert_eq!(refused, Err(TrySendError::Full(7)));
            } else {
                assert_eq!((refused, receiver.try_recv()), (Ok(()), Ok(7)));
            }
            assert_eq!(waits.join().expect("no panic"), None);
        }
    });
}

#[test]
fn a_close_ends_the_wait_of_a_select() {
    child_on_processors("channels_close_under_selects", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn channels_close_under_selects() {
    run(|| {
        for _ in 0..500 {
            let (sender, receiver) = bounded::<i32>(0);
            let (full, kept) = bounded(1);
            full.send(1).expect("there is room");
            let receives = spawn(move || {
                select! {
                    recv(receiver) -> message => assert_eq!(message, Err(RecvError)),
                    after(NEVER) => panic!("nobody closed"),
                }
            });
            let sends = {
                let full = full.clone();
                spawn(move || {
                    select! {
                        send(full, 2) -> result => assert_eq!(result, Err(SendError(2))),
                        after(NEVER) => panic!("nobody closed"),
                    }
                })
            };
            yield_now();
            drop(sender);
            kept.close();
            for thread in [receives, sends] {
                if let Err(payload) = thread.join() {
                    panic!("{}", panic_text(&*payload));
                }
            }
        }
    });
}
