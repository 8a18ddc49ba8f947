//! From the events of all OS threads to tracks: who did what, one after the other.
//!
//! The buffers are merged by time. What happens to one green thread is told by whoever has it in hand at that moment, before it is passed on,
//! so the order of the clock is the order of its life. A buffer that was full, and a recording that begins in the middle of something, leave ends
//! without a beginning, which are left out, and beginnings without an end, which end with the recording.
//!
//! On the track of a worker a slice is a turn, with the C calls and callbacks in it; those that the green thread was suspended in begin again with
//! its next turn. On the track of a green thread, C calls and callbacks last until they are over, and in them are its waits.

use super::timeline::{Mark, SliceKind, Timeline, Tip, Track};
use super::{Buffer, Ended, Event, Named, What};
use crate::report::{function_of, name_of};
use crate::seen::{HandOff, Site};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Makes a timeline of the events of all buffers. The number is that of the worker.
pub(super) fn line_up(began: Instant, ended: Instant, buffers: Vec<(Option<usize>, Buffer)>) -> Timeline {
    let (mut names, mut all, mut dropped) = (HashMap::new(), Vec::new(), 0);
    for (worker, buffer) in buffers {
        dropped += buffer.dropped;
        names.extend(buffer.names.unwrap_or_default());
        all.extend(buffer.events.into_iter().map(|event| (worker, event)));
    }
    // Of one moment, those of one buffer stay in their order.
    all.sort_by_key(|(_, event)| event.at);
    let mut tracks = Tracks { names, ..Tracks::default() };
    let events = all.len();
    for (worker, Event { at, what }) in all {
        tracks.event(worker, at.saturating_duration_since(began), what);
    }
    tracks.end(ended.saturating_duration_since(began), events, dropped)
}

/// C, or a callback, that a green thread is in.
#[derive(Clone)]
enum Inside {
    C(Site),
    Callback(&'static str),
}

/// A green thread.
#[derive(Default)]
struct Green {
    /// What it is in, the innermost last.
    inside: Vec<Inside>,
    /// Whether the innermost slice of its track is what it does: runs, waits, is ready. In C there is none.
    does_something: bool,
    /// The worker that it has its turn on.
    on: Option<usize>,
    /// The arrow that arrives at its next turn.
    arrow: Option<Tip>,
}

#[derive(Default)]
struct Tracks {
    names: HashMap<u64, Named>,
    marks: BTreeMap<Track, Vec<Mark>>,
    /// How many slices are open on a track.
    open: HashMap<Track, usize>,
    greens: HashMap<u64, Green>,
    /// The arrows that arrive at the next turn on a worker.
    to_workers: HashMap<usize, Tip>,
    arrows: u64,
}

impl Tracks {
    fn event(&mut self, worker: Option<usize>, at: Duration, what: What) {
        let here = worker.map_or(Track::Elsewhere, Track::Worker);
        match what {
            What::TurnBegins { green } => self.turn_begins(worker.unwrap_or_default(), at, green),
            What::TurnEnds { green, why } => self.turn_ends(here, at, green, why),
            What::CBegins { green, site } => self.goes_in(here, at, green, Inside::C(site)),
            What::CEnds { green, is_handed_off } => {
                let details = if is_handed_off { vec![("processor", "went to others".to_owned())] } else { Vec::new() };
                self.comes_out(here, at, green, details, |inside| matches!(inside, Inside::C(_)));
            }
            What::CallbackBegins { green, name } => self.goes_in(here, at, green, Inside::Callback(name)),
            What::CallbackEnds { green } => {
                self.comes_out(here, at, green, Vec::new(), |inside| matches!(inside, Inside::Callback(_)));
            }
            What::Spawned { green } => self.is_ready(here, at, green, "spawn"),
            What::Woken { green } => self.is_ready(here, at, green, "wake"),
            What::HandsOver { processor, to, why } => self.hands_over(here, at, processor, to, why),
        }
    }

    fn mark(&mut self, track: Track, mark: Mark) {
        self.marks.entry(track).or_default().push(mark);
    }

    fn begin(
        &mut self,
        track: Track,
        at: Duration,
        kind: SliceKind,
        name: String,
        details: Vec<(&'static str, String)>,
    ) {
        *self.open.entry(track).or_default() += 1;
        self.mark(track, Mark::Begin { at, name, kind, details });
    }

    fn end_one(&mut self, track: Track, at: Duration) {
        self.end_with(track, at, Vec::new());
    }

    fn end_with(&mut self, track: Track, at: Duration, details: Vec<(&'static str, String)>) {
        if let Some(open) = self.open.get_mut(&track).filter(|open| **open > 0) {
            *open -= 1;
            self.mark(track, Mark::End { at, details });
        }
    }

    fn end_all(&mut self, track: Track, at: Duration) {
        (0..self.open.get(&track).copied().unwrap_or(0)).for_each(|_| self.end_one(track, at));
    }

    /// What a green thread is called.
    fn name(&self, green: u64) -> String {
        match self.names.get(&green).and_then(|named| named.name.as_deref()) {
            Some(name) => format!("{name} #{green}"),
            None => format!("green thread #{green}"),
        }
    }

    /// An arrow leaves `track`, if a slice is open there.
    fn arrow_from(&mut self, track: Track, at: Duration, name: &'static str) -> Option<Tip> {
        if self.open.get(&track).copied().unwrap_or(0) == 0 {
            return None;
        }
        self.arrows += 1;
        let arrow = Tip { number: self.arrows, name };
        self.mark(track, Mark::From { at, arrow });
        Some(arrow)
    }

    /// What a green thread does now, on its own track.
    fn does(&mut self, green: u64, at: Duration, kind: SliceKind, name: String, details: Vec<(&'static str, String)>) {
        self.stops_doing(green, at);
        self.begin(Track::Green(green), at, kind, name, details);
        self.greens.entry(green).or_default().does_something = true;
    }

    fn stops_doing(&mut self, green: u64, at: Duration) {
        if core::mem::take(&mut self.greens.entry(green).or_default().does_something) {
            self.end_one(Track::Green(green), at);
        }
    }

    fn turn_begins(&mut self, worker: usize, at: Duration, green: u64) {
        let here = Track::Worker(worker);
        self.end_all(here, at);
        let spawned = self.names.get(&green).map(|named| ("spawned", named.spawned.to_string()));
        self.begin(here, at, SliceKind::Running, self.name(green), spawned.into_iter().collect());
        let (inside, arrow) = {
            let green = self.greens.entry(green).or_default();
            green.on = Some(worker);
            (green.inside.clone(), green.arrow.take())
        };
        if let Some(arrow) = self.to_workers.remove(&worker) {
            self.mark(here, Mark::To { at, arrow });
        }
        for inside in &inside {
            self.begin_inside(here, at, inside);
        }
        self.stops_doing(green, at);
        if inside.is_empty() {
            self.runs(green, at, Some(worker));
        }
        if let Some(arrow) = arrow {
            self.mark(here, Mark::To { at, arrow });
        }
    }

    fn runs(&mut self, green: u64, at: Duration, worker: Option<usize>) {
        let details = worker.map(|worker| ("worker", worker.to_string())).into_iter().collect();
        self.does(green, at, SliceKind::Running, "runs".to_owned(), details);
    }

    fn turn_ends(&mut self, here: Track, at: Duration, green: u64, why: Ended) {
        self.end_all(here, at);
        self.greens.entry(green).or_default().on = None;
        let (kind, name, details) = match why {
            Ended::Waits(Some(waits)) => {
                (SliceKind::Waiting, format!("waits for {}", waits.what), vec![("at", waits.at.to_string())])
            }
            Ended::Waits(None) => (SliceKind::Waiting, "waits".to_owned(), Vec::new()),
            Ended::Yields => (SliceKind::Ready, "has yielded".to_owned(), Vec::new()),
            Ended::Queues => (SliceKind::Ready, "is back from C, and queues for a processor".to_owned(), Vec::new()),
            Ended::Moves => (SliceKind::Ready, "moves, to be pinned elsewhere".to_owned(), Vec::new()),
            Ended::Finishes => {
                self.end_all(Track::Green(green), at);
                self.greens.remove(&green);
                return;
            }
        };
        self.does(green, at, kind, name, details);
    }

    fn goes_in(&mut self, here: Track, at: Duration, green: u64, inside: Inside) {
        self.stops_doing(green, at);
        self.begin_inside(here, at, &inside);
        self.begin_inside(Track::Green(green), at, &inside);
        self.greens.entry(green).or_default().inside.push(inside);
    }

    fn begin_inside(&mut self, track: Track, at: Duration, inside: &Inside) {
        match inside {
            Inside::C(Site { way, function, at: place }) => {
                let details = vec![("way", name_of(*way).to_owned()), ("at", place.to_string())];
                self.begin(track, at, SliceKind::C, format!("C in {}", function_of(function)), details);
            }
            Inside::Callback(name) => {
                self.begin(track, at, SliceKind::Callback, format!("callback {name}"), Vec::new())
            }
        }
    }

    /// The innermost of its kind is over, and with it what lies in it: a callback that was skipped has no end of its own.
    fn comes_out(
        &mut self,
        here: Track,
        at: Duration,
        green: u64,
        details: Vec<(&'static str, String)>,
        is_of_kind: impl Fn(&Inside) -> bool,
    ) {
        let state = self.greens.entry(green).or_default();
        let Some(index) = state.inside.iter().rposition(is_of_kind) else { return };
        let (over, on) = (state.inside.len() - index, state.on);
        state.inside.truncate(index);
        self.stops_doing(green, at);
        for track in [here, Track::Green(green)] {
            (1..over).for_each(|_| self.end_one(track, at));
            self.end_with(track, at, details.clone());
        }
        if index == 0 {
            self.runs(green, at, on);
        }
    }

    fn is_ready(&mut self, here: Track, at: Duration, green: u64, how: &'static str) {
        let arrow = self.arrow_from(here, at, how);
        let state = self.greens.entry(green).or_default();
        if state.on.is_some() {
            return;
        }
        // One that has no end is taken out afterwards.
        state.arrow = arrow.or(state.arrow);
        self.does(green, at, SliceKind::Ready, "is ready".to_owned(), Vec::new());
    }

    fn hands_over(&mut self, here: Track, at: Duration, processor: usize, to: usize, why: HandOff) {
        let why = match why {
            HandOff::Work => "there is work",
            HandOff::Blocks => "this OS thread blocks",
            HandOff::Taken => "its worker is long in C",
            HandOff::Move => "a green thread must be pinned elsewhere",
            HandOff::Resident => "its resident is ready",
        };
        self.begin(
            here,
            at,
            SliceKind::HandOff,
            format!("processor {processor} to worker {to}"),
            vec![("why", why.to_owned())],
        );
        if let Some(arrow) = self.arrow_from(here, at, "hand-off") {
            self.to_workers.insert(to, arrow);
        }
        self.end_one(here, at);
    }

    /// Ends what is open, and drops arrows without an end.
    fn end(mut self, lasted: Duration, events: usize, dropped: u64) -> Timeline {
        let open: Vec<_> = self.open.keys().copied().collect();
        open.into_iter().for_each(|track| self.end_all(track, lasted));
        let arrived: std::collections::HashSet<u64> = self
            .marks
            .values()
            .flatten()
            .filter_map(|mark| if let Mark::To { arrow, .. } = mark { Some(arrow.number) } else { None })
            .collect();
        for marks in self.marks.values_mut() {
            marks.retain(|mark| !matches!(mark, Mark::From { arrow, .. } if !arrived.contains(&arrow.number)));
        }
        let name = |track: Track| match track {
            Track::Worker(index) => format!("worker {index}"),
            Track::Elsewhere => "monitor and foreign threads".to_owned(),
            Track::Green(green) => self.name(green),
        };
        let names = self.marks.keys().map(|&track| (track, name(track))).collect();
        Timeline { lasted, dropped, events, names, tracks: self.marks }
    }
}
