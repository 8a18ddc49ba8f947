//! What is known of the process, and what the user has chosen to see.

use crate::link::{Figure, Latency, Message};
use greenbridge_runtime::dump::Dump;
use std::io;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) title: String,
    pub(crate) figures: Vec<Rated>,
    pub(crate) latency: Latency,
    pub(crate) dump: Option<Box<Dump>>,
    /// How often something new is asked for.
    pub(crate) every: Duration,
    /// Whether what is shown stays as it is.
    pub(crate) is_paused: bool,
    /// Whether the runtime's own frames are shown, too.
    pub(crate) shows_all_frames: bool,
    pub(crate) shows_help: bool,
    /// The first line of the dump that is shown.
    pub(crate) line: usize,
    pub(crate) read_at: Option<Instant>,
}

/// A figure, and for a counter how much it grows in a second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rated {
    pub(crate) figure: Figure,
    pub(crate) rate: Option<f64>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            title: String::new(),
            figures: Vec::new(),
            latency: Latency::default(),
            dump: None,
            every: Duration::from_secs(1),
            is_paused: false,
            shows_all_frames: false,
            shows_help: false,
            line: 0,
            read_at: None,
        }
    }
}

impl State {
    /// Whether there is something to print.
    pub(crate) fn is_complete(&self) -> bool {
        self.dump.is_some() && !self.figures.is_empty()
    }

    /// Takes what the process says.
    ///
    /// # Errors
    /// The process did not understand.
    pub(crate) fn take(&mut self, message: Message) -> io::Result<()> {
        self.take_at(message, Instant::now())
    }

    pub(crate) fn take_at(&mut self, message: Message, now: Instant) -> io::Result<()> {
        match message {
            Message::Hello { greenbridge, process, program } => {
                let program = program.unwrap_or_else(|| "a program".to_owned());
                self.title = format!("{program}, process {process}, greenbridge {greenbridge}");
            }
            Message::Error { error } => return Err(io::Error::other(error)),
            _ if self.is_paused => {}
            Message::Metrics { metrics, latency_us } => {
                let past = self.read_at.replace(now).map(|before| now.duration_since(before).as_secs_f64());
                let rated =
                    metrics.into_iter().map(|figure| Rated { rate: self.rate(&figure, past), figure }).collect();
                (self.figures, self.latency) = (rated, latency_us);
            }
            Message::Dump { dump } => self.dump = Some(dump),
        }
        Ok(())
    }

    fn rate(&self, figure: &Figure, past: Option<f64>) -> Option<f64> {
        let past = past.filter(|&past| figure.is_counter && past > 0.0)?;
        let before = self.figures.iter().find(|rated| rated.figure.name == figure.name)?;
        Some(figure.value.saturating_sub(before.figure.value) as f64 / past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(value: u64) -> Message {
        let text = format!(
            "{{\"metrics\":[{{\"name\":\"turns_total\",\"is_counter\":true,\"value\":{value}}},\
             {{\"name\":\"threads\",\"is_counter\":false,\"value\":3}}],\"latency_us\":{{\"p50\":null,\"p99\":2.5,\"count\":1}}}}"
        );
        serde_json::from_str(&text).expect("as the process writes it")
    }

    #[test]
    fn counters_have_a_rate_from_the_second_reading_on() {
        let (mut state, begin) = (State::default(), Instant::now());
        state.take_at(metrics(100), begin).expect("no error");
        assert_eq!(state.figures[0].rate, None);
        state.take_at(metrics(600), begin + Duration::from_millis(500)).expect("no error");
        assert_eq!(state.figures[0].rate, Some(1000.0));
        assert_eq!(state.figures[1].rate, None);
        state.is_paused = true;
        state.take_at(metrics(900), begin + Duration::from_secs(9)).expect("no error");
        assert_eq!(state.figures[0].figure.value, 600);
    }

    #[test]
    fn an_error_of_the_process_is_told() {
        let message = serde_json::from_str("{\"error\":\"unknown\"}").expect("as the process writes it");
        assert!(State::default().take(message).is_err_and(|error| error.to_string() == "unknown"));
    }
}
