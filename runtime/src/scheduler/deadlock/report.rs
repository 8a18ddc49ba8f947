//! The report of a deadlock: who waits, for what and where, who was spawned where, and what keeps whom on its OS thread.
//!
//! ```text
//! greenbridge: deadlock: all green threads wait, and nobody is left to wake them
//!
//! green thread 'reader' (#5), spawned at src/main.rs:10:5
//!     waits for a message at src/main.rs:12:20
//!     is pinned to worker 3: C is on its stack
//! 998 green threads, spawned at src/main.rs:14:9: #6, #7, #8, #9 and 994 more
//!     each waits for the end of another green thread at src/main.rs:15:13
//! ```
//!
//! There is no list of all green threads: to keep one would cost at each spawn. But each that has begun to run has a stack, whose slot
//! names its owner for the message of an overflow; and one that has not begun is in a queue, so that somebody is about to run.
//!
//! There may be a million. Those that agree in everything but their names are told together, and of the groups only the first [`GROUPS`]
//! that are met, so the report stays within bounds.

use super::super::blocked::{self, Blocked, OsThread};
use crate::green::thread::{Head, Residence};
use crate::stack;
use crate::stderr::write_to_stderr;
use crate::wait::{Waits, What};
use core::fmt::{self, Display};
use core::hash::{Hash, Hasher};
use core::panic::Location;
use core::ptr;
use std::collections::HashMap;

/// The most groups that are told.
const GROUPS: usize = 250;
/// The most members of a group that are named.
const NAMED: usize = 4;

/// Writes the report to stderr, and ends the process with status 2.
///
/// Not by `exit`: what is registered there may wait for a green thread, and then there would be no end. Not through std's stderr: a
/// green thread may wait with its lock. So what is buffered elsewhere is lost, as it is when a process aborts.
pub(super) fn end() -> ! {
    // SAFETY: nobody runs but the monitor, and it never will.
    let who = unsafe { describe() };
    let text = format!(
        "greenbridge: deadlock: all green threads wait, and nobody is left to wake them\n\n{who}\n\
         No timer is armed, no C runs, and the process has no other OS thread. Most often green threads wait for each other, \
         or for a channel whose other end is kept by one that waits itself.\n\
         If something that the runtime cannot know of is to wake them: Builder::deadlock_detection(false), or \
         GREENBRIDGE_DEADLOCK_DETECTION=off in the environment.\n"
    );
    write_to_stderr(text.as_bytes());
    // SAFETY: ends the process, whatever state it is in.
    unsafe { libc::_exit(2) }
}

/// All green threads that wait, and all OS threads that block in a wait, in lines.
///
/// # Safety
/// No green thread runs, or is made ready or resumed meanwhile, but for the caller; and the caller has seen this in a way that orders their
/// last turns before this call.
pub(crate) unsafe fn describe() -> String {
    let mut groups = Groups::default();
    let blocked = blocked::all();
    // SAFETY: by contract nobody ends meanwhile, so each owner is part of a head that is alive.
    let heads = stack::owners().map(|owner| unsafe { Head::of_owner(owner).as_ref() });
    let (os_threads, by_green): (Vec<&Blocked>, Vec<&Blocked>) =
        blocked.iter().partition(|blocked| blocked.green.is_null());
    let by_green: HashMap<_, _> = by_green.into_iter().map(|blocked| (blocked.green, blocked)).collect();
    heads.for_each(|head| groups.add(Member::green(head, by_green.get(&ptr::from_ref(head)).copied())));
    os_threads.into_iter().for_each(|blocked| groups.add(Member::os_thread(blocked)));
    groups.to_string()
}

/// What keeps a green thread where it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kept {
    No,
    /// Blocks an OS thread.
    Blocks,
    ByC,
    ByGuard,
    ByBoth,
}

impl Kept {
    fn of(head: &Head, blocks: bool) -> Self {
        match (head.in_callback.get(), head.pins.get() > 0) {
            _ if blocks => Self::Blocks,
            _ if head.residence.get() == Residence::Free => Self::No,
            (true, false) => Self::ByC,
            (false, _) => Self::ByGuard,
            (true, true) => Self::ByBoth,
        }
    }
}

/// One that waits. The order is that of the report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who<'a> {
    Green { id: u64, name: Option<&'a str>, worker: Option<usize>, blocks: Option<OsThread> },
    Os(OsThread),
}

struct Member<'a> {
    who: Who<'a>,
    key: Key,
}

/// What the members of a group agree in.
#[derive(Clone, Copy)]
struct Key {
    spawned: Option<&'static Location<'static>>,
    waits: Option<Waits>,
    kept: Kept,
}

impl Key {
    fn parts(&self) -> (Option<&'static Location<'static>>, Option<(What, &'static Location<'static>)>, Kept) {
        (self.spawned, self.waits.map(|waits| (waits.what, waits.at)), self.kept)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (spawned, waits, kept) = self.parts();
        (spawned, waits.map(|(what, at)| (core::mem::discriminant(&what), at)), kept).hash(state);
    }
}

impl<'a> Member<'a> {
    fn green(head: &'a Head, blocks: Option<&Blocked>) -> Self {
        let worker = head.home.get().map(|worker| worker.index);
        let blocked = blocks.map(|blocked| blocked.thread);
        let who = Who::Green { id: head.owner.id(), name: head.owner.name(), worker, blocks: blocked };
        let waits = blocks.map(|blocked| blocked.waits).or(head.waits.get());
        Self { who, key: Key { spawned: Some(head.spawned), waits, kept: Kept::of(head, blocks.is_some()) } }
    }

    fn os_thread(blocked: &Blocked) -> Self {
        Self { who: Who::Os(blocked.thread), key: Key { spawned: None, waits: Some(blocked.waits), kept: Kept::No } }
    }
}

#[derive(Default)]
struct Groups<'a> {
    groups: HashMap<Key, Group<'a>>,
    /// How many are in none.
    more: usize,
}

#[derive(Default)]
struct Group<'a> {
    /// The first in the order of the report.
    named: Vec<Who<'a>>,
    count: usize,
}

impl<'a> Groups<'a> {
    fn add(&mut self, member: Member<'a>) {
        if self.groups.len() == GROUPS && !self.groups.contains_key(&member.key) {
            self.more += 1;
            return;
        }
        let group = self.groups.entry(member.key).or_default();
        group.count += 1;
        let place = group.named.partition_point(|who| *who < member.who);
        if place < NAMED {
            group.named.insert(place, member.who);
            group.named.truncate(NAMED);
        }
    }
}

impl fmt::Display for Groups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_unstable_by_key(|(_, group)| group.named[0]);
        for (key, group) in groups {
            write_group(f, key, group)?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        Ok(())
    }
}

fn write_group(f: &mut fmt::Formatter<'_>, key: &Key, group: &Group<'_>) -> fmt::Result {
    let names = List(group, |who: &Who<'_>, f: &mut fmt::Formatter<'_>| who.fmt(f));
    let (kind, each) = match (&group.named[0], group.count) {
        (Who::Green { .. }, 1) => ("green thread", ""),
        (Who::Green { .. }, _) => ("green threads", "each "),
        (Who::Os(_), 1) => ("OS thread", ""),
        (Who::Os(_), _) => ("OS threads", "each "),
    };
    match (key.spawned, group.count) {
        (Some(spawned), 1) => writeln!(f, "{kind} {names}, spawned at {spawned}")?,
        (Some(spawned), count) => writeln!(f, "{count} {kind}, spawned at {spawned}: {names}")?,
        (None, 1) => writeln!(f, "{kind} {names}")?,
        (None, count) => writeln!(f, "{count} {kind}: {names}")?,
    }
    match key.waits {
        Some(Waits { what, at }) => writeln!(f, "    {each}waits for {what} at {at}")?,
        None => writeln!(f, "    {each}waits")?,
    }
    let places = List(group, |who: &Who<'_>, f: &mut fmt::Formatter<'_>| match who {
        Who::Green { blocks: Some(thread), .. } => thread.fmt(f),
        Who::Green { worker: Some(worker), .. } => worker.fmt(f),
        _ => f.write_str("?"),
    });
    match key.kept {
        Kept::No => Ok(()),
        Kept::Blocks => writeln!(f, "    {each}blocks OS thread {places}"),
        Kept::ByC => writeln!(f, "    {each}is pinned to worker {places}: C is on its stack"),
        Kept::ByGuard => writeln!(f, "    {each}is pinned to worker {places}: it holds a pin guard"),
        Kept::ByBoth => {
            writeln!(f, "    {each}is pinned to worker {places}: C is on its stack, and it holds a pin guard")
        }
    }
}

/// Something about each of the first members, and how many more there are.
struct List<'a, F>(&'a Group<'a>, F);

impl<F: Fn(&Who<'_>, &mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for List<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(group, write) = self;
        for (number, who) in group.named.iter().enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            write(who, f)?;
        }
        match group.count - group.named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Green { id, name: Some(name), .. } => write!(f, "'{name}' (#{id})"),
            Who::Green { id, name: None, .. } => write!(f, "#{id}"),
            Who::Os(thread) => thread.fmt(f),
        }
    }
}

impl fmt::Display for OsThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = self;
        if *number == std::process::id() {
            return write!(f, "'main' ({number})");
        }
        match std::fs::read_to_string(format!("/proc/self/task/{number}/comm")) {
            Ok(name) => write!(f, "'{}' ({number})", name.trim_end()),
            Err(_) => number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_many_different_ones_is_cut_and_counts_the_rest() {
        const WHATS: [What; 4] = [What::Message, What::Room, What::Join, What::Permit];
        const KEPTS: [Kept; 5] = [Kept::No, Kept::Blocks, Kept::ByC, Kept::ByGuard, Kept::ByBoth];
        let places = PLACES();
        let mut groups = Groups::default();
        let mut id = 0;
        for spawned in places {
            for at in places {
                for what in WHATS {
                    for kept in KEPTS {
                        id += 1;
                        let who = Who::Green { id, name: None, worker: None, blocks: None };
                        let key = Key { spawned: Some(spawned), waits: Some(Waits { what, at }), kept };
                        groups.add(Member { who, key });
                        groups.add(Member { who: Who::Os(OsThread(1)), key });
                    }
                }
            }
        }
        assert_eq!(id, 320);
        let text = groups.to_string();
        assert!(text.ends_with("\nand 140 more\n"), "{text}");
        assert_eq!(text.matches("green threads, spawned at").count(), GROUPS);
    }

    /// Four places in a source.
    const PLACES: fn() -> [&'static Location<'static>; 4] =
        || [Location::caller(), Location::caller(), Location::caller(), Location::caller()];

    #[test]
    fn the_first_of_a_group_are_named_in_order() {
        let mut groups = Groups::default();
        let key = Key { spawned: Some(PLACES()[0]), waits: None, kept: Kept::ByC };
        for id in [7, 3, 9, 1, 8, 2] {
            let name = (id == 2).then_some("two");
            groups.add(Member { who: Who::Green { id, name, worker: Some(10), blocks: None }, key });
        }
        let text = groups.to_string();
        assert!(text.starts_with("6 green threads, spawned at "), "{text}");
        assert!(text.contains(": #1, 'two' (#2), #3, #7 and 2 more\n    each waits\n"), "{text}");
        assert!(text.contains("is pinned to worker 10, 10, 10, 10 and 2 more: C is on its stack"), "{text}");
    }
}
