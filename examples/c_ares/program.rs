//! What the example does: many lookups, some that need a second try, one of a name that there is not, and one that is stuck.

use crate::lookup::{self, Found};
use crate::server;
use greenbridge::cancel::CancelToken;
use greenbridge::{JoinHandle, spawn, time};
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

/// Does it, on a green thread, and prints what came of it.
pub(crate) fn run(lookups: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = server::start()?;
    // Every tenth loses its first question.
    let name = |number| format!("{}-{number}.example", if number % 10 == 0 { "lossy" } else { "host" });
    let all: Vec<_> = (0..lookups).map(|number| (name(number), resolve(server, &name(number)))).collect();
    let mut again = 0;
    for (name, resolving) in all {
        let Found { address, timeouts } = joined(resolving)?;
        if Some(address) != server::address_of(&name) {
            return Err(format!("{name} is not at {address}").into());
        }
        again += usize::from(timeouts > 0);
    }
    println!("{lookups} names, each at its address; {again} had to be asked for again");
    println!("a name that there is not: {}", failure(resolve(server, "nobody.example"))?);
    println!("a stuck lookup that is cancelled: {}", cancel_one(server)?);
    println!("OS threads: {}", std::fs::read_dir("/proc/self/task")?.count());
    Ok(())
}

/// Starts a lookup.
fn resolve(server: SocketAddr, name: &str) -> JoinHandle<Result<Found, String>> {
    let name = name.to_owned();
    spawn(move || lookup::resolve(server, &name, CancelToken::new()))
}

/// Cancels a lookup that gets no answer, and returns what c-ares says then.
fn cancel_one(server: SocketAddr) -> Result<String, String> {
    let token = CancelToken::new();
    let cancelled = token.clone();
    let resolving = spawn(move || lookup::resolve(server, "silent.example", token));
    // It is under way by then, or cancelled before it begins; both end it.
    time::sleep(Duration::from_millis(50));
    cancelled.cancel();
    failure(resolving)
}

fn joined<T>(thread: JoinHandle<Result<T, String>>) -> Result<T, String> {
    thread.join().map_err(|_| "a green thread has panicked")?
}

/// The error of a lookup that must have one.
fn failure(resolving: JoinHandle<Result<Found, String>>) -> Result<String, String> {
    joined(resolving).err().ok_or_else(|| "the lookup has succeeded".to_owned())
}
