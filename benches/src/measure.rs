//! How a row measures and prints its figures.

use crate::command::Settings;
use std::time::Instant;

/// Prints one figure.
pub(crate) fn put(figure: &str, value: f64, unit: &str) {
    println!("{figure} {value:.6} {unit}");
}

/// Warms up with a tenth of the operations, then prints the nanoseconds per operation over all `operations`. `body` is
/// given the number of operations to do.
pub(crate) fn per_operation(settings: Settings, row: &str, operations: usize, mut body: impl FnMut(usize)) {
    let n = settings.scaled(operations);
    body((n / 10).max(1));
    let start = Instant::now();
    body(n);
    put(row, start.elapsed().as_nanos() as f64 / n as f64, "ns");
}

/// The median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the median and the 99th percentile.
pub(crate) fn quantiles(row: &str, mut values: Vec<f64>, unit: &str) {
    values.sort_by(f64::total_cmp);
    put(&format!("{row}.p50"), values[values.len() / 2], unit);
    put(&format!("{row}.p99"), values[values.len() * 99 / 100], unit);
}
