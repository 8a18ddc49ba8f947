//! A timeline as a picture: a line for each track, a box for each slice, an arrow for each hand-off.

use greenbridge::trace::{SliceKind, Timeline, Track};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

const WIDTH: f64 = 1180.0;
/// Where time begins: to the left stand the names.
const LEFT: f64 = 170.0;
/// The height of a track.
const ROW: f64 = 26.0;
const TOP: f64 = 58.0;

fn colour(kind: SliceKind) -> &'static str {
    match kind {
        SliceKind::Running => "#5aa469",
        SliceKind::C => "#d9773c",
        SliceKind::Callback => "#8a63b8",
        SliceKind::Waiting => "#c9d3dd",
        SliceKind::Ready => "#f0c94c",
        SliceKind::HandOff => "#b3261e",
    }
}

/// Draws `timeline`.
pub(crate) fn draw(timeline: &Timeline) -> String {
    let scale = (WIDTH - LEFT - 10.0) / timeline.lasted().as_secs_f64();
    let x = |at: Duration| LEFT + at.as_secs_f64() * scale;
    let tracks: Vec<(Track, &str)> = timeline.tracks().collect();
    let height = TOP + ROW * tracks.len() as f64 + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#b3261e\"/></marker></defs>\n"
    );
    legend(&mut svg);
    let mut rows = HashMap::new();
    for (row, (track, name)) in tracks.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        rows.insert(*track, y + ROW / 2.0);
        line(&mut svg, &format!("<text x=\"8\" y=\"{:.1}\">{}</text>", y + 16.0, escaped(name)));
        line(&mut svg, &format!("<path d=\"M{LEFT} {:.1}H{WIDTH}\" stroke=\"#e4e4e4\"/>", y + ROW));
        for slice in timeline.slices(*track) {
            let (from, to) = (x(slice.begin), x(slice.end));
            // Inner slices are drawn lower, over the outer ones.
            let inset = (slice.depth as f64 * 5.0).min(ROW - 8.0);
            let details: String = slice.details.iter().map(|(key, value)| format!("\n{key}: {value}")).collect();
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"><title>{}</title></rect>",
                y + 3.0 + inset,
                (to - from).max(0.6),
                ROW - 6.0 - inset,
                colour(slice.kind),
                escaped(&format!("{}, {:.1?}{details}", slice.name, slice.end - slice.begin)),
            );
        }
    }
    for arrow in timeline.arrows() {
        if arrow.name == "hand-off" {
            let ((from, left), (to, arrived)) = (arrow.from, arrow.to);
            let (x1, y1, x2, y2) = (x(left), rows[&from], x(arrived), rows[&to]);
            let path =
                format!("<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#b3261e\" marker-end=\"url(#tip)\"/>");
            line(&mut svg, &path);
        }
    }
    axis(&mut svg, timeline.lasted(), height, x);
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let kinds = [
        SliceKind::Running,
        SliceKind::C,
        SliceKind::Callback,
        SliceKind::Waiting,
        SliceKind::Ready,
        SliceKind::HandOff,
    ];
    for (index, kind) in kinds.into_iter().enumerate() {
        let x = LEFT + 110.0 * index as f64;
        line(svg, &format!("<rect x=\"{x}\" y=\"14\" width=\"14\" height=\"14\" fill=\"{}\"/>", colour(kind)));
        line(svg, &format!("<text x=\"{}\" y=\"25\">{}</text>", x + 20.0, kind.name()));
    }
}

/// A mark for each millisecond, or for each ten.
fn axis(svg: &mut String, lasted: Duration, height: f64, x: impl Fn(Duration) -> f64) {
    let step = if lasted > Duration::from_millis(30) { 10 } else { 1 };
    for millis in (0..=lasted.as_millis() as u64).step_by(step) {
        let at = x(Duration::from_millis(millis));
        line(svg, &format!("<path d=\"M{at:.1} {}V{}\" stroke=\"#999999\"/>", height - 30.0, height - 24.0));
        line(svg, &format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{millis} ms</text>", height - 10.0));
    }
}

fn line(svg: &mut String, text: &str) {
    svg.push_str(text);
    svg.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
