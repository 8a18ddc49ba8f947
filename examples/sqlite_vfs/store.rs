//! The client of the object store: an async HTTP client on tokio, asked from wherever a caller stands.
//!
//! Each function sends one request and waits for the answer with [`greenbridge::block_on`]: on a green thread, also in a callback
//! from C, only that waits; on an OS thread, the thread blocks. So one and the same file system serves all ways of the comparison.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;

/// The store did not do what it was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed;

pub(crate) struct Store {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

impl Store {
    /// The store at `address`.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), address }
    }

    /// The size of a file, if there is one.
    pub(crate) fn size(&self, name: &str) -> Result<Option<u64>, Failed> {
        let response = self.ask(Method::HEAD, name, None, Bytes::new())?;
        match response.status {
            StatusCode::OK => Ok(Some(response.length)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(Failed),
        }
    }

    /// What a file has from `offset` on, at most `amount` bytes.
    pub(crate) fn read(&self, name: &str, offset: u64, amount: usize) -> Result<Bytes, Failed> {
        let range = (RANGE, format!("bytes={offset}-{}", offset + amount as u64 - 1));
        let response = self.ask(Method::GET, name, Some(range), Bytes::new())?;
        match response.status {
            StatusCode::PARTIAL_CONTENT => Ok(response.body),
            // Nothing of that range is there.
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_FOUND => Ok(Bytes::new()),
            _ => Err(Failed),
        }
    }

    /// Writes into a file, which it makes if need be.
    pub(crate) fn write(&self, name: &str, offset: u64, bytes: Vec<u8>) -> Result<(), Failed> {
        let range = (CONTENT_RANGE, format!("bytes {offset}-{}/*", offset + bytes.len() as u64 - 1));
        self.ask(Method::PUT, name, Some(range), bytes.into())?.done()
    }

    /// Cuts a file to `size`.
    pub(crate) fn truncate(&self, name: &str, size: u64) -> Result<(), Failed> {
        self.ask(Method::PATCH, name, Some((CONTENT_RANGE, size.to_string())), Bytes::new())?.done()
    }

    /// Removes a file.
    pub(crate) fn delete(&self, name: &str) -> Result<(), Failed> {
        self.ask(Method::DELETE, name, None, Bytes::new())?.done()
    }

    /// Sends a request and waits for the whole answer.
    fn ask(
        &self,
        method: Method,
        name: &str,
        header: Option<(hyper::header::HeaderName, String)>,
        body: Bytes,
    ) -> Result<Answer, Failed> {
        let mut request = Request::builder().method(method).uri(format!("http://{}/{name}", self.address));
        if let Some((header, value)) = header {
            request = request.header(header, value);
        }
        let request = request.body(Full::new(body)).map_err(|_| Failed)?;
        greenbridge::block_on(async {
            let response = self.client.request(request).await.map_err(|_| Failed)?;
            Answer::read(response).await
        })
    }
}

struct Answer {
    status: StatusCode,
    /// What the header says, also where there is no body.
    length: u64,
    body: Bytes,
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Result<Self, Failed> {
        let status = response.status();
        let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await.map_err(|_| Failed)?.to_bytes();
        Ok(Self { status, length: length.unwrap_or(0), body })
    }

    fn done(self) -> Result<(), Failed> {
        if self.status.is_success() { Ok(()) } else { Err(Failed) }
    }
}
