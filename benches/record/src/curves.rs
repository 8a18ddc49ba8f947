//! A plot of curves, as SVG.

use crate::numbers::short;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

/// What stands on the axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axes<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
}

/// A curve: its points, its name, its colour.
pub(crate) type Curve<'a> = (Vec<(f64, f64)>, &'a str, RGBColor);

/// Lines through points, both axes logarithmic.
pub(crate) fn draw_curves(path: &Path, axes: &Axes, curves: &[Curve]) -> Result<(), Box<dyn Error>> {
    let points = || curves.iter().flat_map(|(points, ..)| points).filter(|point| point.0 > 0.0 && point.1 > 0.0);
    let (Some(x), Some(y)) = (bounds(points().map(|point| point.0)), bounds(points().map(|point| point.1))) else {
        return Ok(());
    };
    // Above the curves there is room for their names.
    let top = y.1 * (y.1 / y.0).powf(0.45).max(1.25);
    let area = SVGBackend::new(path, (760, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(axes.title, ("sans-serif", 18))
        .margin(10)
        .margin_right(40)
        .x_label_area_size(45)
        .y_label_area_size(75)
        .build_cartesian_2d((x.0..x.1 * 1.1).log_scale(), (y.0 * 0.8..top).log_scale())?;
    let numbers = |value: &f64| short(*value);
    let mesh = &mut chart.configure_mesh();
    mesh.x_desc(axes.x).y_desc(axes.y).x_label_formatter(&numbers).y_label_formatter(&numbers);
    mesh.light_line_style(WHITE).bold_line_style(RGBColor(0xdd, 0xdd, 0xdd)).draw()?;
    for (points, name, colour) in curves.iter().filter(|(points, ..)| !points.is_empty()) {
        let colour = *colour;
        let line = chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        line.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
    }
    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).draw()?;
    area.present()?;
    Ok(())
}

/// The least and the most; `None` of nothing.
pub(crate) fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((f64::min(low, value), f64::max(high, value)))
    })
}
