//! The trace-event format: one JSON object, whose `traceEvents` are `M` (names), `B` and `E` (a slice begins and ends), `s` and `f` (an arrow leaves
//! one slice and arrives in another). Tracks are threads: those of process 1 are workers, those of process 2 green threads. Times are
//! in microseconds, with the nanoseconds behind the point.

use super::timeline::{Mark, Timeline, Track};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

/// The track of the OS threads that are no workers, behind all of these.
const ELSEWHERE: u64 = 1 << 20;

pub(super) fn write(timeline: &Timeline, out: impl Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    out.write_all(b"{\"traceEvents\":[\n")?;
    let mut line = String::new();
    for (number, name) in [(1, "workers"), (2, "green threads")] {
        named(&mut line, "process_name", number, 0, name);
        out.write_all(line.as_bytes())?;
    }
    for (track, name) in timeline.tracks() {
        let (process, thread) = place(track);
        named(&mut line, "thread_name", process, thread, name);
        out.write_all(line.as_bytes())?;
    }
    for (&track, marks) in &timeline.tracks {
        for mark in marks {
            of_mark(&mut line, track, mark);
            out.write_all(line.as_bytes())?;
        }
    }
    // The last entry has no comma behind it.
    let last = format!(
        "{{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_labels\",\"args\":{{\"labels\":\"{} events, {} dropped\"}}}}\n],\n\
         \"displayTimeUnit\":\"ns\",\"otherData\":{{\"producer\":\"greenbridge\",\"events\":\"{}\",\"dropped\":\"{}\"}}}}\n",
        timeline.events, timeline.dropped, timeline.events, timeline.dropped
    );
    out.write_all(last.as_bytes())?;
    out.flush()
}

/// The numbers of the process and the thread.
fn place(track: Track) -> (u32, u64) {
    match track {
        Track::Worker(index) => (1, index as u64),
        Track::Elsewhere => (1, ELSEWHERE),
        Track::Green(id) => (2, id),
    }
}

fn named(line: &mut String, what: &str, process: u32, thread: u64, name: &str) {
    line.clear();
    let _ = write!(line, "{{\"ph\":\"M\",\"pid\":{process},\"tid\":{thread},\"name\":\"{what}\",\"args\":{{\"name\":");
    text(line, name);
    line.push_str("}},\n");
}

fn of_mark(line: &mut String, track: Track, mark: &Mark) {
    line.clear();
    let (process, thread) = place(track);
    let mut head = |kind: &str, at: Duration| {
        let (micros, nanos) = (at.as_micros(), at.subsec_nanos() % 1000);
        let _ = write!(line, "{{\"ph\":\"{kind}\",\"pid\":{process},\"tid\":{thread},\"ts\":{micros}.{nanos:03}");
    };
    match mark {
        Mark::Begin { at, name, kind, details } => {
            head("B", *at);
            let _ = write!(line, ",\"cat\":\"{}\",\"name\":", kind.name());
            text(line, name);
            particulars(line, details);
        }
        Mark::End { at, details } => {
            head("E", *at);
            particulars(line, details);
        }
        Mark::From { at, arrow } => {
            head("s", *at);
            let _ = write!(line, ",\"cat\":\"{0}\",\"name\":\"{0}\",\"id\":{1}", arrow.name, arrow.number);
        }
        Mark::To { at, arrow } => {
            head("f", *at);
            let _ = write!(line, ",\"bp\":\"e\",\"cat\":\"{0}\",\"name\":\"{0}\",\"id\":{1}", arrow.name, arrow.number);
        }
    }
    line.push_str("},\n");
}

fn particulars(line: &mut String, details: &[(&'static str, String)]) {
    line.push_str(",\"args\":{");
    for (index, (key, value)) in details.iter().enumerate() {
        let _ = write!(line, "{}\"{key}\":", if index == 0 { "" } else { "," });
        text(line, value);
    }
    line.push('}');
}

/// A JSON string.
fn text(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
}
