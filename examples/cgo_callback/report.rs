//! The result, as text or as JSON.

use crate::RUNS;
use crate::flags::Flags;
use crate::gates::Gate;
use crate::share::{GROUPS, Share};
use std::time::Duration;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Report {
    /// The settings of the run.
    pub(crate) flags: Flags,
    /// How long the program took with each gate, at best.
    pub(crate) times: Vec<(Gate, Duration)>,
    /// The share of the time spent in each gate; none if there was too little to measure.
    pub(crate) shares: Vec<(Gate, Option<Share>)>,
}

impl Gate {
    fn name(self) -> &'static str {
        match self {
            Gate::Before => "before",
            Gate::After => "after",
            Gate::Ungated => "ungated",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Gate::Before => "one global mutex per callback, as in Go until 1.21",
            Gate::After => "one atomic load per callback",
            Gate::Ungated => "no gate",
        }
    }
}

impl Report {
    /// For a reader.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![format!("numWorkers = {}", self.flags.workers)];
        lines.extend(
            self.times
                .iter()
                .map(|&(gate, time)| format!("{}: took {}ms ({})", gate.name(), time.as_millis(), gate.explanation())),
        );
        lines.extend(self.speed_up().map(|speed_up| format!("speed-up: {speed_up:.2}x")));
        lines.extend(self.shares.iter().map(|&(gate, share)| {
            let share = share.map_or("too little to measure".into(), |Share { median, low, high }| {
                let [median, low, high] = [median, low, high].map(|share| share * 100.0);
                format!("{median:.1} % [{low:.1} to {high:.1}]")
            });
            format!("time in the gate, {}: {share}", gate.name())
        }));
        lines.push(format!(
            "\
Of {RUNS} runs with each gate, in alternation, the shortest counts. The shares are measured in one more run, which
changes the gate every millisecond: what a task takes with the gate less what it takes with none. In brackets the
middle half of {GROUPS} measurements."
        ));
        lines.join("\n") + "\n"
    }

    /// One object on one line. Times are in milliseconds; a share is between 0 and 1, noise apart, or `null`.
    pub(crate) fn json(&self) -> String {
        let mut fields = vec![format!(r#""numWorkers":{},"tasks":{}"#, self.flags.workers, self.flags.tasks)];
        for (&(gate, time), &(_, share)) in self.times.iter().zip(&self.shares) {
            let took = time.as_secs_f64() * 1e3;
            let share = share.map_or(r#""gate_share":null"#.into(), |Share { median, low, high }| {
                format!(r#""gate_share":{median:.4},"gate_share_quartiles":[{low:.4},{high:.4}]"#)
            });
            fields.push(format!(r#""{}":{{"took_ms":{took:.3},{share}}}"#, gate.name()));
        }
        fields.extend(self.speed_up().map(|speed_up| format!(r#""speed_up":{speed_up:.3}"#)));
        format!("{{{}}}\n", fields.join(","))
    }

    /// How many times as fast the program is with the second gate, if both were run.
    fn speed_up(&self) -> Option<f64> {
        match self.times[..] {
            [(_, before), (_, after)] => Some(before.as_secs_f64() / after.as_secs_f64()),
            _ => None,
        }
    }
}
