//! The object store: an HTTP server on loopback that answers each request after a set delay.
//!
//! `HEAD /name`, `GET /name` with `Range`, `PUT /name` with `Content-Range`, `PATCH /name` (cut to the size in `Content-Range`),
//! `DELETE /name`. It can be told to fail writes, as if it had gone down in the middle.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// The server, on a thread of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    delay: Duration,
    files: Mutex<HashMap<String, Arc<Vec<u8>>>>,
    /// Files to which writes fail, after so many more that succeed.
    faults: Mutex<HashMap<String, u32>>,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    /// If no port or no thread can be had.
    pub(crate) fn start(delay: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared { delay, files: Mutex::default(), faults: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let server = Self { address, shared: Arc::clone(&shared) };
        std::thread::Builder::new().name("store".into()).spawn(move || runtime.block_on(serve(listener, shared)))?;
        Ok(server)
    }

    /// Puts a file into the store.
    pub(crate) fn put(&self, name: String, content: Arc<Vec<u8>>) {
        lock(&self.shared.files).insert(name, content);
    }

    /// Lets `good` more writes to a file succeed, and all after those fail until it is healed.
    pub(crate) fn fail_writes(&self, name: &str, good: u32) {
        lock(&self.shared.faults).insert(name.to_owned(), good);
    }

    /// Writes to the file succeed again.
    pub(crate) fn heal(&self, name: &str) {
        lock(&self.shared.faults).remove(name);
    }

    /// Whether there is such a file.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.shared.file(name).is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // Out of descriptors: those that are open will close.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&shared, request));
            // A client that goes away in the middle is its own affair.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    tokio::time::sleep(shared.delay).await;
    let name = head.uri.path().trim_start_matches('/').to_owned();
    let numbers = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(numbers).unwrap_or_default();
    Ok(match (head.method, body) {
        (Method::HEAD, _) => shared.size(&name),
        (Method::GET, _) => shared.read(&name, &numbers(RANGE)),
        (Method::PUT, Ok(body)) => shared.write(name, &numbers(CONTENT_RANGE), &body),
        (Method::PATCH, _) => shared.truncate(&name, &numbers(CONTENT_RANGE)),
        (Method::DELETE, _) => shared.delete(&name),
        _ => empty(StatusCode::BAD_REQUEST),
    })
}

/// The whole numbers in a header.
fn numbers(text: &str) -> Vec<usize> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

impl Shared {
    fn file(&self, name: &str) -> Option<Arc<Vec<u8>>> {
        lock(&self.files).get(name).cloned()
    }

    fn size(&self, name: &str) -> Response<Full<Bytes>> {
        let Some(file) = self.file(name) else { return empty(StatusCode::NOT_FOUND) };
        let mut response = empty(StatusCode::OK);
        response.headers_mut().insert(CONTENT_LENGTH, file.len().into());
        response
    }

    fn read(&self, name: &str, range: &[usize]) -> Response<Full<Bytes>> {
        let (Some(file), &[from, last]) = (self.file(name), range) else { return empty(StatusCode::NOT_FOUND) };
        if from >= file.len() {
            return empty(StatusCode::RANGE_NOT_SATISFIABLE);
        }
        let bytes = Bytes::copy_from_slice(&file[from..file.len().min(last + 1)]);
        let mut response = Response::new(Full::new(bytes));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response
    }

    fn write(&self, name: String, range: &[usize], bytes: &[u8]) -> Response<Full<Bytes>> {
        if !self.may_write(&name) {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let &[from, _] = range else { return empty(StatusCode::BAD_REQUEST) };
        let mut files = lock(&self.files);
        let file = Arc::make_mut(files.entry(name).or_default());
        if file.len() < from + bytes.len() {
            file.resize(from + bytes.len(), 0);
        }
        file[from..from + bytes.len()].copy_from_slice(bytes);
        empty(StatusCode::OK)
    }

    /// Counts down to an ordered fault.
    fn may_write(&self, name: &str) -> bool {
        match lock(&self.faults).get_mut(name) {
            None => true,
            Some(0) => false,
            Some(good) => {
                *good -= 1;
                true
            }
        }
    }

    fn truncate(&self, name: &str, size: &[usize]) -> Response<Full<Bytes>> {
        let mut files = lock(&self.files);
        let (Some(file), &[size]) = (files.get_mut(name), size) else { return empty(StatusCode::NOT_FOUND) };
        Arc::make_mut(file).truncate(size);
        empty(StatusCode::OK)
    }

    fn delete(&self, name: &str) -> Response<Full<Bytes>> {
        empty(if lock(&self.files).remove(name).is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND })
    }
}
