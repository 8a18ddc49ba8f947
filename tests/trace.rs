//! A timeline in the trace-event format keeps the format's rules, and tells what has happened: who ran where, who was in C, who waited for what,
//! and which processor went where.
//!
//! What could break it: a slice that ends on another track than it began on, or never; times that go back; an arrow with one end; an event that
//! is lost without being counted.

mod support;

use greenbridge::trace::{self, Options, SliceKind, Timeline, Track};
use greenbridge::{
    Builder, JoinHandle, Start, ThreadBuilder, call, call_blocking, call_errno, channel, export, pin, run, spawn,
    yield_now,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{Process, child, child_on_processors, keep_busy_until, pause, start, start_with};

const GREENBRIDGE: Start = Start::by_rust();

/// Waits for a green thread.
#[export]
pub extern "C" fn trace_wait(n: c_int) -> c_int {
    spawn(move || n + 1).join().expect("no panic")
}

/// Stands for C.
extern "C" fn twice(callback: extern "C" fn(c_int) -> c_int, n: c_int) -> c_int {
    callback(callback(n))
}

fn named<T: Send + 'static>(name: &str, f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    ThreadBuilder::new().name(name).spawn(f)
}

/// Records `body`, which runs as the green thread "first".
fn record<T: Send + 'static>(options: Options, body: impl FnOnce() -> T + Send + 'static) -> (Timeline, T) {
    trace::start(options);
    assert!(trace::is_recording());
    let value = named("first", body).join().expect("no panic");
    let timeline = trace::stop().expect("it was started");
    assert!(!trace::is_recording() && trace::stop().is_none());
    check(&timeline);
    (timeline, value)
}

/// The slices of the green thread of that name.
fn slices(timeline: &Timeline, name: &str) -> Vec<trace::Slice> {
    let is_it = |(track, of): &(Track, &str)| matches!(track, Track::Green(_)) && of.split(" #").next() == Some(name);
    let (track, _) = timeline.tracks().find(is_it).unwrap_or_else(|| panic!("{name} has no track in {timeline:?}"));
    timeline.slices(track)
}

/// What the format asks for. Returns how often each kind of event occurs.
fn check(timeline: &Timeline) -> BTreeMap<String, usize> {
    let mut json = Vec::new();
    timeline.write_json(&mut json).expect("a Vec takes everything");
    check_json(&json)
}

fn check_json(json: &[u8]) -> BTreeMap<String, usize> {
    let trace: Value = serde_json::from_slice(json).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("the events");
    let mut kinds = BTreeMap::new();
    let mut named = BTreeSet::new();
    let mut open: HashMap<(u64, u64), Vec<(f64, String)>> = HashMap::new();
    let mut last: HashMap<(u64, u64), f64> = HashMap::new();
    let mut arrows: HashMap<u64, Vec<(String, f64, String)>> = HashMap::new();
    for event in events {
        let kind = event["ph"].as_str().expect("each has a kind").to_owned();
        let track = (event["pid"].as_u64().expect("a process"), event["tid"].as_u64().expect("a thread"));
        *kinds.entry(kind.clone()).or_default() += 1;
        if kind == "M" {
            let is_known =
                ["process_name", "thread_name", "process_labels"].contains(&event["name"].as_str().expect("a name"));
            assert!(is_known && event["args"].is_object(), "{event}");
            if event["name"] == "thread_name" {
                assert!(named.insert(track), "{track:?} is named twice");
            }
            continue;
        }
        let at = event["ts"].as_f64().expect("each has a time");
        assert!(named.contains(&track), "{track:?} has no name");
        let before = last.insert(track, at).unwrap_or(0.0);
        assert!(at >= before, "{track:?}: {event} comes after {before}");
        let stack = open.entry(track).or_default();
        let category = || event["cat"].as_str().expect("a category").to_owned();
        match kind.as_str() {
            "B" => {
                let known = ["running", "c", "callback", "waiting", "ready", "hand-off"];
                assert!(
                    known.contains(&category().as_str()) && !event["name"].as_str().expect("a name").is_empty(),
                    "{event}"
                );
                stack.push((at, category()));
            }
            "E" => assert!(stack.pop().is_some(), "{track:?}: {event} ends nothing"),
            "s" | "f" => {
                assert!(["wake", "spawn", "hand-off"].contains(&category().as_str()), "{event}");
                assert!(!stack.is_empty(), "{track:?}: an arrow without a slice: {event}");
                let number = event["id"].as_u64().expect("an arrow has a number");
                arrows.entry(number).or_default().push((kind.clone(), at, category()));
            }
            other => panic!("unknown kind {other}: {event}"),
        }
    }
    let without_end: Vec<_> = open.iter().filter(|(_, stack)| !stack.is_empty()).collect();
    assert!(without_end.is_empty(), "{without_end:?}");
    for (number, mut ends) in arrows {
        ends.sort_by(|one, other| other.0.cmp(&one.0));
        let [(from, left, category), (to, arrived, other)] = &ends[..] else { panic!("arrow {number}: {ends:?}") };
        assert!(from == "s" && to == "f" && left <= arrived && category == other, "arrow {number}: {ends:?}");
    }
    kinds
}

#[test]
fn waits_calls_and_callbacks_are_told_with_their_places() {
    child("tells_what_happens").succeeds();
}

#[test]
#[ignore = "child process"]
fn tells_what_happens() {
    start_with(Builder::new().processors(1));
    let (timeline, line) = record(Options::new(), || {
        let (to, from) = channel::bounded::<c_int>(1);
        let line = line!() + 1;
        let reader = named("reader", move || from.recv());
        yield_now();
        to.send(1).expect("there is a receiver");
        assert_eq!(reader.join().expect("no panic"), Ok(1));
        assert_eq!(call(|| twice(trace_wait, 0)), 2);
        assert_eq!(call_errno(|| twice(trace_wait, 1)), (3, 0));
        line
    });
    assert_eq!(timeline.dropped(), 0);
    let reader = slices(&timeline, "reader");
    let kinds: Vec<_> = reader.iter().map(|slice| slice.kind).collect();
    use SliceKind::{C, Callback, Ready, Running, Waiting};
    assert_eq!(kinds, [Ready, Running, Waiting, Ready, Running], "{reader:?}");
    assert_eq!(reader[2].name, "waits for a message");
    assert!(reader[2].details[0].1.starts_with(&format!("tests/trace.rs:{line}:")), "{reader:?}");
    // A callback lies in its C call, and its wait in the callback.
    let first = slices(&timeline, "first");
    let c: Vec<_> = first.iter().filter(|slice| slice.kind == C).collect();
    assert_eq!(c.len(), 2, "{first:?}");
    for slice in c {
        assert!(slice.name.starts_with("C in trace::tells_what_happens"), "{slice:?}");
        assert_eq!(slice.details[0].1, "call");
        assert!(slice.details[1].1.starts_with("tests/trace.rs:"), "{slice:?}");
        let within: Vec<_> = first
            .iter()
            .filter(|inner| inner.begin >= slice.begin && inner.end <= slice.end && inner.depth > 0)
            .collect();
        let callbacks: Vec<_> = within.iter().filter(|inner| inner.kind == Callback).collect();
        assert_eq!(callbacks.len(), 2, "{within:?}");
        assert!(callbacks.iter().all(|inner| inner.name == "callback trace_wait" && inner.depth == 1));
        let waits: Vec<_> = within.iter().filter(|inner| inner.kind == Waiting).collect();
        assert!(waits.len() == 2 && waits.iter().all(|wait| wait.depth == 2), "{within:?}");
        assert!(waits.iter().all(|wait| wait.name == "waits for the end of another green thread"));
    }
    // Whoever was woken or spawned is pointed to.
    let arrows = timeline.arrows();
    assert!(arrows.iter().filter(|arrow| arrow.name == "spawn").count() >= 5, "{arrows:?}");
    assert!(arrows.iter().filter(|arrow| arrow.name == "wake").count() >= 5, "{arrows:?}");
}

#[test]
fn hand_offs_are_told() {
    child("tells_hand_offs").succeeds();
}

#[test]
#[ignore = "child process"]
fn tells_hand_offs() {
    static IS_IN_C: AtomicBool = AtomicBool::new(false);
    static GO_ON: AtomicBool = AtomicBool::new(false);
    start_with(Builder::new().processors(1));
    let (timeline, ()) = record(Options::new(), || {
        // The monitor takes the processor.
        let long = named("long", || {
            call(|| {
                IS_IN_C.store(true, Ordering::Release);
                keep_busy_until(|| GO_ON.load(Ordering::Acquire));
            });
        });
        while !IS_IN_C.load(Ordering::Acquire) {
            yield_now();
        }
        GO_ON.store(true, Ordering::Release);
        long.join().expect("no panic");
        // It is given up at once, as somebody waits for it.
        let other = spawn(|| ());
        // SAFETY: it takes a number.
        assert_eq!(call_blocking(|| unsafe { libc::usleep(100) }), 0);
        other.join().expect("no panic");
        // A pin that forces a move.
        let (to, from) = channel::bounded::<()>(1);
        let pinned = named("pinned", move || {
            let _pin = pin();
            from.recv()
        });
        yield_now();
        drop(pin());
        to.send(()).expect("there is a receiver");
        assert!(pinned.join().expect("no panic").is_ok());
    });
    let told: Vec<_> = timeline.tracks().flat_map(|(track, _)| timeline.slices(track)).collect();
    for why in ["its worker is long in C", "this OS thread blocks", "a green thread must be pinned elsewhere"] {
        let is_told =
            told.iter().any(|slice| slice.kind == SliceKind::HandOff && slice.details.iter().any(|(_, of)| of == why));
        assert!(is_told, "{why}: {told:?}");
    }
    assert!(slices(&timeline, "first").iter().any(|slice| slice.name == "moves, to be pinned elsewhere"));
    let long = slices(&timeline, "long");
    let c = long.iter().find(|slice| slice.kind == SliceKind::C).expect("it was in C");
    assert!(c.details.contains(&("processor", "went to others".to_owned())), "{long:?}");
    let hand_offs: Vec<_> = timeline.arrows().into_iter().filter(|arrow| arrow.name == "hand-off").collect();
    assert!(hand_offs.len() >= 3, "{hand_offs:?}");
}

#[test]
fn a_timeline_of_much_at_once_keeps_the_rules_of_the_format() {
    child_on_processors("records_much_at_once", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn records_much_at_once() {
    start();
    let much = || {
        let threads: Vec<_> = (0..50)
            .map(|n| {
                spawn(move || {
                    for _ in 0..10 {
                        assert_eq!(call(|| twice(trace_wait, n)), n + 2);
                        yield_now();
                        // SAFETY: it takes a number.
                        call_blocking(|| unsafe { libc::usleep(1) });
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    };
    let (timeline, ()) = record(Options::new(), much);
    assert!(timeline.dropped() == 0 && timeline.events() > 5000, "{timeline:?}");
    assert!(check(&timeline)["B"] > 5000);
    // A buffer that is full drops, says so, and leaves a trace that keeps the rules.
    let (timeline, ()) = record(Options::new().events_per_thread(100), much);
    assert!(timeline.dropped() > 0, "{timeline:?}");
    // Begun and ended in the middle of things.
    let going_on = spawn(much);
    for _ in 0..5 {
        trace::start(Options::new());
        pause(Duration::from_millis(2));
        check(&trace::stop().expect("it was started"));
    }
    going_on.join().expect("no panic");
}

#[test]
fn a_timeline_is_recorded_in_real_time_and_nothing_outside_of_it() {
    child("records_between_start_and_stop").succeeds();
}

#[test]
#[ignore = "child process"]
fn records_between_start_and_stop() {
    start();
    assert!(trace::stop().is_none());
    run(|| spawn(|| ()).join()).expect("no panic");
    trace::start(Options::new());
    let empty = trace::stop().expect("it was started");
    assert_eq!((empty.events(), empty.tracks().count()), (0, 0));
    check(&empty);
    let (timeline, ()) = record(Options::new(), || greenbridge::time::sleep(Duration::from_millis(5)));
    let wait =
        slices(&timeline, "first").into_iter().find(|slice| slice.kind == SliceKind::Waiting).expect("it has slept");
    assert!(wait.end - wait.begin >= Duration::from_millis(4) && wait.end <= timeline.lasted(), "{wait:?}");
    // Names and places that JSON must escape.
    let (timeline, ()) = record(Options::new(), || named("a \"quoted\" \\ name\n", || ()).join().expect("no panic"));
    let mut json = Vec::new();
    timeline.write_json(&mut json).expect("a Vec takes everything");
    let trace: Value = serde_json::from_slice(&json).expect("it is JSON");
    let names =
        trace["traceEvents"].as_array().expect("the events").iter().filter_map(|event| event["args"]["name"].as_str());
    assert!(names.into_iter().any(|name| name.starts_with("a \"quoted\" \\ name\n #")));
}

/// The example, which Cargo builds beside the tests: `<target>/<profile>/examples`, the test being in `.../deps`.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the test lies in the folder of its profile");
    let example = profile.join("examples/timeline");
    assert!(example.exists(), "{} is missing: `cargo test` builds it, `cargo test --test` does not", example.display());
    example
}

#[test]
fn the_example_draws_what_it_records() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (json, svg) = (folder.join("timeline.json"), folder.join("timeline.svg"));
    let run = Process::program(&example()).arg(&json.display().to_string()).arg(&svg.display().to_string()).run();
    run.succeeds().prints(" 0 dropped").prints("call_blocking at ").prints("in timeline_look_up");
    let kinds = check_json(&std::fs::read(json).expect("it was written"));
    let picture = std::fs::read_to_string(svg).expect("it was written");
    let boxes = picture.matches("<rect ").count();
    // The paper and the legend are boxes, too.
    assert_eq!(boxes, kinds["B"] + 7, "{run}");
    assert!(picture.matches("marker-end").count() > 0 && picture.contains("callback timeline_look_up"));
}
