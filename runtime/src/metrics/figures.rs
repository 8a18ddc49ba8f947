//! The figures with names, for monitoring systems: one table, which the text form and the feature `metrics` are made from.

use super::Metrics;
use core::fmt::Write as _;

/// What a figure may do from one reading to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One figure with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figure {
    /// Its name, in the form that Prometheus asks for: a counter ends in `_total`, and a unit comes before that.
    pub name: &'static str,
    /// A label's name and value, where figures share a name.
    pub label: Option<(&'static str, &'static str)>,
    /// What it counts.
    pub help: &'static str,
    /// What it may do.
    pub kind: Kind,
    /// Its value.
    pub value: u64,
}

/// The name of the histogram, which is no [`Figure`].
pub(super) const LATENCY: &str = "greenbridge_scheduling_latency_seconds";
/// What it says.
pub(super) const LATENCY_HELP: &str = "How long green threads are ready before they run; one in 64 is measured.";

impl Metrics {
    /// The figures with names, in the order of the struct; those that share a name stand together. The histogram is not among them.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::with_capacity(40);
        let mut add = |kind, name, label: Option<(&'static str, &'static str)>, value: u64, help| {
            figures.push(Figure { name, label, help, kind, value });
        };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        use Kind::{Counter, Gauge};

        let help = "Processors: how many green threads can run at the same time.";
        add(Gauge, "greenbridge_processors", None, number(self.processors), help);
        let help = "Processors that have nothing to do.";
        add(Gauge, "greenbridge_idle_processors", None, number(self.idle_processors), help);
        let help = "OS threads that run green threads, or are kept for that.";
        add(Gauge, "greenbridge_threads", None, number(self.threads), help);
        let help = "OS threads that are kept without a processor.";
        add(Gauge, "greenbridge_spare_threads", None, number(self.spare_threads), help);
        let help = "The most OS threads that may be.";
        add(Gauge, "greenbridge_max_threads", None, number(self.max_threads), help);
        let help = "OS threads that were made.";
        add(Counter, "greenbridge_threads_started_total", None, self.threads_started, help);
        let help = "Times that a worker went to sleep.";
        add(Counter, "greenbridge_rests_total", None, self.rests, help);

        let help = "Green threads spawned.";
        add(Counter, "greenbridge_spawned_total", None, self.spawned, help);
        let help = "Green threads that have finished.";
        add(Counter, "greenbridge_finished_total", None, self.finished, help);
        let help = "Green threads by state.";
        for (state, count) in
            [("ready", self.ready), ("running", self.running), ("in_c", self.in_c), ("parked", self.parked)]
        {
            add(Gauge, "greenbridge_green_threads", Some(("state", state)), number(count), help);
        }
        let help = "Green threads that are suspended and pinned.";
        add(Gauge, "greenbridge_residents", None, number(self.residents), help);

        let help = "Turns: how often a green thread was resumed.";
        add(Counter, "greenbridge_turns_total", None, self.turns, help);
        let help = "Green threads made ready, by the way they went.";
        for (way, count) in
            [("local", self.wakes_local), ("injected", self.wakes_injected), ("resident", self.wakes_resident)]
        {
            add(Counter, "greenbridge_wakes_total", Some(("way", way)), count, help);
        }
        let help = "Searches for work among the other processors.";
        add(Counter, "greenbridge_searches_total", None, self.searches, help);
        let help = "Searches that found some.";
        add(Counter, "greenbridge_steals_total", None, self.steals, help);
        let help = "Green threads that were stolen.";
        add(Counter, "greenbridge_stolen_total", None, self.stolen, help);
        let help = "Timers that have woken somebody.";
        add(Counter, "greenbridge_timers_fired_total", None, self.timers_fired, help);

        let help = "Times that the system was asked which files are ready.";
        add(Counter, "greenbridge_polls_total", None, self.polls, help);

        let help = "Stays in C with a processor: calls, and returns of callbacks that used the scheduler.";
        add(Counter, "greenbridge_stays_in_c_total", None, self.stays_in_c, help);
        let help = "Waits in callbacks from C.";
        add(Counter, "greenbridge_callbacks_waited_total", None, self.callbacks_waited, help);
        let help = "Entries from C that found the runtime not up yet.";
        add(Counter, "greenbridge_gate_slow_paths_total", None, self.gate_slow_paths, help);
        let help = "Processors that went from one worker to another, by reason.";
        let hand_offs = &self.hand_offs;
        for (reason, count) in [
            ("taken", hand_offs.taken),
            ("taken_idle", hand_offs.taken_idle),
            ("blocking_call", hand_offs.blocking_calls),
            ("blocking_wait", hand_offs.blocking_waits),
            ("move", hand_offs.moves),
            ("to_resident", hand_offs.to_residents),
        ] {
            add(Counter, "greenbridge_hand_offs_total", Some(("reason", reason)), count, help);
        }

        let help = "The usable size of a stack.";
        add(Gauge, "greenbridge_stack_size_bytes", None, number(self.stack_size), help);
        let help = "Stacks by use.";
        for (state, count) in [("in_use", self.stacks_in_use), ("cached", self.stacks_cached)] {
            add(Gauge, "greenbridge_stacks", Some(("state", state)), number(count), help);
        }
        let help = "Address space that is reserved for stacks; what was not touched takes no memory.";
        add(Gauge, "greenbridge_stack_address_space_bytes", None, number(self.stack_address_space), help);
        figures
    }

    /// All figures in the text form of Prometheus, version 0.0.4: what a server answers to `GET /metrics`, with the content type
    /// `text/plain; version=0.0.4`.
    pub fn to_prometheus(&self) -> String {
        let mut text = String::with_capacity(8192);
        let mut last = "";
        for Figure { name, label, help, kind, value } in self.figures() {
            if name != last {
                head(&mut text, name, help, if kind == Kind::Counter { "counter" } else { "gauge" });
                last = name;
            }
            match label {
                Some((label, of)) => line(&mut text, format_args!("{name}{{{label}=\"{of}\"}} {value}")),
                None => line(&mut text, format_args!("{name} {value}")),
            }
        }
        head(&mut text, LATENCY, LATENCY_HELP, "histogram");
        let mut below = 0;
        for (bound, count) in self.scheduling_latency.buckets() {
            below += count;
            match bound {
                Some(bound) => {
                    line(&mut text, format_args!("{LATENCY}_bucket{{le=\"{}\"}} {below}", bound.as_secs_f64()));
                }
                None => line(&mut text, format_args!("{LATENCY}_bucket{{le=\"+Inf\"}} {below}")),
            }
        }
        line(&mut text, format_args!("{LATENCY}_sum {}", self.scheduling_latency.sum().as_secs_f64()));
        line(&mut text, format_args!("{LATENCY}_count {below}"));
        text
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: core::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}
