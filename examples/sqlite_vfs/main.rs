//! SQLite over a slow object store: the engine asks for a page in the midst of `sqlite3_step`, and the answer comes over the network.
//!
//! SQLite reads its files through callbacks that must return the bytes; "later" is no answer. With an async client that means a thread
//! blocked for each statement under way. Here each connection has a green thread, the callback waits, and two thousand statements
//! share a few OS threads. The same file system is then used in the two ways of today, and all three are measured.
//!
//! ```text
//! cargo run --release --example sqlite_vfs [-- --connections N --delay MS --units N]
//!
//! 2000 connections, 3 units of work each, a store that answers after 100 ms
//! way                  wall      p50      p99  threads     memory   kernel's
//! green threads     ...
//! ```
//! *memory* is the largest resident set, and *kernel's* what that leaves out: page tables, and a stack for each OS thread.
//!
//! Files: `vfs.rs` is the file system, `connection.rs` calls SQLite and says what is vouched for, `store.rs` is the client, `server.rs` the
//! store, `work.rs` what is done and how it is checked, `ways.rs` the comparison. `../support/` is shared with `lua_fetch`.

mod connection;
mod flags;
mod server;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod vfs;
mod ways;
mod work;

use flags::{Flags, Request};
use server::Server;
use std::process::ExitCode;
use std::sync::Arc;
use store::Store;
use support::AnyError;
use support::figures::{self, measure_in_child};
use support::flags::raise_descriptors;
use support::ways::Way;

/// Rust starts the runtime, in `main`.
const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

fn main() -> ExitCode {
    let done = match flags::read(std::env::args_os().skip(1)) {
        Ok(Request::Help) => {
            print!("{}", flags::HELP);
            Ok(())
        }
        Ok(Request::Compare(flags)) => compare(flags),
        Ok(Request::Measure(way, flags, store)) => start()
            .and_then(|()| ways::measure(way, flags.connections, flags.units, store))
            .map(|figures| println!("{figures}")),
        Err(error) => {
            eprintln!("sqlite_vfs: {error}; --help lists the flags");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sqlite_vfs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), AnyError> {
    // SAFETY: no code here touches a thread-local across a wait (docs/safety.md). SQLite's own calls are `connection.rs`'s to argue.
    unsafe { greenbridge::Builder::new().start()? };
    raise_descriptors()
}

/// Checks the file system, measures each way in a process of its own, and prints the figures side by side.
fn compare(flags: Flags) -> Result<(), AnyError> {
    start()?;
    let server = Arc::new(Server::start(flags.delay)?);
    check(&server)?;
    println!("answers as an ordinary file does, and survives a store that goes down in a transaction");
    println!(
        "{} connections, {} units of work each, a store that answers after {} ms",
        flags.connections,
        flags.units,
        flags.delay.as_millis()
    );
    println!("{}", figures::HEAD);
    let template = work::template(&std::env::temp_dir().join(format!("sqlite_vfs-{}.db", std::process::id())))?;
    for way in Way::ALL {
        (0..flags.connections).for_each(|n| server.put(work::name(n), Arc::clone(&template)));
        println!("{}", measure_in_child(way, &flags::of_child(way, flags, server.address))?);
    }
    Ok(())
}

/// Checks the file system on a green thread.
fn check(server: &Arc<Server>) -> Result<(), AnyError> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    greenbridge::tokio::set_handle(tokio.handle().clone())?;
    vfs::register(Arc::new(Store::new(server.address)))
        .map_err(|code| format!("SQLite refuses the file system: {code}"))?;
    let server = Arc::clone(server);
    greenbridge::run(move || work::check(&server, &std::env::temp_dir()))
}
