//! Lua scripts that fetch where they cannot yield: inside `table.sort`, `string.gsub` and `require`.
//!
//! A host that runs Lua on an async runtime lets `fetch` yield, and goes on with the script when the answer is there. That ends where C
//! calls back into Lua: "attempt to yield across a C-call boundary". Here `fetch` waits in place, on the green thread of its script,
//! with C's frames below it, and a thousand scripts share a few OS threads. The same scripts are then run in the two ways of today,
//! and all three are measured.
//!
//! ```text
//! cargo run --release --example lua_fetch [-- --scripts N --delay MS]
//!
//! a yield inside table.sort: yield.lua:5: attempt to yield across a C-call boundary
//! a fetch inside it: Dear name 2ba, on day 399 we go to Delft, Aarhus, Cork, Bergen
//! stuck in a loop, and cancelled: stuck.lua:1: cancelled; in a fetch: stuck.lua:1: cancelled
//! 1000 scripts, a server that answers after 100 ms
//! way                  wall      p50      p99  threads     memory   kernel's
//! green threads      1.37 s   1.25 s   1.35 s       33     78 MiB
//! spawn_blocking     2.20 s   1.18 s   2.20 s      517     50 MiB
//! a thread each      1.38 s   1.19 s   1.36 s     1005     93 MiB
//! ```
//!
//! Files: `work.lua` is the script, `lua.rs` calls Lua and says what is vouched for, `shim.c` is the C half, where errors are raised,
//! `client.rs` the client, `server.rs` the server, `work.rs` what a script comes to, `stuck.rs` ends scripts that do not, `ways.rs` is
//! the comparison. `../support/` is shared with `sqlite_vfs`.

mod client;
mod flags;
mod lua;
mod server;
mod stuck;
#[path = "../support/mod.rs"]
mod support;
mod ways;
mod work;

use client::Client;
use flags::{Flags, Request};
use lua::Fetch;
use std::process::ExitCode;
use std::sync::Arc;
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
        Ok(Request::Measure(way, scripts, base)) => {
            start().and_then(|()| ways::measure(way, scripts, &base)).map(|figures| println!("{figures}"))
        }
        Err(error) => {
            eprintln!("lua_fetch: {error}; --help lists the flags");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lua_fetch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), AnyError> {
    // SAFETY: no code here touches a thread-local across a wait (docs/safety.md). Lua's own calls are `lua.rs`'s to argue.
    unsafe { greenbridge::Builder::new().stack_size(lua::STACK).start()? };
    raise_descriptors()
}

/// Shows what works and what does not, measures each way in a process of its own, and prints the figures side by side.
fn compare(Flags { scripts, delay }: Flags) -> Result<(), AnyError> {
    start()?;
    let base = server::start(delay)?;
    show(&base)?;
    println!("{scripts} scripts, a server that answers after {} ms", delay.as_millis());
    println!("{}", figures::HEAD);
    for way in Way::ALL {
        println!("{}", measure_in_child(way, &flags::of_child(way, scripts, &base))?);
    }
    Ok(())
}

fn show(base: &str) -> Result<(), AnyError> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    greenbridge::tokio::set_handle(tokio.handle().clone())?;
    let base = base.to_owned();
    greenbridge::run(move || {
        let client = Client::new();
        let fetch: Fetch = Arc::new(move |url| client.get(url));
        println!("a yield inside table.sort: {}", stuck::yield_in_sort(&fetch)?);
        println!("a fetch inside it: {}", work::run(&fetch, &base, 0)?);
        let [computes, waits] = stuck::cancel_stuck(&fetch, &base)?;
        println!("stuck in a loop, and cancelled: {computes}; in a fetch: {waits}");
        Ok(())
    })
}
