//! What observers say and are told: a line of JSON each.
//!
//! | line | answer |
//! |---|---|
//! | (on connecting) | `{"greenbridge":"0.1.0","process":4711,"program":"server"}` |
//! | `{"request":"metrics"}` | `{"metrics":[{"name":"greenbridge_processors","is_counter":false,"value":2}, ...],"latency_us":{"p50":1.0,"p99":4.1,"count":9}}`: what `Metrics::figures` lists, and within which time a ready green thread runs |
//! | `{"request":"dump"}` | `{"dump":{...}}`: the fields of `Dump` |
//! | `{"request":"watch","every_ms":1000,"dump":true}` | the metrics now and every so often, and with `dump` a dump each time, until the next watch |
//! | `{"request":"unwatch"}` | nothing more |
//! | anything else | `{"error":"..."}` |
//!
//! Fields may be added in later versions; a reader passes over those that it does not know.

use crate::metrics::{Figure, Kind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// The shortest time between two answers of a watch.
const SHORTEST: u64 = 10;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    Metrics,
    Dump,
    Watch(Watch),
    Unwatch,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) every: Duration,
    pub(super) dump: bool,
}

#[derive(Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
enum Line {
    Metrics,
    Dump,
    Watch {
        every_ms: u64,
        #[serde(default)]
        dump: bool,
    },
    Unwatch,
}

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Result<Request, String> {
    match serde_json::from_slice(line) {
        Ok(Line::Metrics) => Ok(Request::Metrics),
        Ok(Line::Dump) => Ok(Request::Dump),
        Ok(Line::Watch { every_ms: 0..SHORTEST, .. }) => Err(format!("every_ms: at least {SHORTEST}")),
        Ok(Line::Watch { every_ms, dump }) => {
            Ok(Request::Watch(Watch { every: Duration::from_millis(every_ms), dump }))
        }
        Ok(Line::Unwatch) => Ok(Request::Unwatch),
        Err(error) => Err(error.to_string()),
    }
}

/// The first line.
pub(super) fn hello() -> Vec<u8> {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
    line(&json!({ "greenbridge": env!("CARGO_PKG_VERSION"), "process": std::process::id(), "program": program }))
}

pub(super) fn metrics() -> Vec<u8> {
    let metrics = crate::metrics();
    let latency = &metrics.scheduling_latency;
    let bound = |part| latency.quantile(part).map(|time| time.as_secs_f64() * 1e6);
    let figures = metrics.figures().into_iter().map(|Figure { name, label, kind, value, .. }| {
        let name = label.map_or_else(|| name.to_owned(), |(label, of)| format!("{name}{{{label}=\"{of}\"}}"));
        json!({ "name": name, "is_counter": kind == Kind::Counter, "value": value })
    });
    line(&json!({
        "metrics": figures.collect::<Vec<_>>(),
        "latency_us": { "p50": bound(0.5), "p99": bound(0.99), "count": latency.count() },
    }))
}

pub(super) fn dump() -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer {
        dump: crate::dump::Dump,
    }
    line(&Answer { dump: crate::dump::dump() })
}

pub(super) fn error(error: &str) -> Vec<u8> {
    line(&json!({ "error": error }))
}

fn line(answer: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).expect("plain values");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_what_is_wrong_is_named() {
        assert_eq!(parse(b"{\"request\":\"metrics\"}\n"), Ok(Request::Metrics));
        assert_eq!(parse(b" {\"request\":\"dump\",\"later\":1}\r\n"), Ok(Request::Dump));
        let watch = Watch { every: Duration::from_millis(250), dump: true };
        assert_eq!(parse(b"{\"request\":\"watch\",\"every_ms\":250,\"dump\":true}"), Ok(Request::Watch(watch)));
        for (line, word) in [
            (&b"metrics"[..], "expected value"),
            (b"{\"request\":\"memory\"}", "memory"),
            (b"{\"request\":\"watch\"}", "every_ms"),
            (b"{\"request\":\"watch\",\"every_ms\":1}", "at least 10"),
            (b"\xff", "expected value"),
        ] {
            assert!(parse(line).is_err_and(|error| error.contains(word)), "{line:?}");
        }
    }
}
