//! What a way has come to, measured in a process of its own, and the table of all.

use super::AnyError;
use super::gauge::{Most, Needs};
use super::ways::Way;
use std::fmt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The head of the table whose rows are [`Row`]s.
pub(crate) const HEAD: &str = "way                  wall      p50      p99  threads     memory   kernel's";

/// What a way has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// For all work.
    wall: Duration,
    /// From when a piece of work was asked for to when it was done: the median, and the slowest of a hundred.
    p50: Duration,
    p99: Duration,
    /// The client's two OS threads are among those.
    needs: Needs,
}

/// Measures the process.
pub(crate) struct Measurement {
    most: Most,
    times: Times,
}

/// How long each piece of work took.
#[derive(Clone, Default)]
pub(crate) struct Times(Arc<Mutex<Vec<Duration>>>);

impl Times {
    /// A piece of work that was asked for at `asked` is done.
    pub(crate) fn done(&self, asked: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(asked.elapsed());
    }
}

impl Measurement {
    /// Begins to look at threads and memory.
    pub(crate) fn start() -> Result<Self, AnyError> {
        Ok(Self { most: Most::start()?, times: Times::default() })
    }

    /// Where each piece of work is noted.
    pub(crate) fn times(&self) -> Times {
        self.times.clone()
    }

    /// Ends it. All work began at `begin`; what came before was preparation.
    pub(crate) fn stop(self, begin: Instant) -> Result<Figures, AnyError> {
        let wall = begin.elapsed();
        let needs = self.most.stop()?;
        let mut times = self.times.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.sort_unstable();
        let at = |percent| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Ok(Figures { wall, p50: at(50), p99: at(99), needs })
    }
}

/// The report of a child: microseconds, OS threads, KiB, KiB.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wall, p50, p99, needs: Needs { threads, memory, kernel } } = self;
        write!(f, "{} {} {} {threads} {memory} {kernel}", wall.as_micros(), p50.as_micros(), p99.as_micros())
    }
}

impl Figures {
    /// Reads it.
    fn read(report: &str) -> Result<Self, String> {
        let numbers: Vec<u64> = report.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let &[wall, p50, p99, threads, memory, kernel] = &*numbers else {
            return Err(format!("a child reports `{report}`"));
        };
        let [wall, p50, p99] = [wall, p50, p99].map(Duration::from_micros);
        let [threads, memory, kernel] = [threads, memory, kernel].map(|number| number as usize);
        Ok(Self { wall, p50, p99, needs: Needs { threads, memory, kernel } })
    }
}

/// Runs this very program with `arguments`, to measure `way` there.
///
/// # Errors
/// What the child says if it fails.
pub(crate) fn measure_in_child(way: Way, arguments: &[String]) -> Result<Row, AnyError> {
    let output = Command::new(std::env::current_exe()?).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", way.name(), String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(Row(way, Figures::read(&String::from_utf8_lossy(&output.stdout))?))
}

/// A line of the table.
pub(crate) struct Row(Way, Figures);

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(way, Figures { wall, p50, p99, needs }) = self;
        let [wall, p50, p99] = [wall, p50, p99].map(|time| format!("{:.2} s", time.as_secs_f64()));
        let Needs { threads, memory, kernel } = needs;
        let [memory, kernel] = [memory, kernel].map(|kib| format!("{} MiB", kib.div_ceil(1024)));
        write!(f, "{:<16}{wall:>9}{p50:>9}{p99:>9}{threads:>9}{memory:>11}{kernel:>11}", way.name())
    }
}
