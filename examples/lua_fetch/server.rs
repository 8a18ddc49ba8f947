//! The server that the scripts ask: HTTP on loopback, each answer after a set delay.
//!
//! `GET /module/catalogue`, `/word/N/WORD`, `/before/N/A/B`, and `/never`, which is not answered at all.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;

/// The places that the scripts sort.
pub(crate) const PLACES: [&str; 4] = ["Aarhus", "Bergen", "Cork", "Delft"];

/// The words that the scripts replace.
pub(crate) const WORDS: [&str; 2] = ["name", "day"];

/// Starts the server on a thread of its own, and returns its address as the beginning of a URL.
///
/// # Errors
/// If no port or no thread can be had.
pub(crate) fn start(delay: Duration) -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let base = format!("http://{}", listener.local_addr()?);
    std::thread::Builder::new().name("server".into()).spawn(move || runtime.block_on(serve(listener, delay)))?;
    Ok(base)
}

async fn serve(listener: TcpListener, delay: Duration) {
    loop {
        // Out of descriptors: those that are open will close.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(async move {
            let service = service_fn(|request| answer(delay, request));
            // A client that goes away in the middle is its own affair.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(delay: Duration, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if path == "/never" {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(delay).await;
    let mut response = Response::new(Full::default());
    match page(path) {
        Some(page) => *response.body_mut() = Full::new(page.into()),
        None => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}

/// What lies at `path`.
pub(crate) fn page(path: &str) -> Option<String> {
    let parts: Vec<_> = path.strip_prefix('/')?.split('/').collect();
    match *parts {
        ["module", "catalogue"] => {
            let [a, b, c, d] = PLACES;
            let [name, day] = WORDS;
            Some(format!(
                "return {{ letter = 'Dear ${name}, on ${day} we go to ', places = {{ '{a}', '{b}', '{c}', '{d}' }} }}"
            ))
        }
        ["word", n, word] => Some(format!("{word} {:x}", hash((n, word)) % 0x1000)),
        ["before", n, a, b] => Some(if hash((n, a)) < hash((n, b)) { "yes" } else { "no" }.into()),
        _ => None,
    }
}

/// The same in every process.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
