//! A progress bar that costs nothing measurable: every green thread counts on a cache line of its own, and only once in
//! a thousand tasks; an OS thread looks at the counts ten times a second, and only if there is a terminal to show them.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The counts of all workers, and the OS thread that shows them.
#[derive(Debug)]
pub(crate) struct Progress {
    counts: Vec<Count>,
    bar: Mutex<Option<Bar>>,
}

/// Twice a cache line, for some CPUs fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count(AtomicUsize);

#[derive(Debug)]
struct Bar {
    /// The bar ends when this is dropped.
    running: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Starts counting towards `tasks`, and shows a bar if both the output and the error stream are terminals.
    pub(crate) fn start(tasks: usize, workers: usize) -> Arc<Progress> {
        let counts = (0..workers).map(|_| Count::default()).collect();
        let progress = Arc::new(Progress { counts, bar: Mutex::new(None) });
        if io::stdout().is_terminal() && io::stderr().is_terminal() {
            let (running, end) = mpsc::channel();
            let watched = Arc::clone(&progress);
            // No thread, no bar: the program itself needs none.
            let thread = thread::Builder::new().name("progress".into()).spawn(move || watched.show(tasks, &end));
            *progress.bar.lock().unwrap_or_else(PoisonError::into_inner) =
                thread.ok().map(|thread| Bar { running, thread });
        }
        progress
    }

    /// The number of green threads that count.
    pub(crate) fn workers(&self) -> usize {
        self.counts.len()
    }

    /// The tally of one green thread; `worker` is its number.
    pub(crate) fn tally(&self, worker: usize) -> Tally<'_> {
        Tally { done: 0, count: &self.counts[worker].0 }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Bar { running, thread }) = bar {
            drop(running);
            // A bar that panicked has nothing left to take away.
            let _ = thread.join();
        }
    }

    /// Draws the bar until the other end of `end` is gone, then wipes it out. An error stream that cannot be written to
    /// is no reason to stop the program.
    fn show(&self, tasks: usize, end: &mpsc::Receiver<()>) {
        const WIDTH: usize = 50;
        let mut terminal = io::stderr();
        loop {
            let done: usize = self.counts.iter().map(|count| count.0.load(Relaxed)).sum();
            let percent = (done * 100 / tasks).min(100);
            let full = "#".repeat(percent * WIDTH / 100);
            let _ = write!(terminal, "\r[{full:.<WIDTH$}] {percent:3} %");
            if end.recv_timeout(Duration::from_millis(100)) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        let _ = write!(terminal, "\r{:1$}\r", "", WIDTH + 8);
    }
}

/// Counts the tasks of one green thread.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    done: usize,
    count: &'a AtomicUsize,
}

impl Tally<'_> {
    const BATCH: usize = 1024;

    /// One task is done.
    pub(crate) fn add_one(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(Self::BATCH) {
            self.count.fetch_add(Self::BATCH, Relaxed);
        }
    }

    /// How many were done in all.
    pub(crate) fn finish(self) -> usize {
        self.count.fetch_add(self.done % Self::BATCH, Relaxed);
        self.done
    }
}
