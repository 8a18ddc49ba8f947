//! How late is a sleeper?
//!
//! | row | one operation |
//! |---|---|
//! | `sleepers` | one of 100,000 green threads, all spawned at once, sleeps for up to 500 ms: how much later than asked it runs again |
//!
//! The time from the call of `sleep` counts, so it includes what other sleepers and the spawning keep the processors busy with. The peers are Go and tokio.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- sleepers`

use crate::command::Settings;
use crate::measure::quantiles;
use greenbridge::{spawn, time};
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

/// Up to 500 ms, by the peers' formula.
fn random_sleep(number: usize) -> Duration {
    let mut z = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Duration::from_nanos((z ^ (z >> 31)) % 500_000_000)
}
