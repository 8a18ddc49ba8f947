//! c-ares on green threads: names are looked up over sockets that a C library owns, with a loop that waits as a green thread does.
//!
//! `getaddrinfo` blocks its OS thread for each name. c-ares does not, and leaves the waiting to the program: here to a green thread for each lookup,
//! with a channel of c-ares and a loop of its own, in C (`resolve.c`). The one promise that all this rests on is in `lookup.rs`.
//!
//! ```text
//! $ cargo run --release --example c_ares [-- LOOKUPS]
//! 200 names, each at its address; 20 had to be asked for again
//! a name that there is not: Domain name not found
//! a stuck lookup that is cancelled: DNS query cancelled
//! OS threads: 5
//! ```
//! Needed: c-ares with its headers, and pkg-config (Debian: libc-ares-dev, pkg-config). Without them it only says so.

#[cfg(has_libcares)]
mod lookup;
#[cfg(has_libcares)]
mod program;
#[cfg(has_libcares)]
mod server;
#[cfg(has_libcares)]
#[path = "../support/waits.rs"]
mod waits;

/// Rust starts the runtime, in `main`.
#[cfg(has_libcares)]
const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[cfg(has_libcares)]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let lookups = std::env::args().nth(1).map_or(Ok(200), |number| number.parse())?;
    lookup::set_up()?;
    // SAFETY: no code here touches a thread-local across a wait (docs/safety.md). c-ares' own calls are `lookup.rs`'s to argue.
    unsafe { greenbridge::Builder::new().start()? };
    greenbridge::run(move || program::run(lookups))
}

#[cfg(not(has_libcares))]
fn main() {
    eprintln!("left out: c-ares was not there when this was built (Debian: libc-ares-dev, pkg-config)");
}
