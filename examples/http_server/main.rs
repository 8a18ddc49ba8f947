//! An HTTP/1.1 server in straight lines: a loop around `accept` and `spawn`, and for each connection a loop that reads a request and answers.
//!
//! The crate `httparse` reads the heads; everything that waits is this library's. A connection is a green thread with two buffers, so what
//! it does next is where its code stands, and no state machine. It keeps connections alive, answers pipelined requests with one write, takes bodies
//! with a length or in chunks, refuses what is malformed or too large with the right status, and gives slow clients so long and no longer.
//!
//! `SIGTERM` or `SIGINT` ends it gracefully: nobody new is accepted, connections that rest are closed, and every request that has arrived,
//! or has begun to, is answered first. A second signal, or the end of `--grace`, cancels what is left.
//!
//! ```text
//! $ cargo run --release --example http_server
//! listening on http://127.0.0.1:8080
//! 280749 requests on 65 connections, 0 refused, 0 connections cut short
//! ```
//! `--help` lists the flags; `server/routes.rs` has what it answers.

mod flags;
mod server;
mod signals;

use flags::{Flags, Request};
use greenbridge::net::TcpListener;
use server::{End, Figures};
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let flags = match flags::read(std::env::args_os().skip(1)) {
        Ok(Request::Serve(flags)) => flags,
        Ok(Request::Help) => {
            print!("{}", flags::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("http_server: {error}");
            return ExitCode::from(2);
        }
    };
    match run(flags) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("http_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<Arc<Figures>, Box<dyn Error + Send + Sync>> {
    let builder = match flags.processors {
        Some(processors) => greenbridge::Builder::new().processors(processors),
        None => greenbridge::Builder::new(),
    };
    // SAFETY: docs/safety.md. No function here touches a thread-local across a wait, and what is held across one is `Send`.
    unsafe { builder.start()? };
    greenbridge::run(move || {
        let end = End::default();
        signals::end_at_signals(&end)?;
        let listener = TcpListener::bind(flags.address)?;
        println!("listening on http://{}", listener.local_addr()?);
        Ok(server::serve(listener, flags.limits, &end))
    })
}
