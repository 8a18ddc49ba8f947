//! Metrics can be read at any time: counters never go back, states add up, and the names and forms are those that monitoring systems take.
//!
//! What could break it: a reading in the middle of a change that shows a green thread twice or makes a counter go back, or a name that says
//! something else in one form than in another.

mod support;

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Key, KeyName, Metadata, Recorder, SharedString, Unit, set_global_recorder,
};
use greenbridge::metrics::{Figure, Kind, Metrics};
use greenbridge::{call, call_blocking, channel, metrics, run, spawn, yield_now};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use support::{Process, child, child_on_processors, start};

#[test]
fn counters_never_go_back_and_nobody_is_counted_twice() {
    child_on_processors("reads_under_load", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn reads_under_load() {
    static DONE: AtomicBool = AtomicBool::new(false);
    start();
    #[allow(clippy::disallowed_methods, reason = "an OS thread reads while green threads run")]
    let reader = std::thread::spawn(|| {
        let mut last = counters(&metrics());
        let mut readings = 0_u64;
        while !DONE.load(Ordering::Acquire) {
            let now = metrics();
            for (name, value) in counters(&now) {
                let before = last.insert(name.clone(), value).unwrap_or(0);
                assert!(value >= before, "{name} went from {before} to {value}");
            }
            assert!(now.ready + now.running + now.in_c + now.parked < 100_000, "{now:?}");
            assert!(now.idle_processors <= now.processors && now.spare_threads <= now.threads, "{now:?}");
            readings += 1;
        }
        readings
    });
    run(|| {
        for _ in 0..20 {
            let (to, from) = channel::bounded::<usize>(4);
            let mut threads: Vec<_> = (0..50)
                .map(|n| {
                    let to = to.clone();
                    spawn(move || {
                        for _ in 0..20 {
                            to.send(call(|| n)).expect("there is a receiver");
                            yield_now();
                        }
                    })
                })
                .collect();
            drop(to);
            // SAFETY: it takes a number.
            threads.push(spawn(|| assert_eq!(call_blocking(|| unsafe { libc::usleep(10) }), 0)));
            assert_eq!(from.iter().count(), 1000);
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        }
    });
    DONE.store(true, Ordering::Release);
    assert!(reader.join().expect("no panic") > 0);
    let last = metrics();
    assert_eq!((last.spawned, last.finished), (20 * 51 + 1, 20 * 51 + 1));
    assert_eq!((last.ready, last.running, last.in_c, last.parked, last.stacks_in_use), (0, 0, 0, 0, 0));
}

/// All counters, by name and label, those of the histogram included.
fn counters(now: &Metrics) -> HashMap<String, u64> {
    let named = |figure: Figure| (format!("{}{:?}", figure.name, figure.label), figure.value);
    let counters = now.figures().into_iter().filter(|figure| figure.kind == Kind::Counter).map(named);
    let buckets = now.scheduling_latency.buckets().map(|(bound, count)| (format!("{bound:?}"), count));
    counters.chain(buckets).collect()
}

#[test]
fn the_text_is_in_the_form_of_prometheus() {
    child("writes_prometheus").succeeds();
}

#[test]
#[ignore = "child process"]
fn writes_prometheus() {
    start();
    run(|| (0..200).for_each(|_| spawn(|| ()).join().expect("no panic")));
    let now = metrics();
    let (mut types, mut seen, mut buckets) = (HashMap::new(), HashSet::new(), Vec::new());
    for line in now.to_prometheus().lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            let (what, name, kind) = (words.next(), words.next().expect("a name"), words.next().expect("more"));
            if what == Some("TYPE") {
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} stands in two places");
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let name = series.split('{').next().expect("a name");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(seen.insert(series.to_owned()), "{series} comes twice");
        let value: f64 = value.parse().expect("a number");
        let histogram = name.strip_prefix("greenbridge_scheduling_latency_seconds_");
        match histogram {
            Some("bucket") => buckets.push(value),
            Some(_) => {}
            None => assert_eq!(types[name] == "counter", name.ends_with("_total"), "{name}"),
        }
    }
    assert!(buckets.is_sorted() && buckets.last() == Some(&(now.scheduling_latency.count() as f64)), "{buckets:?}");
    assert!(now.scheduling_latency.count() > 0);
    assert_eq!(seen.len(), now.figures().len() + buckets.len() + 2);
    assert_eq!(types["greenbridge_scheduling_latency_seconds"], "histogram");
}

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<String, f64>>>, Arc<Mutex<HashSet<String>>>);

struct Series(Kept, String);

impl Series {
    fn is(&self, value: f64) {
        self.0.0.lock().expect("no panic").insert(self.1.clone(), value);
    }
}

impl CounterFn for Series {
    fn increment(&self, _: u64) {
        unreachable!("counters are absolute");
    }
    fn absolute(&self, value: u64) {
        self.is(value as f64);
    }
}

impl GaugeFn for Series {
    fn increment(&self, _: f64) {
        unreachable!("gauges are set");
    }
    fn decrement(&self, _: f64) {
        unreachable!("gauges are set");
    }
    fn set(&self, value: f64) {
        self.is(value);
    }
}

impl Kept {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Series(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }
    fn described(&self, name: &KeyName) {
        self.1.lock().expect("no panic").insert(name.as_str().to_owned());
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described(&name);
    }
    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described(&name);
    }
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        unreachable!("there are none");
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> ::metrics::Histogram {
        unreachable!("there are none");
    }
}

#[test]
fn a_recorder_of_the_crate_metrics_gets_every_figure() {
    child("records").succeeds();
}

#[test]
#[ignore = "child process"]
fn records() {
    let kept = Kept::default();
    assert!(set_global_recorder(kept.clone()).is_ok());
    start();
    metrics::describe();
    run(|| (0..200).for_each(|_| spawn(|| ()).join().expect("no panic")));
    metrics::record();
    let now = metrics();
    let series = kept.0.lock().expect("no panic").clone();
    assert_eq!(series["greenbridge_spawned_total{}"], 201.0);
    assert_eq!(series["greenbridge_green_threads{state=parked}"], 0.0);
    let samples = now.scheduling_latency.count() as f64;
    assert_eq!(series["greenbridge_scheduling_latency_seconds_bucket{le=+Inf}"], samples);
    assert_eq!(series.len(), now.figures().len() + now.scheduling_latency.buckets().count() + 2);
    let described = kept.1.lock().expect("no panic").clone();
    let undescribed: Vec<_> =
        series.keys().filter(|key| !described.contains(key.split('{').next().unwrap_or_default())).collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
}

/// The example, which Cargo builds beside the tests: `<target>/<profile>/examples`, the test being in `.../deps`.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the test lies in the folder of its profile");
    let example = profile.join("examples/metrics_server");
    assert!(example.exists(), "{} is missing: `cargo test` builds it, `cargo test --test` does not", example.display());
    example
}

#[test]
fn the_example_serves_the_figures() {
    let run = Process::program(&example()).run();
    run.succeeds()
        .prints("# TYPE greenbridge_turns_total counter")
        .prints("greenbridge_scheduling_latency_seconds_count ");
    let polls = run.stdout.lines().find_map(|line| line.strip_prefix("greenbridge_polls_total "));
    assert!(polls.is_some_and(|polls| polls != "0"), "a socket was waited for\n{run}");
}
