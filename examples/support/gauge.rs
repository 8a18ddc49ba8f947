//! How many OS threads and how much memory the process has at most, and how much the kernel keeps for it.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the kernel keeps for each OS thread to run on when it makes a system call, in KiB: `THREAD_SIZE` on x86-64 and aarch64.
const KERNEL_STACK: usize = 16;

/// The most of each that there has been; memory in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    pub(crate) threads: usize,
    /// The largest resident set.
    pub(crate) memory: usize,
    /// What the resident set leaves out: page tables, and the kernel's stack for each OS thread.
    pub(crate) kernel: usize,
}

/// Looks a hundred times a second, on an OS thread of its own, which it does not count.
pub(crate) struct Most {
    is_over: Arc<AtomicBool>,
    threads: Arc<AtomicUsize>,
    kernel: Arc<AtomicUsize>,
    looks: JoinHandle<()>,
}

impl Most {
    /// Begins to look.
    #[allow(
        clippy::disallowed_methods,
        reason = "an OS thread of its own looks now and then, and no green thread is under it"
    )]
    pub(crate) fn start() -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let [threads, kernel] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let (until, most_threads, most_kernel) = (Arc::clone(&is_over), Arc::clone(&threads), Arc::clone(&kernel));
        let looks = thread::Builder::new().name("gauge".into()).spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
                let threads = number(&status, "Threads:").saturating_sub(1);
                most_threads.fetch_max(threads, Ordering::Relaxed);
                most_kernel.fetch_max(number(&status, "VmPTE:") + threads * KERNEL_STACK, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
        })?;
        Ok(Self { is_over, threads, kernel, looks })
    }

    /// Ends it.
    pub(crate) fn stop(self) -> io::Result<Needs> {
        self.is_over.store(true, Ordering::Relaxed);
        self.looks.join().map_err(|_| io::Error::other("the gauge has panicked"))?;
        // The kernel keeps the most by itself.
        let memory = number(&fs::read_to_string("/proc/self/status")?, "VmHWM:");
        Ok(Needs { threads: self.threads.load(Ordering::Relaxed), memory, kernel: self.kernel.load(Ordering::Relaxed) })
    }
}

/// The number behind `name` in `status`.
fn number(status: &str, name: &str) -> usize {
    let found = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    found.unwrap_or(0)
}
