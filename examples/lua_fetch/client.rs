//! The client: an async one on tokio, asked from wherever a caller stands.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper_util::client::legacy::{Client as Http, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

/// An HTTP client with its connections.
pub(crate) struct Client(Http<HttpConnector, Empty<Bytes>>);

impl Client {
    /// A client without connections.
    pub(crate) fn new() -> Self {
        Self(Http::builder(TokioExecutor::new()).build_http())
    }

    /// What lies at `url`. On a green thread, also in a callback from C, only that waits; on an OS thread, the thread blocks. So one and
    /// the same client serves all ways of the comparison.
    ///
    /// # Errors
    /// A sentence that names the URL.
    pub(crate) fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let uri: Uri = url.parse().map_err(|error| format!("fetch `{url}`: {error}"))?;
        greenbridge::block_on(async {
            let response = self.0.get(uri).await.map_err(|error| format!("fetch {url}: {error}"))?;
            if !response.status().is_success() {
                return Err(format!("fetch {url}: {}", response.status()));
            }
            let body = response.into_body().collect().await.map_err(|error| format!("fetch {url}: {error}"))?;
            Ok(body.to_bytes().into())
        })
    }
}
