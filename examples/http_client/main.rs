//! A client library that blocks, used as it is: `ureq`, inside `blocking`, against the server of the example `http_server`.
//!
//! `ureq` opens its sockets by itself and waits in system calls. Called so on a green thread it would keep a processor for as long as the server
//! takes. In `blocking` the processor is handed on first, and everything else stays as it is: the agent is shared by reference, its pool of
//! connections is used by all, and errors come back as they are. Many clients ask for answers that take a while, and all of them wait at once,
//! beside the server, which has the same two processors.
//!
//! ```text
//! $ cargo run --release --example http_client
//! 50 requests at once, each of 100 ms: all after 114 ms
//! hello: 200, Hello, World!
//! echo: 200, 100000 bytes came back
//! nowhere: http status: 404
//! 53 requests on 50 connections, 0 refused, 0 connections cut short
//! ```
//! `--help` lists the flags.

#[path = "../support/arguments.rs"]
mod arguments;
mod flags;
#[path = "../http_server/server/mod.rs"]
mod server;

use flags::{Flags, Request};
use greenbridge::net::TcpListener;
use greenbridge::{blocking, scope, spawn};
use server::{End, Limits};
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use ureq::Agent;

type AnyError = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let flags = match flags::read(std::env::args_os().skip(1)) {
        Ok(Request::Run(flags)) => flags,
        Ok(Request::Help) => {
            print!("{}", flags::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("http_client: {error}");
            return ExitCode::from(2);
        }
    };
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http_client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<(), AnyError> {
    // SAFETY: docs/safety.md. No function here touches a thread-local across a wait. `ureq` runs inside `blocking`, pinned, and nothing in
    // there waits for this library.
    unsafe { greenbridge::Builder::new().start()? };
    greenbridge::run(move || {
        let minute = Duration::from_secs(60);
        let (limits, end) = (Limits { idle: minute, head: minute, grace: Duration::ZERO }, End::default());
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base = format!("http://{}", listener.local_addr()?);
        let server = spawn({
            let end = end.clone();
            move || server::serve(listener, limits, &end)
        });
        let result = ask(&Agent::new_with_defaults(), &base, &flags);
        end.drain.cancel();
        let figures = server.join().map_err(|_| "the server panicked")?;
        result?;
        println!("{figures}");
        Ok(())
    })
}

/// Asks the server at `base` for everything.
fn ask(agent: &Agent, base: &str, flags: &Flags) -> Result<(), AnyError> {
    let (begin, slow) = (Instant::now(), format!("{base}/slow/{}", flags.delay));
    let answers: Vec<_> = scope(|s| {
        let asks = (0..flags.requests).map(|_| s.spawn(|| blocking(|| get(agent, &slow)))).collect::<Vec<_>>();
        asks.into_iter().map(|ask| ask.join()).collect()
    });
    for answer in answers {
        let (_, text) = answer.map_err(|_| "a client panicked")??;
        if text != "slept" {
            return Err(format!("the server answered {text:?}").into());
        }
    }
    println!(
        "{} requests at once, each of {} ms: all after {} ms",
        flags.requests,
        flags.delay,
        begin.elapsed().as_millis()
    );

    let (status, text) = blocking(|| get(agent, &format!("{base}/")))?;
    println!("hello: {status}, {text}");
    let body: Vec<u8> = (0..100_000).map(|at| at as u8).collect();
    let (status, echo) = blocking(|| -> Result<_, ureq::Error> {
        let mut answer = agent.post(format!("{base}/echo")).send(&body)?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_vec()?))
    })?;
    if echo != body {
        return Err("the echo is not what was sent".into());
    }
    println!("echo: {status}, {} bytes came back", echo.len());
    match blocking(|| get(agent, &format!("{base}/nowhere"))) {
        Ok((status, _)) => Err(format!("there is something at /nowhere: {status}").into()),
        Err(error) => {
            println!("nowhere: {error}");
            Ok(())
        }
    }
}

/// What any program with `ureq` has.
fn get(agent: &Agent, url: &str) -> Result<(u16, String), ureq::Error> {
    let mut answer = agent.get(url).call()?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}
