//! The benchmark program of Greenbridge: one run measures one row, in a process of its own.
//!
//! ```text
//! cargo run --release -p greenbridge-bench --bin bench-greenbridge -- ROW [--workers N] [--scale F]
//! cargo run --release -p greenbridge-bench --bin bench-greenbridge -- list
//! ```
//! prints `ROW VALUE UNIT`, or a line `ROW.figure VALUE UNIT` for each figure of the row. `--workers` is the number of
//! processors (default: the CPUs this process may use), `--scale` multiplies the number of operations. A row warms up
//! before it measures, checks its own sums, and ends the program with a panic if one is wrong.
//!
//! Figures in nanoseconds are wall time over all operations, so two workers can halve them, except where a row says
//! *per core*. The rows and what one operation is are those of the programs that measure Go, may, tokio and a floor
//! without any runtime, so that figures can be compared line by line; rows that are ours alone say so. Every callback
//! is an exported function, with its gate and its panic boundary, and every C call goes through [`greenbridge::call`]
//! unless the row is about another way.

mod blocked_rows;
mod c_rows;
mod callee;
mod channel_rows;
mod command;
mod gauge;
mod growth_rows;
mod hand_off_rows;
mod lock_rows;
mod measure;
mod parked_rows;
mod seed_row;
mod select_rows;
mod socket_rows;
mod start_row;
mod switch_rows;
mod time_rows;
mod turnstile;

use command::{Request, Settings};
use std::process::ExitCode;

/// The rows start the runtime themselves, with the number of processors that the command line asks for.
const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

/// Where the body of a row runs.
#[derive(Clone, Copy)]
enum Place {
    /// On the first green thread.
    GreenThread,
    /// On the first green thread, with one processor whatever the command line says.
    OneProcessor,
    /// On the main thread, outside `run`, with the runtime started.
    MainThread,
    /// On the main thread, and the row starts the runtime or does without it.
    NotStarted,
}

/// A row: its name, where it runs, and its body.
struct Row(&'static str, Place, fn(Settings));

use Place::{GreenThread, MainThread, NotStarted, OneProcessor};

const ROWS: &[Row] = &[
    Row("c_bare", GreenThread, c_rows::c_bare),
    Row("c_call", GreenThread, c_rows::c_call),
    Row("c_callback", GreenThread, c_rows::c_callback),
    Row("c_call_callback", GreenThread, c_rows::c_call_callback),
    Row("c_par_callback", GreenThread, c_rows::c_par_callback),
    Row("c_thread_callback", GreenThread, c_rows::c_thread_callback),
    Row("c_thread_first", GreenThread, c_rows::c_thread_first),
    Row("seed", GreenThread, seed_row::seed),
    Row("yield1", GreenThread, switch_rows::yield1),
    Row("yield1000", GreenThread, switch_rows::yield1000),
    Row("spawn_join", GreenThread, switch_rows::spawn_join),
    Row("skynet", GreenThread, switch_rows::skynet),
    Row("pingpong", GreenThread, channel_rows::pingpong),
    Row("pingpong0", GreenThread, channel_rows::pingpong0),
    Row("pingpong_callback", GreenThread, channel_rows::pingpong_callback),
    Row("mpmc", GreenThread, channel_rows::mpmc),
    Row("mutex", GreenThread, lock_rows::mutex),
    Row("mutex_alone", GreenThread, lock_rows::mutex_alone),
    Row("select", GreenThread, select_rows::select),
    Row("sleepers", GreenThread, time_rows::sleepers),
    Row("timers", GreenThread, time_rows::timers),
    Row("echo", GreenThread, socket_rows::echo),
    Row("blocking_progress", GreenThread, hand_off_rows::blocking_progress),
    Row("blocking_progress_blocking", GreenThread, hand_off_rows::blocking_progress_blocking),
    Row("handoff", OneProcessor, hand_off_rows::handoff),
    Row("handoff_blocking", OneProcessor, hand_off_rows::handoff_blocking),
    Row("handoff_once", OneProcessor, hand_off_rows::handoff_once),
    Row("handoff_once_blocking", OneProcessor, hand_off_rows::handoff_once_blocking),
    Row("blocked_callbacks", MainThread, blocked_rows::blocked_callbacks),
    Row("interleaved_blocked", MainThread, blocked_rows::interleaved_blocked),
    Row("parked_mem", MainThread, parked_rows::parked_mem),
    Row("idle", MainThread, parked_rows::idle),
    Row("first_spawn", NotStarted, start_row::first_spawn),
    Row("growth_yield", GreenThread, growth_rows::growth_yield),
    Row("growth_spawn", GreenThread, growth_rows::growth_spawn),
    Row("growth_wake", GreenThread, growth_rows::growth_wake),
    Row("growth_sleep", GreenThread, growth_rows::growth_sleep),
    Row("growth_foreign", MainThread, growth_rows::growth_foreign),
];

/// What `list` does not print: the child that `first_spawn` measures.
const HIDDEN: &[Row] = &[Row(start_row::CHILD, NotStarted, start_row::first_spawn_child)];

fn main() -> ExitCode {
    let rows = || ROWS.iter().map(|row| row.0);
    let (name, mut settings) = match command::read(std::env::args_os().skip(1)) {
        Ok(Request::Run(name, settings)) => (name, settings),
        Ok(Request::List) => {
            rows().for_each(|name| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        Ok(Request::Help) => {
            println!("{}", command::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => return command::refuse(&error),
    };
    let Some(Row(_, place, body)) = ROWS.iter().chain(HIDDEN).find(|row| row.0 == name) else {
        let known: Vec<_> = rows().collect();
        return command::refuse(&format!("unknown row `{name}`; the rows are {}", known.join(", ")));
    };
    if let OneProcessor = place {
        settings.workers = 1;
    }
    if !matches!(place, NotStarted)
        && let Err(error) = start(settings.workers)
    {
        eprintln!("bench-greenbridge: {error}");
        return ExitCode::FAILURE;
    }
    match place {
        GreenThread | OneProcessor => greenbridge::run(move || body(settings)),
        MainThread | NotStarted => body(settings),
    }
    ExitCode::SUCCESS
}

/// Starts the runtime with `workers` processors.
fn start(workers: usize) -> Result<(), greenbridge::StartError> {
    // SAFETY: no function of this program uses a thread-local, let alone on both sides of a point where it may be
    // suspended (what std touches to print stays inside its printing); what its green threads keep on their stacks there
    // is `Send`; and they enter no scoped thread-local.
    unsafe { greenbridge::Builder::new().processors(workers).start() }
}
