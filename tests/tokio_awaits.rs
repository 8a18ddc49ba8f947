//! Tokio tasks await green threads: their ends, their channels, their tokens, by the thousand, and lose nothing when they change their
//! minds.
//!
//! What could break it: a wake-up that a task takes with it when its future is dropped, a waker that is called when the task has gone, or a
//! green thread that is woken from a thread of tokio's and is not seen by a sleeping worker.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::{Receiver, Sender, bounded, unbounded};
use greenbridge::{block_on, spawn, yield_now};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{CAPACITIES, Random, child_on_processors, panic_text, start, with_capacity};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// One of each kind, one after the other; both lie beside the green threads in one process.
fn with_each_runtime(body: impl Fn(&Runtime)) {
    start();
    body(&Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("tokio starts"));
    body(&Builder::new_current_thread().enable_all().build().expect("tokio starts"));
}

#[test]
fn tasks_await_the_ends_of_green_threads() {
    child_on_processors("join_handles_are_awaited_by_tasks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn join_handles_are_awaited_by_tasks() {
    with_each_runtime(|tokio| {
        let sum = tokio.block_on(async {
            let tasks: Vec<_> = (0..500_u64)
                .map(|n| {
                    tokio::spawn(async move {
                        let green = spawn(move || {
                            for _ in 0..n % 3 {
                                yield_now();
                            }
                            assert_ne!(n, 13, "thirteen");
                            n
                        });
                        match green.await {
                            Ok(value) => value,
                            Err(payload) => {
                                assert!(panic_text(&*payload).contains("thirteen"));
                                13
                            }
                        }
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("no panic");
            }
            sum
        });
        assert_eq!(sum, (0..500).sum());
    });
}

#[test]
fn an_end_that_is_awaited_in_vain_is_awaited_again() {
    child_on_processors("joins_are_given_up", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn joins_are_given_up() {
    with_each_runtime(|tokio| {
        tokio.block_on(async {
            for n in 0..200 {
                let (go, gone) = bounded::<()>(0);
                let mut green = spawn(move || {
                    gone.recv().expect("the task sends");
                    n
                });
                tokio::select! {
                    biased;
                    _ = &mut green => unreachable!("it waits for the task"),
                    () = tokio::task::yield_now() => {}
                }
                go.send_async(()).await.expect("the green thread waits");
                assert_eq!(green.await.expect("no panic"), n);
            }
            // Dropped while they are awaited: the green threads end all the same.
            let ended = Arc::new(AtomicUsize::new(0));
            let (go, gone) = bounded::<()>(0);
            for _ in 0..100 {
                let (ended, gone) = (Arc::clone(&ended), gone.clone());
                let green = spawn(move || {
                    assert!(gone.recv().is_err(), "it is closed");
                    ended.fetch_add(1, Ordering::AcqRel);
                });
                let task = tokio::spawn(green);
                tokio::task::yield_now().await;
                task.abort();
                assert!(task.await.is_err_and(|error| error.is_cancelled()));
            }
            drop(go);
            while ended.load(Ordering::Acquire) < 100 {
                sleep(Duration::from_millis(1)).await;
            }
        });
    });
}

#[test]
fn messages_pass_between_tasks_and_green_threads() {
    child_on_processors("messages_go_both_ways", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn messages_go_both_ways() {
    with_each_runtime(|tokio| {
        for capacity in CAPACITIES {
            let (to_tasks, from_green) = with_capacity::<u64>(capacity);
            let (to_green, from_tasks) = with_capacity::<u64>(capacity);
            let sources = (0..4).map(|n| {
                let to_tasks = to_tasks.clone();
                spawn(move || (0..250).try_for_each(|value| to_tasks.send(250 * n + value)))
            });
            let sources: Vec<_> = sources.collect();
            drop(to_tasks);
            let sinks = (0..4).map(|_| {
                let from_tasks = from_tasks.clone();
                spawn(move || from_tasks.iter().collect::<Vec<_>>())
            });
            let sinks: Vec<_> = sinks.collect();
            let all = tokio.block_on(async {
                for _ in 0..20 {
                    let (from_green, to_green) = (from_green.clone(), to_green.clone());
                    tokio::spawn(async move {
                        while let Ok(value) = from_green.recv_async().await {
                            to_green.send_async(value).await.expect("it is received");
                        }
                    });
                }
                drop((from_green, to_green));
                let mut all = Vec::new();
                for sink in sinks {
                    all.extend(sink.await.expect("no panic"));
                }
                all
            });
            for source in sources {
                source.join().expect("no panic").expect("it was received");
            }
            assert_eq!(all.len(), 1000, "capacity {capacity:?}");
            assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 1000, "capacity {capacity:?}");
        }
    });
}

#[test]
fn futures_that_are_dropped_at_random_lose_nothing() {
    child_on_processors("random_futures_are_dropped", &[1, 2, 8]);
}

const VALUES: u64 = 600;

#[test]
#[ignore = "child process"]
fn random_futures_are_dropped() {
    with_each_runtime(|tokio| {
        for capacity in CAPACITIES {
            let (values, received) = with_capacity::<u64>(capacity);
            let (sent, mut got) = (Vec::new(), Vec::new());
            let senders: Vec<_> = (0..4).map(|n| (n, values.clone())).collect();
            drop(values);
            let receivers: Vec<_> = (0..4).map(|n| (n, received.clone())).collect();
            drop(received);
            let (sent, mut received) = tokio.block_on(async move {
                // Half of the receivers are green threads that wait for the same futures.
                let (green, tasks) = receivers.into_iter().partition::<Vec<_>, _>(|(n, _)| n % 2 == 0);
                let green: Vec<_> =
                    green.into_iter().map(|(n, values)| spawn(move || block_on(receive(n, values)))).collect();
                let tasks: Vec<_> = tasks.into_iter().map(|(n, values)| tokio::spawn(receive(n, values))).collect();
                let senders: Vec<_> = senders.into_iter().map(|(n, values)| tokio::spawn(send(n, values))).collect();
                let mut sent = sent;
                for sender in senders {
                    sent.extend(sender.await.expect("no panic"));
                }
                for task in tasks {
                    got.extend(task.await.expect("no panic"));
                }
                for thread in green {
                    got.extend(thread.await.expect("no panic"));
                }
                (sent, got)
            });
            received.sort_unstable();
            let all: HashSet<_> = received.iter().copied().collect();
            assert_eq!(all.len(), received.len(), "capacity {capacity:?}: nothing twice");
            assert!(sent.iter().all(|value| all.contains(value)), "capacity {capacity:?}: nothing lost");
        }
    });
}

/// Receives until the channel is closed, and gives up now and then.
async fn receive(seed: u64, values: Receiver<u64>) -> Vec<u64> {
    let mut random = Random::new(seed);
    let mut got = Vec::new();
    loop {
        let value = tokio::select! {
            biased;
            value = values.recv_async() => value,
            () = yields(random.below(3)) => continue,
        };
        match value {
            Ok(value) => got.push(value),
            Err(_) => return got,
        }
    }
}

/// Sends its values, and gives up now and then; returns those that it knows to be sent.
async fn send(seed: u64, values: Sender<u64>) -> Vec<u64> {
    let mut random = Random::new(seed);
    let mut sent = Vec::new();
    for value in VALUES * seed..VALUES * (seed + 1) {
        tokio::select! {
            biased;
            result = values.send_async(value) => {
                result.expect("it is received");
                sent.push(value);
            }
            () = yields(random.below(3)) => {}
        }
    }
    sent
}

/// Is pending that often. No timer, so that it runs on green threads without a handle as well.
async fn yields(times: u64) {
    for _ in 0..times {
        let mut first = true;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut first, false) {
                context.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(())
        })
        .await;
    }
}

#[test]
fn tasks_and_green_threads_share_a_token() {
    child_on_processors("tokens_are_awaited", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn tokens_are_awaited() {
    with_each_runtime(|tokio| {
        let handle = tokio.handle().clone();
        let token = CancelToken::new();
        let (ready, is_ready) = unbounded();
        // A green thread that waits for a future of tokio's, and is cut short.
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let (token, handle, ready) = (token.child(), handle.clone(), ready.clone());
                spawn(move || {
                    ready.send(()).expect("the task receives");
                    token.run(|| greenbridge::tokio::block_on(&handle, sleep_for_ever()))
                })
            })
            .collect();
        tokio.block_on(async {
            let tasks: Vec<_> = (0..20)
                .map(|_| {
                    let (token, ready) = (token.child(), ready.clone());
                    tokio::spawn(async move {
                        // Given up once, and awaited again.
                        let first = timeout(Duration::from_millis(1), token.cancelled_async()).await;
                        assert!(first.is_err() || token.is_cancelled());
                        ready.send(()).expect("the task receives");
                        let mut cancelled = pin!(token.cancelled_async());
                        cancelled.as_mut().await;
                    })
                })
                .collect();
            for _ in 0..40 {
                is_ready.recv_async().await.expect("forty are sent");
            }
            assert!(token.cancel());
            for task in tasks {
                task.await.expect("no panic");
            }
            for thread in threads {
                assert!(thread.await.expect("no panic").is_err(), "it was cut short");
            }
        });
    });
}

async fn sleep_for_ever() {
    sleep(Duration::from_secs(1 << 20)).await;
}

#[test]
fn a_green_thread_asks_a_task_that_awaits_it() {
    child_on_processors("tasks_answer_green_threads", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn tasks_answer_green_threads() {
    with_each_runtime(|tokio| {
        tokio.block_on(async {
            let (ask, asked) = bounded::<(u64, tokio::sync::oneshot::Sender<u64>)>(0);
            tokio::spawn(async move {
                while let Ok((number, answer)) = asked.recv_async().await {
                    answer.send(number + 1).expect("the green thread waits");
                }
            });
            let handles: Vec<_> = (0..100)
                .map(|n| {
                    let ask = ask.clone();
                    spawn(move || {
                        let (answer, answered) = tokio::sync::oneshot::channel();
                        ask.send((n, answer)).expect("the task answers");
                        block_on(answered).expect("the task answers")
                    })
                })
                .collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("no panic");
            }
            assert_eq!(sum, (1..=100).sum());
        });
    });
}
