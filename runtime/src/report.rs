//! Who holds up others: a report on demand, in the spirit of `jdk.tracePinnedThreads`. With the feature `trace`.
//!
//! [`start`] begins to collect, [`stop`] gives a [`Report`]: call sites whose C calls were handed off, the longest callbacks from C, and the
//! longest stretches of time for which a green thread kept its processor without letting others run. Printed, it reads
//!
//! ```text
//! C calls, by how often their processor went to others:
//!     340 of 512, the longest 12.1 ms: call at src/db.rs:88:9 in shop::db::query
//! Callbacks from C, the longest first:
//!     3.1 ms in on_row, under a bare C call: nobody else could run on its processor
//! The longest occupations of a processor:
//!     40.2 ms by green thread #17 "import", spawned at src/main.rs:30:5, last called C at src/csv.rs:12:9, then waited for a message at src/main.rs:41:9
//! ```
//!
//! While it collects, a turn costs two looks at the clock, and a C call and a callback two and a lock that all share. Otherwise the feature costs a
//! branch for each turn and callback, and nothing for a C call.

use crate::green::origin::Origin;
use crate::green::thread::Head;
use crate::primitive::{Mutex, lock};
use crate::scheduler::in_c::Way;
use crate::scheduler::runtime::runtime;
use crate::seen::{self, Site};
use crate::trace::{Ended, Named};
use core::fmt;
use core::mem::{Discriminant, discriminant};
use core::panic::Location;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

/// The most entries of a kind that a report has.
const MOST: usize = 20;

/// What is being collected; None: nothing.
static COLLECTED: Mutex<Option<Collected>> = Mutex::new(None);

#[derive(Default)]
struct Collected {
    calls: HashMap<(Way, &'static Location<'static>), CallSite>,
    callbacks: HashMap<(&'static str, bool), Callback>,
    occupations: HashMap<Kind, LongTurn>,
}

/// Occupations of a kind: where the green thread was spawned, and what ended it, and where.
type Kind = (Origin, Discriminant<Ended>, Option<&'static Location<'static>>);

/// What has held up others between [`start`] and [`stop`]. It is `Display`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// Places where C is called, those first whose calls have most often lost their processor. At most 20.
    pub calls: Vec<CallSite>,
    /// Callbacks from C by function, those under a bare C call first, and then the longest first: under a bare call nobody takes the processor,
    /// however long it lasts. At most 20.
    pub callbacks: Vec<Callback>,
    /// The longest stretches for which a green thread kept a processor: of those that are alike (green threads that were spawned at one place,
    /// and did the same at one place then) the longest. At most 20.
    pub occupations: Vec<LongTurn>,
}

/// A place where C is called.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallSite {
    /// The function that it lies in.
    pub function: String,
    /// Where `call`, or another way, stands.
    pub at: &'static Location<'static>,
    /// The name of the way: `call`, `call_blocking`, `call_interleaved` or `call_on_thread_stack`.
    pub way: &'static str,
    /// Calls that have ended.
    pub calls: u64,
    /// Of these, the ones during which the processor went to somebody else: given up at once, or taken by the monitor.
    pub handed_off: u64,
    /// The longest of the calls.
    pub longest: Duration,
    /// All of them together.
    pub total: Duration,
}

/// Callbacks from C to one function.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Callback {
    /// The name of the export.
    pub name: &'static str,
    /// Whether C was called bare by a green thread.
    pub bare: bool,
    /// Callbacks that have ended.
    pub calls: u64,
    /// The longest, waits included.
    pub longest: Duration,
    /// All of them together.
    pub total: Duration,
}

/// A stretch of time for which a green thread kept a processor: a turn, or the part of one since a C call that had lost it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LongTurn {
    /// The number of the green thread.
    pub green: u64,
    /// Its name.
    pub name: Option<String>,
    /// Where it was spawned: a place in Rust, or the function in C that it runs.
    pub spawned: String,
    /// How long it was.
    pub lasted: Duration,
    /// How many there were that are alike, this one included.
    pub times: u64,
    /// How much of that was in C calls that have kept the processor.
    pub in_c: Duration,
    /// Where it has called C last.
    pub last_call: Option<&'static Location<'static>>,
    /// What it did then, in words: "waited for a message at src/main.rs:41:9", "yielded", "finished", "still runs" and so on.
    pub then: String,
}

/// Begins to collect. What is being collected already is kept.
///
/// # Panics
/// If the runtime has not been started.
pub fn start() {
    let workers = runtime().spares.made();
    let mut collected = lock(&COLLECTED);
    if collected.is_none() {
        workers.iter().for_each(|worker| *lock(&worker.seen.occupation) = None);
        *collected = Some(Collected::default());
    }
    seen::set_watched(seen::REPORT, true);
}

/// Ends that, and gives what has been collected. None: nothing was.
pub fn stop() -> Option<Report> {
    seen::set_watched(seen::REPORT, false);
    lock(&COLLECTED).take().map(Report::of)
}

/// What has been collected so far; it goes on.
pub fn so_far() -> Option<Report> {
    let collected = lock(&COLLECTED);
    let collected = collected.as_ref()?;
    let copy = Collected {
        calls: collected.calls.clone(),
        callbacks: collected.callbacks.clone(),
        occupations: collected.occupations.clone(),
    };
    Some(Report::of(copy))
}

/// A green thread that has a processor.
#[derive(Debug, Clone)]
pub(crate) struct Occupation {
    green: u64,
    named: Named,
    since: Instant,
    in_c: Duration,
    last_call: Option<&'static Location<'static>>,
}

impl Occupation {
    pub(crate) fn begins(green: u64, named: Named) -> Self {
        Self { green, named, since: Instant::now(), in_c: Duration::ZERO, last_call: None }
    }

    /// It calls C.
    pub(crate) fn calls(&mut self, at: &'static Location<'static>) {
        self.last_call = Some(at);
    }

    /// C has returned. If the processor went to somebody else meanwhile, it begins anew.
    pub(crate) fn called(&mut self, lasted: Duration, is_handed_off: bool) {
        if is_handed_off {
            (self.since, self.in_c) = (Instant::now(), Duration::ZERO);
        } else {
            self.in_c += lasted;
        }
    }

    fn lasted(self, then: String) -> LongTurn {
        let Self { green, named, since, in_c, last_call } = self;
        let Named { name, spawned } = named;
        let spawned = spawned.to_string();
        LongTurn { green, name, spawned, lasted: since.elapsed(), times: 1, in_c, last_call, then }
    }
}

impl Named {
    /// Those of a green thread.
    pub(crate) fn of(head: &Head) -> Self {
        Self { name: head.owner.name().map(str::to_owned), spawned: head.spawned }
    }
}

/// A green thread has kept its processor until now, and then `then`.
pub(crate) fn occupied(occupation: Occupation, then: Ended) {
    let mut collected = lock(&COLLECTED);
    let Some(collected) = &mut *collected else { return };
    let at = if let Ended::Waits(waits) = then { waits.map(|waits| waits.at) } else { None };
    match collected.occupations.entry((occupation.named.spawned, discriminant(&then), at)) {
        Entry::Vacant(place) => {
            place.insert(occupation.lasted(in_words(then)));
        }
        Entry::Occupied(mut place) => {
            let longest = place.get_mut();
            let times = longest.times + 1;
            if occupation.since.elapsed() > longest.lasted {
                *longest = occupation.lasted(in_words(then));
            }
            longest.times = times;
        }
    }
}

fn in_words(then: Ended) -> String {
    match then {
        Ended::Waits(Some(waits)) => format!("waited for {} at {}", waits.what, waits.at),
        Ended::Waits(None) => "waited".to_owned(),
        Ended::Yields => "yielded".to_owned(),
        Ended::Queues => "queued for a processor".to_owned(),
        Ended::Moves => "moved to another OS thread, to be pinned there".to_owned(),
        Ended::Finishes => "finished".to_owned(),
    }
}

/// A C call has ended.
pub(crate) fn called(site: &Site, lasted: Duration, is_handed_off: bool) {
    let mut collected = lock(&COLLECTED);
    let Some(collected) = &mut *collected else { return };
    let stats = collected.calls.entry((site.way, site.at)).or_insert_with(|| CallSite {
        function: function_of(site.function).to_owned(),
        at: site.at,
        way: name_of(site.way),
        calls: 0,
        handed_off: 0,
        longest: Duration::ZERO,
        total: Duration::ZERO,
    });
    stats.calls += 1;
    stats.handed_off += u64::from(is_handed_off);
    stats.longest = stats.longest.max(lasted);
    stats.total += lasted;
}

/// A callback has ended.
pub(crate) fn called_back(name: &'static str, lasted: Duration, bare: bool) {
    let mut collected = lock(&COLLECTED);
    let Some(collected) = &mut *collected else { return };
    let stats = collected.callbacks.entry((name, bare)).or_insert(Callback {
        name,
        bare,
        calls: 0,
        longest: Duration::ZERO,
        total: Duration::ZERO,
    });
    stats.calls += 1;
    stats.longest = stats.longest.max(lasted);
    stats.total += lasted;
}

/// The name of the function for users.
pub(crate) fn name_of(way: Way) -> &'static str {
    match way {
        Way::Call => "call",
        Way::Blocking => "call_blocking",
        Way::Interleaved => "call_interleaved",
        Way::OnThreadStack => "call_on_thread_stack",
    }
}

/// The function of the user's that the closure `type_name` lies in. The errno forms of the ways to call wrap the user's closure in one of their own,
/// whose name has it as its last parameter.
pub(crate) fn function_of(type_name: &'static str) -> &'static str {
    let name = match type_name.starts_with("greenbridge") {
        true => type_name.rsplit([' ', '<']).next().unwrap_or(type_name).split('>').next().unwrap_or(type_name),
        false => type_name,
    };
    name.split("::{{closure}}").next().unwrap_or(name)
}

impl Report {
    fn of(collected: Collected) -> Self {
        let Collected { calls, callbacks, occupations } = collected;
        let mut occupations: Vec<_> = occupations.into_values().collect();
        // Those that have not ended: but for the caller's, which is this call.
        let workers = runtime().spares.made();
        let own = crate::scheduler::current::worker().and_then(|worker| worker.green()).map(|green| green.owner.id());
        for occupation in seen::occupations(&workers) {
            if Some(occupation.green) != own {
                occupations.push(occupation.lasted("still runs".to_owned()));
            }
        }
        let mut calls: Vec<_> = calls.into_values().collect();
        calls.sort_by_key(|site| (u64::MAX - site.handed_off, u64::MAX - site.calls, site.at));
        let mut callbacks: Vec<_> = callbacks.into_values().collect();
        callbacks.sort_by_key(|callback| (!callback.bare, Duration::MAX - callback.longest, callback.name));
        occupations.sort_by_key(|long| (Duration::MAX - long.lasted, long.green));
        calls.truncate(MOST);
        callbacks.truncate(MOST);
        occupations.truncate(MOST);
        Self { calls, callbacks, occupations }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "C calls, by how often their processor went to others:")?;
        for CallSite { function, at, way, calls, handed_off, longest, .. } in &self.calls {
            writeln!(f, "    {handed_off} of {calls}, the longest {longest:.1?}: {way} at {at} in {function}")?;
        }
        writeln!(f, "Callbacks from C, the longest first:")?;
        for Callback { name, bare, longest, .. } in &self.callbacks {
            let bare = if *bare { ", under a bare C call: nobody else could run on its processor" } else { "" };
            writeln!(f, "    {longest:.1?} in {name}{bare}")?;
        }
        writeln!(f, "The longest occupations of a processor:")?;
        for LongTurn { green, name, spawned, lasted, times, last_call, then, .. } in &self.occupations {
            write!(f, "    {lasted:.1?}")?;
            if *times > 1 {
                write!(f, ", the longest of {times},")?;
            }
            write!(f, " by green thread #{green}")?;
            if let Some(name) = name {
                write!(f, " {name:?}")?;
            }
            write!(f, ", spawned at {spawned}")?;
            if let Some(last_call) = last_call {
                write!(f, ", last called C at {last_call}")?;
            }
            writeln!(f, ", {}{then}", if then == "still runs" { "" } else { "then " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::function_of;

    #[test]
    fn functions_are_the_user_s() {
        for (name, function) in [
            ("shop::db::query::{{closure}}", "shop::db::query"),
            ("shop::main::{{closure}}::{{closure}}", "shop::main"),
            ("greenbridge::call::call_errno<i32, shop::db::query::{{closure}}>::{{closure}}", "shop::db::query"),
            ("greenbridge::call::call_errno<shop::main::{{closure}}>::{{closure}}", "shop::main"),
        ] {
            assert_eq!(function_of(name), function);
        }
    }
}
