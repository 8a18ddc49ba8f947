//! How late is a sleeper?
//!
//! | row | one operation |
//! |---|---|
//! | `sleepers` | one of 100,000 green threads, all spawned at once, sleeps for up to 500 ms: how much later than asked it runs again |
//! | `timers` | arming, and disarming, one of a million timers, in no order: by a future that is polled once and dropped |
//!
//! The time from the call of `sleep` counts, so it includes what other sleepers and the spawning keep the processors busy with. The
//! peers of `sleepers` are Go and tokio; `timers` is ours alone.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- sleepers`

use crate::command::Settings;
use crate::measure::{put, quantiles};
use greenbridge::{spawn, time};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub(crate) fn sleepers(settings: Settings) {
    let sleepers: Vec<_> = (0..settings.scaled(100_000))
        .map(|number| {
            spawn(move || {
                let (start, duration) = (Instant::now(), random_sleep(number));
                time::sleep(duration);
                (start.elapsed().as_nanos() as f64 - duration.as_nanos() as f64) / 1e3
            })
        })
        .collect();
    let late: Vec<_> = sleepers.into_iter().map(|sleeper| sleeper.join().expect("no panic in a row")).collect();
    assert!(late.iter().all(|&late| late >= 0.0), "a sleep ended early");
    quantiles("sleepers", late, "us");
}

pub(crate) fn timers(settings: Settings) {
    let number = settings.scaled(1_000_000);
    let mut context = Context::from_waker(Waker::noop());
    for is_measured in [false, true] {
        let hour = Duration::from_secs(3600);
        let mut sleeps: Vec<_> = (0..number).map(|n| time::sleep_async(hour + random_sleep(n))).collect();
        let start = Instant::now();
        let armed = sleeps.iter_mut().map(|sleep| Pin::new(sleep).poll(&mut context)).filter(Poll::is_pending).count();
        let arming = start.elapsed();
        assert_eq!(armed, number);
        let start = Instant::now();
        drop(sleeps);
        let disarming = start.elapsed();
        if is_measured {
            put("timers.arm", arming.as_nanos() as f64 / number as f64, "ns");
            put("timers.disarm", disarming.as_nanos() as f64 / number as f64, "ns");
        }
    }
}

/// Up to 500 ms, by the peers' formula.
fn random_sleep(number: usize) -> Duration {
    let mut z = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Duration::from_nanos((z ^ (z >> 31)) % 500_000_000)
}
