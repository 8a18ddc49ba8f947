//! Those that agree in everything but their names are told together.
//!
//! There may be a million green threads. So of different groups only the first [`Limits::groups`] that are met are kept, and of the members of a
//! group the first few by id, and a report stays within bounds.

use super::model::{self, Pinned, State};
use crate::green::origin::Origin;
use crate::scheduler::blocked::OsThread;
use crate::wait::Waits;
use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::HashMap;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most groups.
    pub(crate) groups: usize,
    /// The most members of a group.
    pub(crate) members: usize,
}

/// One that is told. The order is that of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Green { id: u64, name: Option<Box<str>> },
    Os,
}

/// One that is told, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) who: Who,
    /// Which OS thread it blocks, runs on or is.
    pub(crate) os_thread: Option<OsThread>,
    pub(crate) worker: Option<usize>,
    pub(crate) waited: Option<Duration>,
}

/// What the members of a group agree in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) state: State,
    pub(crate) spawned: Option<Origin>,
    pub(crate) waits: Option<Waits>,
    pub(crate) pinned: Pinned,
    /// Which of the backtraces, if one was taken.
    pub(crate) stack: Option<usize>,
}

impl Key {
    fn parts(&self) -> impl Eq + Hash + use<> {
        let waits = self.waits.map(|waits| (waits.what as u8, waits.at));
        (self.state, self.spawned, waits, self.pinned, self.stack)
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
        self.parts().hash(state);
    }
}

/// Groups under way.
#[derive(Debug)]
pub(crate) struct Groups {
    limits: Limits,
    groups: HashMap<Key, Group>,
    /// How many are in none.
    pub(crate) more: usize,
}

#[derive(Debug, Default)]
struct Group {
    /// The first in the order of the report.
    members: Vec<Member>,
    count: usize,
    waited: Option<(Duration, Duration)>,
    /// Of how many the backtrace was taken.
    taken: usize,
}

/// In which order groups are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By the first member.
    ByMember,
    /// Who runs before who waits, and large groups first.
    BySize,
}

impl Groups {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, groups: HashMap::new(), more: 0 }
    }

    pub(crate) fn add(&mut self, key: Key, member: Member) {
        if self.groups.len() == self.limits.groups && !self.groups.contains_key(&key) {
            self.more += 1;
            return;
        }
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        group.taken += usize::from(key.stack.is_some());
        if let Some(waited) = member.waited {
            let (least, most) = group.waited.unwrap_or((waited, waited));
            group.waited = Some((least.min(waited), most.max(waited)));
        }
        let place = group.members.partition_point(|other| *other < member);
        if place < self.limits.members {
            group.members.insert(place, member);
            group.members.truncate(self.limits.members);
        }
    }

    /// Those whose backtrace was not taken join those that agree with them in the rest, if these all have the same one.
    pub(crate) fn join_without_stack(&mut self) {
        let without: Vec<Key> = self.groups.keys().filter(|key| key.stack.is_none()).copied().collect();
        for key in without {
            let mut with =
                self.groups.keys().filter(|other| other.stack.is_some() && Key { stack: None, ..**other } == key);
            let (Some(&only), None) = (with.next(), with.next()) else { continue };
            let Some(rest) = self.groups.remove(&key) else { continue };
            let Some(group) = self.groups.get_mut(&only) else { continue };
            group.count += rest.count;
            group.waited = match (group.waited, rest.waited) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, other) => one.or(other),
            };
            group.members.extend(rest.members);
            group.members.sort_unstable();
            group.members.truncate(self.limits.members);
        }
    }

    /// The groups, in order. `stack` brings the backtrace of a number.
    pub(crate) fn finish(self, order: Order, mut stack: impl FnMut(usize) -> model::Stack) -> Vec<model::Group> {
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_unstable_by(|(key, group), (other_key, other)| {
            let by_member = group.members[0].cmp(&other.members[0]);
            match order {
                Order::ByMember => by_member,
                Order::BySize => (key.state.cmp(&other_key.state)).then(other.count.cmp(&group.count)).then(by_member),
            }
        });
        let mut names = HashMap::new();
        groups.into_iter().map(|(key, group)| group.finish(&key, &mut names, &mut stack)).collect()
    }
}

impl Group {
    fn finish(
        self,
        key: &Key,
        names: &mut HashMap<OsThread, model::OsThread>,
        stack: &mut impl FnMut(usize) -> model::Stack,
    ) -> model::Group {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let members = self.members.into_iter().map(|member| {
            let (id, name) = match member.who {
                Who::Green { id, name } => (Some(id), name.map(String::from)),
                Who::Os => (None, None),
            };
            let os_thread = member.os_thread.map(|thread| names.entry(thread).or_insert_with(|| named(thread)).clone());
            model::Member { id, name, worker: member.worker, os_thread, waited_ms: member.waited.map(milliseconds) }
        });
        model::Group {
            count: self.count,
            state: key.state,
            spawned_at: key.spawned.map(|origin| origin.to_string()),
            waits_for: key.waits.map(|waits| waits.what.to_string()),
            waits_at: key.waits.map(|waits| waits.at.to_string()),
            waited_ms: self.waited.map(|(least, most)| (milliseconds(least), milliseconds(most))),
            pinned: key.pinned,
            members: members.collect(),
            stack: key.stack.map(stack),
            stacks_taken: self.taken,
        }
    }
}

/// An OS thread with its name, if it is still there.
pub(crate) fn named(OsThread(number): OsThread) -> model::OsThread {
    let name = if number == std::process::id() {
        Some("main".to_owned())
    } else {
        let name = std::fs::read_to_string(format!("/proc/self/task/{number}/comm"));
        name.ok().map(|name| name.trim_end().to_owned())
    };
    model::OsThread { number, name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::What;
    use core::panic::Location;

    const LIMITS: Limits = Limits { groups: 250, members: 4 };

    fn green(id: u64) -> Member {
        let name = (id == 2).then(|| "two".into());
        Member { who: Who::Green { id, name }, os_thread: None, worker: Some(10), waited: None }
    }

    fn text(groups: Groups) -> String {
        let more = groups.more;
        let none = |_| unreachable!("no backtrace was taken");
        let groups: String = groups.finish(Order::ByMember, none).iter().map(ToString::to_string).collect();
        if more > 0 { format!("{groups}and {more} more\n") } else { groups }
    }

    /// Four places in a source.
    const PLACES: fn() -> [&'static Location<'static>; 4] =
        || [Location::caller(), Location::caller(), Location::caller(), Location::caller()];

    #[test]
    fn a_report_of_many_different_ones_is_cut_and_counts_the_rest() {
        const WHATS: [What; 4] = [What::Message, What::Room, What::Join, What::Permit];
        const PINNED: [Pinned; 5] = [Pinned::No, Pinned::Blocks, Pinned::ByC, Pinned::ByGuard, Pinned::ByCAndGuard];
        let places = PLACES();
        let mut groups = Groups::new(LIMITS);
        let mut id = 0;
        for spawned in places {
            for at in places {
                for what in WHATS {
                    for pinned in PINNED {
                        id += 1;
                        let waits = Some(Waits { what, at });
                        let key =
                            Key { state: State::Waits, spawned: Some(Origin::at(spawned)), waits, pinned, stack: None };
                        groups.add(key, green(id));
                        groups.add(key, green(1_000_000 + id));
                    }
                }
            }
        }
        assert_eq!(id, 320);
        let text = text(groups);
        assert!(text.ends_with("\nand 140 more\n"), "{text}");
        assert_eq!(text.matches("green threads, spawned at").count(), LIMITS.groups);
    }

    #[test]
    fn the_first_of_a_group_are_named_in_order() {
        let mut groups = Groups::new(LIMITS);
        let spawned = Some(Origin::at(PLACES()[0]));
        let key = Key { state: State::Waits, spawned, waits: None, pinned: Pinned::ByC, stack: None };
        for id in [7, 3, 9, 1, 8, 2] {
            groups.add(key, green(id));
        }
        let text = text(groups);
        assert!(text.starts_with("6 green threads, spawned at "), "{text}");
        assert!(text.contains(": #1, 'two' (#2), #3, #7 and 2 more\n    each waits\n"), "{text}");
        assert!(text.contains("is pinned to worker 10, 10, 10, 10 and 2 more: C is on its stack"), "{text}");
    }

    #[test]
    fn those_without_a_backtrace_join_the_only_ones_that_have_one() {
        let mut groups = Groups::new(LIMITS);
        let key = |stack| Key { state: State::Ready, spawned: None, waits: None, pinned: Pinned::No, stack };
        groups.add(key(Some(0)), green(5));
        groups.add(key(None), green(4));
        groups.add(key(None), green(6));
        groups.join_without_stack();
        let groups = groups.finish(Order::BySize, |number| model::Stack {
            frames: Vec::new(),
            is_complete: number == 0,
            in_c: None,
        });
        assert_eq!(groups.len(), 1);
        assert_eq!((groups[0].count, groups[0].stacks_taken), (3, 1));
        assert_eq!(groups[0].members.iter().map(|member| member.id).collect::<Vec<_>>(), [Some(4), Some(5), Some(6)]);
    }
}
