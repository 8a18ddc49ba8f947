//! How many OS threads and how much memory the process has at most.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Looks at the number of OS threads a hundred times a second, on one of its own, which it does not count.
pub(crate) struct Most {
    is_over: Arc<AtomicBool>,
    threads: Arc<AtomicUsize>,
    looks: JoinHandle<()>,
}

impl Most {
    /// Begins to look.
    #[allow(
        clippy::disallowed_methods,
        reason = "an OS thread of its own looks now and then, and no green thread is under it"
    )]
    pub(crate) fn start() -> io::Result<Self> {
        let (is_over, threads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (until, most) = (Arc::clone(&is_over), Arc::clone(&threads));
        let looks = thread::Builder::new().name("gauge".into()).spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let now = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
                most.fetch_max(now.saturating_sub(1), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        })?;
        Ok(Self { is_over, threads, looks })
    }

    /// The most OS threads seen, and the most memory there has been, in KiB.
    pub(crate) fn stop(self) -> io::Result<(usize, usize)> {
        self.is_over.store(true, Ordering::Relaxed);
        self.looks.join().map_err(|_| io::Error::other("the gauge has panicked"))?;
        let status = fs::read_to_string("/proc/self/status")?;
        let memory =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        Ok((self.threads.load(Ordering::Relaxed), memory.unwrap_or(0)))
    }
}
