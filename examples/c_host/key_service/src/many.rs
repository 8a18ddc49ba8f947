//! Many keys at once, in three ways: for the comparison that the host prints.
//!
//! Each function returns after what time each key came; those of OS threads that the system does not give are not among them.

use crate::vault;
use greenbridge::{block_on, spawn};
use std::ffi::c_uint;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// As many as tokio has for `spawn_blocking`, if nothing else is said.
const POOL: c_uint = 512;

/// A green thread for each key.
pub(crate) fn on_green_threads(count: c_uint, delay: Duration) -> Vec<Duration> {
    let begin = Instant::now();
    let fetch = move |number| {
        block_on(vault::fetch(&name(number), delay));
        begin.elapsed()
    };
    let fetching: Vec<_> = (0..count).map(|number| spawn(move || fetch(number))).collect();
    fetching.into_iter().filter_map(|fetched| fetched.join().ok()).collect()
}

/// An OS thread for each key.
pub(crate) fn on_os_threads(count: c_uint, delay: Duration) -> Vec<Duration> {
    let begin = Instant::now();
    let fetch = move |number| {
        vault::fetch_on_os_thread(&name(number), delay);
        begin.elapsed()
    };
    let threads = (0..count).map_while(|number| thread::Builder::new().spawn(move || fetch(number)).ok());
    threads.collect::<Vec<_>>().into_iter().filter_map(|fetched| fetched.join().ok()).collect()
}

/// Some OS threads, each of which takes the next key when it has fetched one.
pub(crate) fn on_pool(count: c_uint, delay: Duration) -> Vec<Duration> {
    let (begin, next) = (Instant::now(), Arc::new(AtomicU32::new(0)));
    let work = move || {
        let numbers =
            std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&number| number < count));
        let fetch = |number| {
            vault::fetch_on_os_thread(&name(number), delay);
            begin.elapsed()
        };
        numbers.map(fetch).collect::<Vec<_>>()
    };
    let threads = (0..count.min(POOL)).map_while(|_| thread::Builder::new().spawn(work.clone()).ok());
    threads.collect::<Vec<_>>().into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
}

fn name(number: c_uint) -> String {
    format!("key {number}")
}
