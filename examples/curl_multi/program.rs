//! What the example does: many transfers, one that is stuck, and one from nowhere.

use crate::{server, transfer};
use greenbridge::cancel::CancelToken;
use greenbridge::channel::{self, Receiver};
use greenbridge::{JoinHandle, spawn, time};
use std::error::Error;
use std::time::Duration;

/// Does it, on a green thread, and prints what came of it.
pub(crate) fn run(transfers: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let base = server::start()?;
    let all: Vec<_> = (0..transfers).map(|number| fetch_and_check(&base, number)).collect();
    let mut bytes = 0;
    for one in all {
        bytes += joined(one)?;
    }
    println!("{transfers} transfers, {bytes} bytes, each byte as it should be");
    println!("a stuck transfer that is cancelled: {}", cancel_one(&base)?);
    // Nobody listens on port 1.
    let (_received, nowhere) = fetch("http://127.0.0.1:1/", &CancelToken::new());
    println!("a server that is not there: {}", failure(nowhere)?);
    println!("OS threads: {}", std::fs::read_dir("/proc/self/task")?.count());
    Ok(())
}

/// Starts a transfer. Its bytes come piece by piece, each when the one before it has been taken.
fn fetch(url: &str, token: &CancelToken) -> (Receiver<Vec<u8>>, JoinHandle<Result<(), String>>) {
    let (pieces, received) = channel::bounded(1);
    let (url, token) = (url.to_owned(), token.clone());
    (received, spawn(move || transfer::fetch(&url, token, pieces)))
}

/// Fetches `/number`, compares it with what it should be, and returns how many bytes it has.
fn fetch_and_check(base: &str, number: usize) -> JoinHandle<Result<usize, String>> {
    let (received, fetching) = fetch(&format!("{base}/{number}"), &CancelToken::new());
    spawn(move || {
        let path = number.to_string();
        let (mut expected, mut bytes) = (server::text(&path), 0);
        while let Ok(piece) = received.recv() {
            bytes += piece.len();
            if !piece.into_iter().all(|byte| expected.next() == Some(byte)) {
                return Err(format!("/{number} is not what it should be"));
            }
            time::sleep(Duration::from_millis(1));
        }
        joined(fetching)?;
        if expected.next().is_none() { Ok(bytes) } else { Err(format!("/{number} has come to its end too early")) }
    })
}

/// Cancels a transfer of which no more will come, and returns what it says then.
fn cancel_one(base: &str) -> Result<String, String> {
    let token = CancelToken::new();
    let (received, fetching) = fetch(&format!("{base}/stuck"), &token);
    let half = server::text("stuck").count() / 2;
    let mut bytes = 0;
    while bytes < half {
        bytes += received.recv().map_err(|_| "the transfer has ended by itself")?.len();
    }
    token.cancel();
    Ok(format!("{}, after {bytes} bytes", failure(fetching)?))
}

fn joined<T>(thread: JoinHandle<Result<T, String>>) -> Result<T, String> {
    thread.join().map_err(|_| "a green thread has panicked")?
}

/// The error of a transfer that must have one.
fn failure(fetching: JoinHandle<Result<(), String>>) -> Result<String, String> {
    joined(fetching).err().ok_or_else(|| "the transfer has succeeded".to_owned())
}
