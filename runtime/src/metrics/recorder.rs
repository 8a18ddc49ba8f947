//! The figures for the crate `metrics`, whose recorder passes them on to whatever the program has installed.

use super::Figure;
use super::figures::{Kind, LATENCY, LATENCY_HELP};
use super::metrics as read;
use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

/// Describes every figure to the recorder that is installed. Once, after it has been installed.
///
/// # Panics
/// If the runtime has not been started.
pub fn describe() {
    for Figure { name, help, kind, .. } in read().figures() {
        let unit = if name.contains("_bytes") { Unit::Bytes } else { Unit::Count };
        match kind {
            Kind::Counter => describe_counter!(name, unit, help),
            Kind::Gauge => describe_gauge!(name, unit, help),
        }
    }
    describe_counter!(format!("{LATENCY}_bucket"), Unit::Count, LATENCY_HELP);
    describe_counter!(format!("{LATENCY}_count"), Unit::Count, LATENCY_HELP);
    describe_gauge!(format!("{LATENCY}_sum"), Unit::Seconds, LATENCY_HELP);
}

/// Gives the recorder that is installed the figures of now: counters as absolute values, gauges as they are. The histogram comes as counters with
/// a label `le`, each of what was at most that long, as Prometheus has them: the crate's own histograms take samples, and these are counts.
///
/// Nobody calls it by itself. A scrape handler calls it first, or a green thread every some seconds.
///
/// # Panics
/// If the runtime has not been started.
///
/// # Examples
/// ```no_run
/// use greenbridge_runtime::time;
/// use std::time::Duration;
///
/// // ... the program has installed a recorder, and started the runtime.
/// greenbridge_runtime::metrics::describe();
/// greenbridge_runtime::spawn(|| {
///     loop {
///         greenbridge_runtime::metrics::record();
///         time::sleep(Duration::from_secs(10));
///     }
/// });
/// ```
pub fn record() {
    let now = read();
    for Figure { name, label, kind, value, .. } in now.figures() {
        let labels: Vec<Label> = label.into_iter().map(|(name, of)| Label::from_static_parts(name, of)).collect();
        match kind {
            Kind::Counter => counter!(name, labels).absolute(value),
            Kind::Gauge => gauge!(name, labels).set(value as f64),
        }
    }
    let mut below = 0;
    for (bound, count) in now.scheduling_latency.buckets() {
        below += count;
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
        counter!(format!("{LATENCY}_bucket"), vec![Label::new("le", bound)]).absolute(below);
    }
    counter!(format!("{LATENCY}_count")).absolute(below);
    gauge!(format!("{LATENCY}_sum")).set(now.scheduling_latency.sum().as_secs_f64());
}
