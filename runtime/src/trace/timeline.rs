//! A timeline: tracks, the slices on them, and arrows between these.

use core::fmt;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// Whose track it is. The order is that of the tracks in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Track {
    /// A worker's, by its number, which is in the name of its OS thread.
    Worker(usize),
    /// That of all other OS threads together: the monitor, which takes processors, and those that wake or spawn green threads.
    Elsewhere,
    /// A green thread's, by its number.
    Green(u64),
}

/// What a slice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SliceKind {
    /// A green thread runs.
    Running,
    /// It is in C.
    C,
    /// It is in a callback from C.
    Callback,
    /// It waits.
    Waiting,
    /// It is ready, and waits for a processor.
    Ready,
    /// A processor is given to another worker. It takes no time.
    HandOff,
}

impl SliceKind {
    /// Its name in the trace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::C => "c",
            Self::Callback => "callback",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::HandOff => "hand-off",
        }
    }
}

/// A stretch of time on a track. Slices of a track nest: the inner ones begin later and end earlier, or at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Slice {
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub kind: SliceKind,
    /// Where in the source, and further particulars, by name.
    pub details: Vec<(&'static str, String)>,
    /// When it began, from the start of the recording.
    pub begin: Duration,
    /// When it ended.
    pub end: Duration,
    /// How many slices it lies in.
    pub depth: usize,
}

/// What has led to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrow {
    /// "wake", "spawn" or "hand-off".
    pub name: &'static str,
    /// Where it leaves the innermost slice.
    pub from: (Track, Duration),
    /// Where it arrives in the innermost slice.
    pub to: (Track, Duration),
}

/// What has been recorded. Made by [`stop`](super::stop()).
pub struct Timeline {
    pub(super) lasted: Duration,
    pub(super) dropped: u64,
    pub(super) events: usize,
    pub(super) names: BTreeMap<Track, String>,
    pub(super) tracks: BTreeMap<Track, Vec<Mark>>,
}

/// What stands on a track, in the order of time.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    Begin {
        at: Duration,
        name: String,
        kind: SliceKind,
        details: Vec<(&'static str, String)>,
    },
    End {
        at: Duration,
        details: Vec<(&'static str, String)>,
    },
    /// An arrow leaves the innermost slice.
    From {
        at: Duration,
        arrow: Tip,
    },
    /// It arrives in the innermost slice.
    To {
        at: Duration,
        arrow: Tip,
    },
}

/// An end of an arrow. Two with the same number belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) number: u64,
    pub(super) name: &'static str,
}

impl Timeline {
    /// How long it was recorded.
    pub fn lasted(&self) -> Duration {
        self.lasted
    }

    /// How many events were recorded.
    pub fn events(&self) -> usize {
        self.events
    }

    /// How many were dropped because a buffer was full: see [`Options`](super::Options). What they would have begun or ended is missing, from the
    /// moment at which the first buffer was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The tracks and what they are called.
    pub fn tracks(&self) -> impl Iterator<Item = (Track, &str)> {
        self.names.iter().map(|(&track, name)| (track, name.as_str()))
    }

    /// The slices of `track`, by their beginning.
    pub fn slices(&self, track: Track) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        let mut open = Vec::new();
        for mark in self.tracks.get(&track).into_iter().flatten() {
            match mark {
                Mark::Begin { at, name, kind, details } => {
                    let (name, details, depth) = (name.clone(), details.clone(), open.len());
                    open.push(slices.len());
                    slices.push(Slice { name, kind: *kind, details, begin: *at, end: self.lasted, depth });
                }
                Mark::End { at, details } => {
                    if let Some(index) = open.pop() {
                        slices[index].end = *at;
                        slices[index].details.extend(details.iter().cloned());
                    }
                }
                Mark::From { .. } | Mark::To { .. } => {}
            }
        }
        slices
    }

    /// The arrows from who wakes, spawns or hands a processor over to what comes of it.
    pub fn arrows(&self) -> Vec<Arrow> {
        let mut from = BTreeMap::new();
        let mut arrows = Vec::new();
        let marks = || self.tracks.iter().flat_map(|(&track, marks)| marks.iter().map(move |mark| (track, mark)));
        for (track, mark) in marks() {
            if let Mark::From { at, arrow } = *mark {
                from.insert(arrow.number, (track, at));
            }
        }
        for (track, mark) in marks() {
            if let Mark::To { at, arrow } = *mark
                && let Some(&from) = from.get(&arrow.number)
            {
                arrows.push(Arrow { name: arrow.name, from, to: (track, at) });
            }
        }
        arrows
    }

    /// Writes it in the trace-event format: JSON, which Perfetto and Chrome open.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(&self, out: impl io::Write) -> io::Result<()> {
        super::json::write(self, out)
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline")
            .field("lasted", &self.lasted)
            .field("events", &self.events)
            .field("dropped", &self.dropped)
            .field("tracks", &self.names.len())
            .finish_non_exhaustive()
    }
}
