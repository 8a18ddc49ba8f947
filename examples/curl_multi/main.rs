//! libcurl on green threads: a C library that owns its sockets, with its multi interface driven by a loop that waits as a green thread does.
//!
//! Each transfer has a green thread, a multi handle and a loop of its own, in C (`fetch.c`). What it brings goes over a channel to a reader that takes its
//! time: libcurl's write callback waits until there is room. The one promise that all this rests on is in `transfer.rs`.
//!
//! ```text
//! $ cargo run --release --example curl_multi [-- TRANSFERS]
//! 200 transfers, 40000000 bytes, each byte as it should be
//! a stuck transfer that is cancelled: cancelled, after 100000 bytes
//! a server that is not there: Couldn't connect to server
//! OS threads: 5
//! ```
//! Needed: libcurl with its headers, and pkg-config (Debian: libcurl4-openssl-dev, pkg-config). Without them it only says so.

#[cfg(has_libcurl)]
mod program;
#[cfg(has_libcurl)]
mod server;
#[cfg(has_libcurl)]
mod transfer;
#[cfg(has_libcurl)]
#[path = "../support/waits.rs"]
mod waits;

/// Rust starts the runtime, in `main`.
#[cfg(has_libcurl)]
const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[cfg(has_libcurl)]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let transfers = std::env::args().nth(1).map_or(Ok(200), |number| number.parse())?;
    transfer::set_up()?;
    // SAFETY: no code here touches a thread-local across a wait (docs/safety.md). libcurl's own calls are `transfer.rs`'s to argue.
    unsafe { greenbridge::Builder::new().start()? };
    greenbridge::run(move || program::run(transfers))
}

#[cfg(not(has_libcurl))]
fn main() {
    eprintln!("left out: libcurl was not there when this was built (Debian: libcurl4-openssl-dev, pkg-config)");
}
