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

/// How long it takes, unless a comparison says otherwise.
pub(crate) const DELAY: Duration = Duration::from_millis(5);

/// Fetches the key of that name.
pub(crate) async fn fetch(name: &str, delay: Duration) -> [u8; KEY_SIZE] {
    sleep_async(delay).await;
    key_of(name)
}

/// The same for an OS thread that has nothing else to do.
#[allow(clippy::disallowed_methods, reason = "the comparison is with OS threads that block")]
pub(crate) fn fetch_on_os_thread(name: &str, delay: Duration) -> [u8; KEY_SIZE] {
    std::thread::sleep(delay);
    key_of(name)
}

/// The bytes of its name, each with its place added, over and over.
fn key_of(name: &str) -> [u8; KEY_SIZE] {
    FETCHED.fetch_add(1, Ordering::Relaxed);
    let mut bytes = name.bytes().cycle();
    std::array::from_fn(|place| bytes.next().unwrap_or_default().wrapping_add(place as u8))
}
