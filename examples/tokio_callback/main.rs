//! A callback from C that must wait for an async client: once on green threads, and once as it is done without them.
//!
//! C walks a list (`tokio_callback.c`) and calls back for each item. The answer has to come from a server, through a client that is a
//! tokio future (`server.rs`), and C cannot be told to come again later. Many walks run at once.
//!
//! * On green threads the callback says `block_on`. The green thread waits, with C's frames on its stack; a few OS threads carry all
//!   walks.
//! * With tokio alone each walk needs an OS thread of its own, from `spawn_blocking`, which its callback may block by `Handle::block_on`. On
//!   a thread that runs tasks that would be a panic: "Cannot start a runtime from within a runtime".
//!
//! On two CPUs:
//!
//! ```text
//! $ cargo run --release --example tokio_callback
//! 300 walks of 100 items, each of which waits for a server
//! green threads, call_interleaved: 520 ms, 2 more OS threads
//! spawn_blocking, Handle::block_on: 796 ms, 300 more OS threads
//! ```
//! `--help` lists the flags.

#[path = "../support/arguments.rs"]
mod arguments;
mod flags;
mod server;

use flags::{Flags, Request};
use greenbridge::{block_on, call_interleaved, spawn};
use server::Client;
use std::error::Error;
use std::ffi::{c_long, c_void};
use std::process::ExitCode;
use std::time::Instant;
use tokio::runtime::{Handle, Runtime};

/// This program starts the runtime itself, in `main`.
const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

/// A list that C owns.
#[repr(C)]
struct List([u8; 0]);

/// What C calls for each item.
type Price = unsafe extern "C" fn(client: *mut c_void, item: c_long) -> c_long;

unsafe extern "C" {
    fn list_new(count: c_long) -> *mut List;
    fn list_sum(list: *const List, price: Price, client: *mut c_void) -> c_long;
    fn list_free(list: *mut List);
}

/// The whole bridge: C calls it, and it waits.
///
/// # Safety
/// `client` is what `walk` has given to C.
#[greenbridge::export(fallback = -1)]
unsafe extern "C" fn price_on_green_thread(client: *mut c_void, item: c_long) -> c_long {
    // SAFETY: by contract; the walk lends it to C, and C to one callback at a time.
    let client = unsafe { &mut *client.cast::<Client>() };
    block_on(client.price(item)).unwrap_or(-1)
}

/// The same without green threads: blocks the OS thread.
///
/// # Safety
/// As above.
#[greenbridge::export(fallback = -1)]
unsafe extern "C" fn price_on_pool_thread(client: *mut c_void, item: c_long) -> c_long {
    // SAFETY: as above.
    let client = unsafe { &mut *client.cast::<Client>() };
    Handle::current().block_on(client.price(item)).unwrap_or(-1)
}

/// Lets C walk a list of `items`. None if C or the server failed.
fn walk(items: u32, price: Price, client: &mut Client) -> Option<c_long> {
    // SAFETY: C takes any count, and uses neither list nor client after the calls; it calls `price` with the client that it is given.
    unsafe {
        let list = list_new(c_long::from(items));
        let sum = list_sum(list, price, (&raw mut *client).cast());
        list_free(list);
        Some(sum).filter(|&sum| sum >= 0)
    }
}

/// What the walks bring; None for one that failed.
type Sums = Result<Vec<Option<c_long>>, Box<dyn Error>>;

/// All walks on green threads.
fn on_green_threads(clients: Vec<Client>, items: u32) -> Sums {
    let walks = clients.into_iter().map(|mut client| {
        spawn(move || {
            // SAFETY: this C keeps nothing over a callback but its own locals.
            unsafe { call_interleaved(|| walk(items, price_on_green_thread, &mut client)) }
        })
    });
    let walks: Vec<_> = walks.collect();
    walks.into_iter().map(|walk| walk.join().map_err(|_| "a walk panicked".into())).collect()
}

/// All walks on tokio's pool of threads for blocking work.
fn on_pool_threads(tokio: &Handle, clients: Vec<Client>, items: u32) -> Sums {
    let walks = clients
        .into_iter()
        .map(|mut client| tokio.spawn_blocking(move || walk(items, price_on_pool_thread, &mut client)));
    let walks: Vec<_> = walks.collect();
    walks.into_iter().map(|walk| Ok(block_on(walk)?)).collect()
}

fn main() -> ExitCode {
    let outcome = match flags::read(std::env::args_os().skip(1)) {
        Ok(Request::Run(flags)) => compare(flags),
        Ok(Request::Help) => {
            print!("{}", flags::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("tokio_callback: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tokio_callback: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts both runtimes, and runs the walks in both ways.
fn compare(flags: Flags) -> Result<(), Box<dyn Error>> {
    let tokio = Runtime::new()?;
    // SAFETY: no function of this program uses a thread-local on both sides of a point where it may be suspended; what its green threads
    // keep on their stacks there is `Send`; and they enter no scoped thread-local.
    unsafe { greenbridge::Builder::new().start()? };
    greenbridge::tokio::set_handle(tokio.handle().clone())?;
    let server = tokio.block_on(server::serve())?;
    let clients = || tokio.block_on(Client::connect_all(server, flags.walks));
    println!("{} walks of {} items, each of which waits for a server", flags.walks, flags.items);
    measure("green threads, call_interleaved", flags, clients()?, |clients| on_green_threads(clients, flags.items))?;
    measure("spawn_blocking, Handle::block_on", flags, clients()?, |clients| {
        on_pool_threads(tokio.handle(), clients, flags.items)
    })?;
    // Idle threads of the pool are not waited for.
    tokio.shutdown_background();
    Ok(())
}

/// Times the walks, checks their sums, and counts the OS threads that they have made. Those stay for a while, so all are there at the end.
fn measure(
    way: &str,
    flags: Flags,
    clients: Vec<Client>,
    walks: impl FnOnce(Vec<Client>) -> Sums,
) -> Result<(), Box<dyn Error>> {
    let (before, start) = (os_threads()?, Instant::now());
    let sums = walks(clients)?;
    let time = start.elapsed();
    let expected = (1..=c_long::from(flags.items)).map(|item| 2 * item).sum();
    let failed = sums.iter().filter(|&&sum| sum != Some(expected)).count();
    if failed > 0 {
        return Err(format!("{way}: {failed} of {} walks failed", sums.len()).into());
    }
    println!("{way}: {} ms, {} more OS threads", time.as_millis(), os_threads()?.saturating_sub(before));
    Ok(())
}

/// How many OS threads this process has.
fn os_threads() -> Result<usize, Box<dyn Error>> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}
