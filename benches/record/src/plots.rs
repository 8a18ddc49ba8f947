//! The plots, as SVG.

use crate::curves::{Axes, bounds, draw_curves};
use crate::figures::Figures;
use crate::numbers::short;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

type Drawing<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The programs, in the order of the bars, each with its colour.
const PROGRAMS: [(&str, &str, RGBColor); 5] = [
    ("greenbridge", "Greenbridge", RGBColor(0x1b, 0x7f, 0x3b)),
    ("go", "Go", RGBColor(0x00, 0x9a, 0xcf)),
    ("may", "may", RGBColor(0xd9, 0x8e, 0x04)),
    ("tokio", "tokio", RGBColor(0xb0, 0x3a, 0x5b)),
    ("floor", "floor", RGBColor(0x9a, 0x9a, 0x9a)),
];

/// Our curves of growth: the row, what it is, and its colour.
const GROWTH: [(&str, &str, RGBColor); 5] = [
    ("growth_yield", "yield", RGBColor(0x1b, 0x7f, 0x3b)),
    ("growth_spawn", "spawn and join", RGBColor(0x00, 0x9a, 0xcf)),
    ("growth_wake", "wake", RGBColor(0xd9, 0x8e, 0x04)),
    ("growth_sleep", "sleep", RGBColor(0xb0, 0x3a, 0x5b)),
    ("growth_foreign", "callback from a C thread", RGBColor(0x60, 0x60, 0x60)),
];

/// Draws all plots that there are figures for.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn draw(folder: &Path, figures: &Figures) -> Result<(), String> {
    let bars = |file, title, rows: &[&str]| draw_bars(&folder.join(file), title, rows, figures);
    let drawn = || -> Result<(), Box<dyn Error>> {
        bars(
            "calls.svg",
            "Calling C and being called: ns per operation",
            &["c_call", "c_callback", "c_call_callback", "c_par_callback", "c_thread_callback", "c_thread_first"],
        )?;
        bars(
            "switching.svg",
            "Switching and messages: ns per operation",
            &["yield1", "yield1000", "spawn_join", "pingpong", "pingpong_callback", "mpmc", "mutex", "select"],
        )?;
        bars(
            "blocking.svg",
            "Behind a C call of 30 ms, and late from a sleep: us",
            &["handoff.p50", "handoff.p99", "handoff_once.p50", "handoff_once.p99", "sleepers.p50", "sleepers.p99"],
        )?;
        bars("whole.svg", "Whole programs: ms", &["seed", "skynet"])?;
        let of = |row: &'static str| move |&(program, name, colour)| (figures.curve(row, program), name, colour);
        let curves: Vec<_> = PROGRAMS.iter().map(of("threads")).collect();
        let axes =
            Axes { title: "A callback, on every thread at once", x: "OS threads in C", y: "ns per callback and core" };
        draw_curves(&folder.join("threads.svg"), &axes, &curves)?;
        let curves: Vec<_> = PROGRAMS.iter().map(of("tasks")).collect();
        let axes = Axes { title: "The program of Go issue 60961", x: "tasks", y: "ms" };
        draw_curves(&folder.join("tasks.svg"), &axes, &curves)?;
        let growth = |&(row, name, colour)| (figures.curve(row, "greenbridge"), name, colour);
        let curves: Vec<_> = GROWTH.iter().map(growth).collect();
        let axes =
            Axes { title: "Cost against number", x: "green threads; for callbacks, C threads", y: "ns per operation" };
        draw_curves(&folder.join("growth.svg"), &axes, &curves)
    };
    drawn().map_err(|error| format!("{}: {error}", folder.display()))
}

/// Horizontal bars, a group for each row, on a logarithmic axis.
fn draw_bars(path: &Path, title: &str, rows: &[&str], figures: &Figures) -> Result<(), Box<dyn Error>> {
    let value = |row: &str, program: &str| figures.get(row, program).map(|values| values.median()).filter(|&v| v > 0.0);
    let all = rows.iter().flat_map(|row| PROGRAMS.iter().filter_map(move |(program, ..)| value(row, program)));
    let Some((least, most)) = bounds(all) else { return Ok(()) };
    let rows: Vec<_> =
        rows.iter().copied().filter(|row| PROGRAMS.iter().any(|(program, ..)| value(row, program).is_some())).collect();
    let (from, to) = (10_f64.powf(least.log10().floor()) * 0.8, most * 3.0);
    let height = 90 + 80 * rows.len() as u32;
    let area = SVGBackend::new(path, (760, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(35)
        .y_label_area_size(140)
        .build_cartesian_2d((from..to).log_scale(), 0.0..rows.len() as f64)?;
    let numbers = |value: &f64| short(*value);
    let mesh = &mut chart.configure_mesh();
    mesh.disable_y_mesh().y_labels(0).x_label_formatter(&numbers);
    mesh.light_line_style(WHITE).bold_line_style(RGBColor(0xdd, 0xdd, 0xdd)).draw()?;
    let bar = 1.0 / (PROGRAMS.len() as f64 + 1.5);
    for (at, row) in rows.iter().enumerate() {
        // The first row is on top.
        let top = (rows.len() - at) as f64 - bar * 0.75;
        for (place, (program, name, colour)) in PROGRAMS.iter().enumerate() {
            let Some(value) = value(row, program) else { continue };
            let (high, low) = (top - bar * place as f64, top - bar * (place as f64 + 0.9));
            chart.draw_series([Rectangle::new([(from, low), (value, high)], colour.filled())])?;
            let (x, y) = chart.backend_coord(&(value, f64::midpoint(high, low)));
            write(&area, &format!("{name} {}", short(value)), (x + 4, y), HPos::Left, 11)?;
        }
        let (x, y) = chart.backend_coord(&(from, top - bar * 2.5));
        write(&area, row, (x - 8, y), HPos::Right, 13)?;
    }
    area.present()?;
    Ok(())
}

fn write(area: &Drawing, text: &str, at: (i32, i32), anchor: HPos, size: i32) -> Result<(), Box<dyn Error>> {
    let style = ("sans-serif", size).into_text_style(area).pos(Pos::new(anchor, VPos::Center));
    Ok(area.draw_text(text, &style, at)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Line;
    use std::fs;

    #[test]
    fn a_plot_shows_what_was_measured_and_nothing_is_drawn_of_nothing() -> Result<(), Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("greenbridge-plots-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mut figures = Figures::default();
        let line = |value| Ok(vec![Line { figure: "seed".into(), value, unit: "ms".into() }]);
        figures.add("seed", "go", None, line(1722.0));
        for (at, value) in [("1000", 0.5), ("100000", 20.0)] {
            figures.add("tasks", "may", Some(at), line(value));
        }
        draw(&folder, &figures)?;
        let bars = fs::read_to_string(folder.join("whole.svg"))?;
        assert!(bars.contains("Go 1,722") && !bars.contains("tokio"), "{bars}");
        let curves = fs::read_to_string(folder.join("tasks.svg"))?;
        assert_eq!(curves.matches("<circle").count(), 2, "{curves}");
        assert!(!folder.join("growth.svg").exists());
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
