//! The slow place: it stands for an async client of a server that takes its time.

use crate::KEY_SIZE;
use greenbridge::time::sleep_async;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static FETCHED: AtomicU64 = AtomicU64::new(0);

/// How often a key has been fetched.
pub(crate) fn fetched() -> u64 {
    FETCHED.load(Ordering::Relaxed)
}

/// Fetches the key of that name: its bytes, each with its place added, over and over.
pub(crate) async fn fetch(name: &str) -> [u8; KEY_SIZE] {
    sleep_async(Duration::from_millis(5)).await;
    FETCHED.fetch_add(1, Ordering::Relaxed);
    let mut bytes = name.bytes().cycle();
    std::array::from_fn(|place| bytes.next().unwrap_or_default().wrapping_add(place as u8))
}
