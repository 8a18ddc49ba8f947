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

use super::json::{Value, flat_object, line};
use crate::metrics::{Figure, Kind};
use serde::Serialize;
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

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Result<Request, String> {
    let fields = str::from_utf8(line).ok().and_then(flat_object);
    let fields = fields.ok_or("a request is an object of JSON with texts, whole numbers and switches")?;
    let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|&(_, value)| value);
    match field("request") {
        Some(Value::Text("metrics")) => Ok(Request::Metrics),
        Some(Value::Text("dump")) => Ok(Request::Dump),
        Some(Value::Text("watch")) => match field("every_ms") {
            Some(Value::Number(every_ms)) if every_ms >= SHORTEST => {
                let dump = field("dump") == Some(Value::Switch(true));
                Ok(Request::Watch(Watch { every: Duration::from_millis(every_ms), dump }))
            }
            _ => Err(format!("every_ms: at least {SHORTEST}")),
        },
        Some(Value::Text("unwatch")) => Ok(Request::Unwatch),
        Some(Value::Text(other)) => Err(format!("{other}: there is no such request")),
        _ => Err("the field `request` is missing".to_owned()),
    }
}

/// The first line.
pub(super) fn hello() -> Vec<u8> {
    #[derive(Serialize)]
    struct Hello {
        greenbridge: &'static str,
        process: u32,
        program: Option<String>,
    }
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    line(&Hello { greenbridge: env!("CARGO_PKG_VERSION"), process: std::process::id(), program })
}

pub(super) fn metrics() -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer {
        metrics: Vec<Named>,
        latency_us: Latency,
    }
    #[derive(Serialize)]
    struct Named {
        name: String,
        is_counter: bool,
        value: u64,
    }
    #[derive(Serialize)]
    struct Latency {
        p50: Option<f64>,
        p99: Option<f64>,
        count: u64,
    }
    let metrics = crate::metrics();
    let latency = &metrics.scheduling_latency;
    let bound = |part| latency.quantile(part).map(|time| time.as_secs_f64() * 1e6);
    let figures = metrics.figures().into_iter().map(|Figure { name, label, kind, value, .. }| Named {
        name: label.map_or_else(|| name.to_owned(), |(label, of)| format!("{name}{{{label}=\"{of}\"}}")),
        is_counter: kind == Kind::Counter,
        value,
    });
    let latency_us = Latency { p50: bound(0.5), p99: bound(0.99), count: latency.count() };
    line(&Answer { metrics: figures.collect(), latency_us })
}

pub(super) fn dump() -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer {
        dump: crate::dump::Dump,
    }
    line(&Answer { dump: crate::dump::dump() })
}

pub(super) fn error(error: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer<'a> {
        error: &'a str,
    }
    line(&Answer { error })
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
            (&b"metrics"[..], "an object of JSON"),
            (b"{}", "is missing"),
            (b"{\"request\":\"memory\"}", "memory"),
            (b"{\"request\":\"watch\"}", "every_ms"),
            (b"{\"request\":\"watch\",\"every_ms\":1}", "at least 10"),
            (b"\xff", "an object of JSON"),
        ] {
            assert!(parse(line).is_err_and(|error| error.contains(word)), "{line:?}");
        }
    }
}
