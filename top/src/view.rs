//! How what is known is shown: on a terminal, and as text.
//!
//! ```text
//! server, process 4711, greenbridge 0.1.0 ─ every 1.0 s
//! ┌ metrics ─────────────────────┐┌ processors and workers ─────────┐
//! │ processors              2    ││ processor 0: owned by worker 1  │
//! │ turns_total    123456  9876/s││ worker 1, OS thread ...         │
//! └──────────────────────────────┘└─────────────────────────────────┘
//! ┌ 1003 green threads ─────────────────────────────────────────────┐
//! │ 983 green threads, spawned at src/main.rs:14:9: #6, #7 and ...  │
//! ```

use crate::keys::HELP;
use crate::state::{Rated, State};
use core::fmt::Write as _;
use greenbridge_runtime::dump::Dump;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};

/// What the names of all figures begin with.
const PREFIX: &str = "greenbridge_";

/// Draws one frame.
pub(crate) fn draw(state: &State, frame: &mut Frame<'_>) {
    let metrics = metrics(state);
    // The upper part is as high as it need be, and leaves half of the screen to the dump.
    let high = u16::try_from(metrics.len() + 2).unwrap_or(u16::MAX).min(frame.area().height.saturating_sub(2) / 2);
    let [head, upper, lower, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(high), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(upper);

    let paused = if state.is_paused { ", paused" } else { "" };
    let title = format!("{} - every {:.2} s{paused}", state.title, state.every.as_secs_f64());
    frame.render_widget(Paragraph::new(title).style(Style::new().add_modifier(Modifier::REVERSED)), head);
    let lines = |lines: Vec<String>| lines.into_iter().map(Line::from).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(lines(metrics)).block(Block::bordered().title("metrics")), left);
    let block = Block::bordered().title("processors and workers");
    frame.render_widget(Paragraph::new(lines(workers(state))).block(block), right);

    let groups = groups(state);
    // The last line stays on the screen.
    let first = state.line.min(groups.len().saturating_sub(1));
    let title = state.dump.as_ref().map_or_else(|| "dump".to_owned(), |dump| dump_title(dump));
    let shown = groups.into_iter().skip(first).take(lower.height.into()).collect();
    frame.render_widget(Paragraph::new(lines(shown)).block(Block::bordered().title(title)), lower);
    let help = if state.shows_help { HELP } else { "q end   ? help" };
    frame.render_widget(Paragraph::new(help), foot);
}

/// The same as text.
pub(crate) fn as_text(state: &State) -> String {
    let mut text = format!("{}\n\n", state.title);
    for line in metrics(state) {
        text += line.trim_end();
        text += "\n";
    }
    if let Some(dump) = &state.dump {
        write!(text, "\n{dump}").expect("a string takes all");
    }
    text
}

fn metrics(state: &State) -> Vec<String> {
    let latency = |bound: Option<f64>| bound.map_or_else(|| "-".to_owned(), |time| format!("{time:.1} us"));
    let times = format!(
        "ready to running: half within {}, 99 % within {}",
        latency(state.latency.p50),
        latency(state.latency.p99)
    );
    // Those that count something come first.
    let (counts, nothing): (Vec<&Rated>, Vec<_>) = state.figures.iter().partition(|rated| rated.figure.value > 0);
    [times].into_iter().chain(counts.into_iter().chain(nothing).map(figure)).collect()
}

fn figure(Rated { figure, rate }: &Rated) -> String {
    let name = figure.name.strip_prefix(PREFIX).unwrap_or(&figure.name);
    let rate = rate.map_or_else(String::new, |rate| format!("{rate:.0}/s"));
    format!("{name:<36} {:>14} {rate:>12}", figure.value)
}

fn workers(state: &State) -> Vec<String> {
    let Some(dump) = &state.dump else { return Vec::new() };
    let processors = dump.processors.iter().map(ToString::to_string);
    processors.chain(dump.workers.iter().map(ToString::to_string)).collect()
}

fn dump_title(dump: &Dump) -> String {
    let begun = dump.green_threads;
    match dump.not_begun {
        0 => format!("{begun} green threads"),
        more => format!("{begun} green threads, and about {more} that have not begun"),
    }
}

fn groups(state: &State) -> Vec<String> {
    let Some(dump) = &state.dump else { return vec!["waiting for the first dump".to_owned()] };
    let mut lines = Vec::new();
    for group in &dump.groups {
        let text = if state.shows_all_frames { format!("{group:#}") } else { group.to_string() };
        lines.extend(text.lines().map(str::to_owned));
    }
    if dump.more > 0 {
        lines.push(format!("and {} more", dump.more));
    }
    lines.extend(dump.no_backtraces.iter().map(|why| format!("no backtraces: {why}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    /// As a process writes them.
    const LINES: [&str; 3] = [
        r#"{"greenbridge":"0.1.0","process":7,"program":"server"}"#,
        r#"{"metrics":[{"name":"greenbridge_steals_total","is_counter":true,"value":0},
            {"name":"greenbridge_processors","is_counter":false,"value":2}],"latency_us":{"p50":1.024,"p99":null,"count":3}}"#,
        r#"{"dump":{"process":7,"took_us":1500,"green_threads":983,"not_begun":2,"missed":0,"more":1,"no_backtraces":null,
            "groups":[{"count":983,"state":"waits","spawned_at":"src/main.rs:14:9","waits_for":"a message",
                "waits_at":"src/main.rs:20:5","waited_ms":[40,2100],"pinned":"no","stacks_taken":983,
                "members":[{"id":17,"name":null,"worker":null,"os_thread":null,"waited_ms":40},
                    {"id":18,"name":"reader","worker":null,"os_thread":null,"waited_ms":2100}],
                "stack":{"is_complete":true,"in_c":null,"frames":[
                    {"function":"greenbridge_runtime::recv","at":null,"address":1,"is_inlined":false,"is_runtime":true},
                    {"function":"server::read","at":"src/main.rs:20","address":2,"is_inlined":false,"is_runtime":false}]}}],
            "processors":[{"index":0,"worker":1,"queued":3,"turns":9}],
            "workers":[{"index":1,"os_thread":{"number":70,"name":"greenbridge-1"},"state":"in_c","processor":0,
                "green_thread":5,"residents":0}]}}"#,
    ];

    fn state() -> State {
        let mut state = State::default();
        for line in LINES {
            state.take(serde_json::from_str(line).expect("as a process writes it")).expect("no error");
        }
        state
    }

    fn screen(state: &State) -> String {
        let mut terminal = Terminal::new(TestBackend::new(120, 24)).expect("memory is a terminal");
        terminal.draw(|frame| draw(state, frame)).expect("memory takes all");
        let buffer = terminal.backend().buffer();
        let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..buffer.area.height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn everything_is_on_the_screen() {
        let screen = screen(&state());
        for words in [
            "server, process 7, greenbridge 0.1.0 - every 1.00 s",
            "ready to running: half within 1.0 us, 99 % within -",
            "processors                                        2",
            "processor 0: owned by worker 1, 3 queued, turn 9",
            "worker 1, OS thread 'greenbridge-1' (70): is in C with #5",
            "983 green threads, and about 2 that have not begun",
            "983 green threads, spawned at src/main.rs:14:9: #17, 'reader' (#18) and 981 more",
            "each waits for a message at src/main.rs:20:5, for 40 ms to 2.1 s",
            "at server::read (src/main.rs:20)",
            "and 1 more",
            "q end   ? help",
        ] {
            assert!(screen.contains(words), "{words:?} is missing:\n{screen}");
        }
        assert!(!screen.contains("greenbridge_runtime::recv"), "{screen}");
        let (processors, steals) = (screen.find("processors  "), screen.find("steals_total"));
        assert!(processors < steals, "what counts nothing comes last:\n{screen}");
    }

    #[test]
    fn keys_change_what_is_shown() {
        let mut state = state();
        (state.shows_all_frames, state.shows_help, state.is_paused, state.line) = (true, true, true, 2);
        let screen = screen(&state);
        assert!(screen.contains("greenbridge_runtime::recv") && screen.contains(HELP), "{screen}");
        assert!(screen.contains(", paused") && !screen.contains("'reader'"), "{screen}");
        state.line = 1_000;
        assert!(self::screen(&state).contains("and 1 more"));
    }

    #[test]
    fn a_tiny_terminal_and_a_silent_process_are_no_problem() {
        for (width, height) in [(1, 1), (10, 3), (300, 2)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory is a terminal");
            terminal.draw(|frame| draw(&state(), frame)).expect("memory takes all");
            terminal.draw(|frame| draw(&State::default(), frame)).expect("memory takes all");
        }
        assert!(screen(&State::default()).contains("waiting for the first dump"));
    }

    #[test]
    fn the_text_for_scripts_has_metrics_and_dump() {
        let text = as_text(&state());
        assert!(text.starts_with("server, process 7"), "{text}");
        assert!(text.contains("\nsteals_total") && text.contains("\n983 green threads, spawned at"), "{text}");
    }
}
