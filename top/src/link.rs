//! The connection to the process: lines of JSON in both directions, as `runtime/src/observer/protocol.rs` describes them.
//!
//! An OS thread reads, so that keys are answered while a long dump comes in.

use greenbridge_runtime::dump::Dump;
use serde::Deserialize;
use serde_json::json;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

/// What the process says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Message {
    Hello { greenbridge: String, process: u32, program: Option<String> },
    Metrics { metrics: Vec<Figure>, latency_us: Latency },
    Dump { dump: Box<Dump> },
    Error { error: String },
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) is_counter: bool,
    pub(crate) value: u64,
}

/// How long ready green threads wait for their turn, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
}

pub(crate) struct Link {
    stream: UnixStream,
    messages: Receiver<io::Result<Message>>,
}

impl Link {
    pub(crate) fn connect(path: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        let lines = BufReader::new(stream.try_clone()?).lines();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let message = line.and_then(|line| serde_json::from_str(&line).map_err(io::Error::from));
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Self { stream, messages })
    }

    /// Asks for the metrics and a dump.
    pub(crate) fn ask_once(&mut self) -> io::Result<()> {
        self.stream.write_all(b"{\"request\":\"metrics\"}\n{\"request\":\"dump\"}\n")
    }

    /// Asks for both again and again.
    pub(crate) fn watch(&mut self, every: Duration) -> io::Result<()> {
        let request = json!({ "request": "watch", "every_ms": every.as_millis() as u64, "dump": true });
        self.stream.write_all(format!("{request}\n").as_bytes())
    }

    /// Waits for the next message.
    pub(crate) fn next(&mut self) -> io::Result<Message> {
        self.messages.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// The next message, if it has come.
    pub(crate) fn waiting(&mut self) -> io::Result<Option<Message>> {
        match self.messages.try_recv() {
            Ok(message) => message.map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(gone()),
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the process has ended, or has closed the connection")
}
