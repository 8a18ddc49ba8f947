//! How long until the first green thread runs?
//!
//! `first_spawn.process`: from the `posix_spawn` of this program to its first green thread; `first_spawn.runtime`: from
//! before the start of the runtime to that. Medians of 60 cold starts. The floor starts one OS thread, 102 us; tokio's
//! runtime takes 304 us, may's 14 ms; Go has no second figure.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- first_spawn`

use crate::command::Settings;
use crate::gauge::{cold_start, now_ns};
use crate::measure::put;

/// The row that the started program runs.
pub(crate) const CHILD: &str = "first_spawn_child";

pub(crate) fn first_spawn(settings: Settings) {
    let (process, runtime) = cold_start(c"first_spawn_child", settings.scaled(60));
    put("first_spawn.process", process, "us");
    put("first_spawn.runtime", runtime, "us");
}

/// Prints the clock in the first green thread, and the microseconds from before the start of the runtime to that.
pub(crate) fn first_spawn_child(settings: Settings) {
    let before = now_ns();
    crate::start(settings.workers).expect("the runtime starts");
    let first = greenbridge::run(now_ns);
    println!("{first} {}", (first - before) as f64 / 1e3);
}
