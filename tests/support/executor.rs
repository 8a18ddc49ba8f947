//! An executor of futures that knows nothing of green threads: it polls on the OS thread that calls it, and parks that.
//!
//! It polls only futures that were woken, so that a wake-up which is lost is a hang.

#![allow(clippy::disallowed_methods, reason = "it parks the OS thread that runs it, and no green thread")]

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Runs one future to its end.
pub(crate) fn block_on_os_thread<T>(future: impl Future<Output = T>) -> T {
    let mut results = block_on_all([Box::pin(future)]);
    results.pop().expect("one future has one result")
}

/// Runs all futures to their ends, side by side; the results are in the order of the futures.
pub(crate) fn block_on_all<T, F: Future<Output = T>>(futures: impl IntoIterator<Item = Pin<Box<F>>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Some).collect();
    let mut results: Vec<_> = futures.iter().map(|_| None).collect();
    let woken = Arc::new(Woken { queue: Mutex::new((0..futures.len()).collect()), executor: thread::current() });
    let mut running = futures.len();
    while running > 0 {
        let Some(number) = woken.pop() else {
            thread::park();
            continue;
        };
        let waker = Waker::from(Arc::new(WakesOne { woken: Arc::clone(&woken), number }));
        let Some(future) = &mut futures[number] else {
            continue;
        };
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            futures[number] = None;
            results[number] = Some(result);
            running -= 1;
        }
    }
    results.into_iter().map(|result| result.expect("it is ready")).collect()
}

/// The numbers of the futures that were woken.
struct Woken {
    queue: Mutex<VecDeque<usize>>,
    executor: Thread,
}

impl Woken {
    fn pop(&self) -> Option<usize> {
        self.queue.lock().expect("nobody panics with it").pop_front()
    }
}

struct WakesOne {
    woken: Arc<Woken>,
    number: usize,
}

impl Wake for WakesOne {
    fn wake(self: Arc<Self>) {
        self.woken.queue.lock().expect("nobody panics with it").push_back(self.number);
        self.woken.executor.unpark();
    }
}
