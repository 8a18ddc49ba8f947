//! The program of [Go issue 60961](https://github.com/golang/go/issues/60961): many green threads call C, C calls back
//! into Rust, and every one of those callbacks passes the gate that makes sure the runtime is up.
//!
//! A channel is filled with empty tasks and closed, and as many green threads as processors drain it. Each task copies
//! a 32-byte key into memory that C owns, calls the C function `get_value` (`cgo_callback.c`), which calls back the
//! exported Rust function `c_call_rust_get_value` (`gates.rs`), and copies the value out.
//!
//! In Go, until 1.21, every callback took one global mutex at that gate. The issue reports half of the time spent there,
//! on a machine with many CPUs; since 1.22 the gate is an atomic load. This example runs the program with both gates:
//! `before`, a mutex that lives in this example alone, and `after`, the gate that every exported function of Greenbridge
//! has. Then it measures what share of the time is spent in each (`share.rs` says how).
//!
//! On two CPUs, where two green threads seldom meet at the mutex, the difference is small:
//!
//! ```text
//! $ cargo run --release --example cgo_callback
//! numWorkers = 2
//! before: took 625ms (one global mutex per callback, as in Go until 1.21)
//! after: took 588ms (one atomic load per callback)
//! speed-up: 1.06x
//! time in the gate, before: 7.4 % [6.5 to 8.5]
//! time in the gate, after: 1.4 % [1.0 to 2.0]
//! Of 3 runs with each gate, in alternation, the shortest counts. The shares are measured in one more run, which
//! changes the gate every millisecond: what a task takes with the gate less what it takes with none. In brackets the
//! middle half of 25 measurements.
//! ```
//! `--help` lists the flags. On a terminal a bar shows the progress.

mod flags;
mod gates;
mod progress;
mod report;
mod share;

use flags::{Flags, Request};
use gates::Gate;
use greenbridge::channel::{self, Receiver};
use greenbridge::spawn;
use progress::{Progress, Tally};
use report::Report;
use share::Phases;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// This program starts the runtime itself, in `main`; an exported function entered before that is an error.
const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

/// How often the program runs with each gate, in alternation. The shortest time counts: whatever else the machine has to do
/// only ever adds to it.
const RUNS: usize = 3;

fn main() -> ExitCode {
    let flags = match flags::read(std::env::args_os().skip(1)) {
        Ok(Request::Run(flags)) => flags,
        Ok(Request::Help) => return print(flags::HELP),
        Err(error) => {
            eprintln!("cgo_callback: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    // SAFETY: no function of this program uses a thread-local, let alone on both sides of a point where it may be
    // suspended; what its green threads keep on their stacks there is `Send`; and they enter no scoped thread-local.
    if let Err(error) = unsafe { greenbridge::Builder::new().processors(flags.workers).start() } {
        eprintln!("cgo_callback: {error}");
        return ExitCode::FAILURE;
    }
    let report = greenbridge::run(move || measure(flags));
    print(&if flags.json { report.json() } else { report.text() })
}

/// The first green thread: runs the program with each gate, and once more to measure the shares.
fn measure(flags: Flags) -> Report {
    let (gates, more_tasks) = (flags.gates(), flags.tasks.max(share::LEAST_TASKS));
    let progress = Progress::start(RUNS * gates.len() * flags.tasks + more_tasks, flags.workers);
    let mut times: Vec<_> = gates.iter().map(|&gate| (gate, Duration::MAX)).collect();
    for _ in 0..RUNS {
        for (gate, shortest) in &mut times {
            let gate = *gate;
            let (time, _) = drain(flags.tasks, &progress, move |tasks, tally| do_all(tasks, gate, tally));
            *shortest = time.min(*shortest);
        }
    }
    let phases = Arc::new(Phases::new(gates));
    let shared = Arc::clone(&phases);
    let (_, measured) = drain(more_tasks, &progress, move |tasks, tally| shared.do_all(tasks, tally));
    progress.finish();
    Report { flags, times, shares: phases.shares(&measured) }
}

/// One green thread: does the tasks that it gets.
fn do_all(tasks: &Receiver<()>, gate: Gate, tally: &mut Tally<'_>) {
    for () in tasks {
        gate.task(&[0; 32]);
        tally.add_one();
    }
}

/// The program: fills a channel with `tasks` empty tasks, closes it, and times the green threads that drain it, each with
/// `do_all`; rephases what each of them returned as well.
fn drain<T: Send + 'static>(
    tasks: usize,
    progress: &Arc<Progress>,
    do_all: impl Fn(&Receiver<()>, &mut Tally<'_>) -> T + Clone + Send + 'static,
) -> (Duration, Vec<T>) {
    let (sender, receiver) = channel::bounded(tasks);
    for _ in 0..tasks {
        sender.send(()).expect("`receiver` keeps the channel open");
    }
    sender.close();
    let start = Instant::now();
    let threads: Vec<_> = (0..progress.workers())
        .map(|worker| {
            let (receiver, progress, do_all) = (receiver.clone(), Arc::clone(progress), do_all.clone());
            spawn(move || {
                let mut tally = progress.tally(worker);
                let result = do_all(&receiver, &mut tally);
                (tally.finish(), result)
            })
        })
        .collect();
    let results = threads.into_iter().map(|thread| thread.join().expect("no task panics"));
    let (done, results): (Vec<usize>, Vec<T>) = results.unzip();
    let time = start.elapsed();
    assert_eq!(done.iter().sum::<usize>(), tasks, "every task is done exactly once");
    (time, results)
}

/// Prints to the standard output. Whoever reads it may have enough and be gone, which is no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("cgo_callback: cannot write the result: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
