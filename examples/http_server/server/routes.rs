//! What the server answers.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | `Hello, World!` |
//! | `POST /echo` | the body |
//! | `GET /slow/N` | `slept`, after N milliseconds: the green thread sleeps, and nobody waits with it |
//! | `GET /status` | what the system says of the process: a file, read through `blocking` |

use greenbridge::{blocking, time};
use std::borrow::Cow;
use std::fs;
use std::time::Duration;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Hello,
    Echo,
    Slow(u16),
    Status,
    /// There is such a place, for other methods.
    WrongMethod,
    Unknown,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Cow<'static, [u8]>,
}

impl Route {
    /// The route of a request line.
    pub(crate) fn of(method: &str, target: &str) -> Self {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let (route, methods): (_, &[&str]) = match path {
            "/" => (Self::Hello, &["GET", "HEAD"]),
            "/echo" => (Self::Echo, &["POST"]),
            "/status" => (Self::Status, &["GET", "HEAD"]),
            _ => match path.strip_prefix("/slow/").and_then(|time| time.parse().ok()) {
                Some(milliseconds) => (Self::Slow(milliseconds), &["GET", "HEAD"]),
                None => return Self::Unknown,
            },
        };
        if methods.contains(&method) { route } else { Self::WrongMethod }
    }

    /// Whether the answer takes a while, so that what is ready should be sent first.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Slow(_) | Self::Status)
    }

    /// The answer to a request with this body.
    pub(crate) fn answer(self, body: Vec<u8>) -> Answer {
        match self {
            Self::Hello => Answer { status: 200, body: b"Hello, World!".into() },
            Self::Echo => Answer { status: 200, body: body.into() },
            Self::Slow(milliseconds) => {
                time::sleep(Duration::from_millis(milliseconds.into()));
                Answer { status: 200, body: b"slept".into() }
            }
            Self::Status => match blocking(|| fs::read("/proc/self/status")) {
                Ok(text) => Answer { status: 200, body: text.into() },
                Err(_) => Answer { status: 500, body: Cow::default() },
            },
            Self::WrongMethod => Answer { status: 405, body: Cow::default() },
            Self::Unknown => Answer { status: 404, body: Cow::default() },
        }
    }
}
