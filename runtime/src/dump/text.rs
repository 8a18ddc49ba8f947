//! A dump as text for people.
//!
//! ```text
//! green thread 'reader' (#5), spawned at src/main.rs:10:5
//!     waits for a message at src/main.rs:12:20, for 1.2 s
//!     is pinned to worker 3: C is on its stack
//!     in sqlite3_step, called at src/store.rs:88:17
//!         at store::page::read (src/store.rs:40:9)
//!         at pagerRead (sqlite3.c:61234)
//!         ...
//! 998 green threads, spawned at src/main.rs:14:9: #6, #7, #8, #9 and 994 more
//!     each waits for the end of another green thread at src/main.rs:15:13, for 40 ms to 2.1 s
//! ```
//!
//! A plain `{}` leaves out the runtime's own frames at both ends of a backtrace; `{:#}` shows them.

use super::model::{Dump, Frame, Group, Member, OsThread, Pinned, Processor, Stack, State, Worker, WorkerState};
use core::fmt::{self, Display, Formatter};

/// The most members of a group that are named.
const NAMED: usize = 4;

impl Display for Dump {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { process, green_threads, not_begun, missed, .. } = self;
        write!(f, "greenbridge: process {process}: {green_threads} green threads have begun")?;
        if *not_begun > 0 {
            write!(f, ", about {not_begun} more are queued for their first turn")?;
        }
        writeln!(f, "; taken in {}\n", Time(self.took_us / 1000))?;
        for group in &self.groups {
            group.fmt(f)?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        if *missed > 0 {
            writeln!(f, "{missed} began, ended or changed while this was taken, and are not shown")?;
        }
        if let Some(why) = &self.no_backtraces {
            writeln!(f, "no backtraces: {why}")?;
        }
        f.write_str("\n")?;
        self.processors.iter().try_for_each(|processor| writeln!(f, "{processor}"))?;
        self.workers.iter().try_for_each(|worker| writeln!(f, "{worker}"))
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names = List(self, |member: &Member, f: &mut Formatter<'_>| member.fmt(f));
        let is_green = self.members.first().is_none_or(|member| member.id.is_some());
        let (kind, each) = match (is_green, self.count) {
            (true, 1) => ("green thread", ""),
            (true, _) => ("green threads", "each "),
            (false, 1) => ("OS thread", ""),
            (false, _) => ("OS threads", "each "),
        };
        match (&self.spawned_at, self.count) {
            (Some(spawned), 1) => writeln!(f, "{kind} {names}, spawned at {spawned}")?,
            (Some(spawned), count) => writeln!(f, "{count} {kind}, spawned at {spawned}: {names}")?,
            (None, 1) => writeln!(f, "{kind} {names}")?,
            (None, count) => writeln!(f, "{count} {kind}: {names}")?,
        }
        self.write_state(f, each)?;
        self.write_pin(f, each)?;
        match &self.stack {
            Some(stack) => self.write_stack(stack, f, each),
            None => Ok(()),
        }
    }
}

impl Group {
    fn write_state(&self, f: &mut Formatter<'_>, each: &str) -> fmt::Result {
        let workers = List(self, write_worker);
        match self.state {
            State::InC => return writeln!(f, "    {each}is in C on worker {workers}"),
            State::Runs => return writeln!(f, "    {each}runs on worker {workers}"),
            State::Ready => return writeln!(f, "    {each}is ready to run"),
            State::Waits => write!(f, "    {each}waits")?,
        }
        if let (Some(what), Some(at)) = (&self.waits_for, &self.waits_at) {
            write!(f, " for {what} at {at}")?;
        }
        match self.waited_ms {
            Some((least, most)) if least == most => writeln!(f, ", for {}", Time(least)),
            Some((least, most)) => writeln!(f, ", for {} to {}", Time(least), Time(most)),
            None => writeln!(f),
        }
    }

    fn write_pin(&self, f: &mut Formatter<'_>, each: &str) -> fmt::Result {
        let workers = List(self, write_worker);
        let threads = List(self, |member: &Member, f: &mut Formatter<'_>| match &member.os_thread {
            Some(thread) => thread.fmt(f),
            None => f.write_str("?"),
        });
        match self.pinned {
            Pinned::No => Ok(()),
            Pinned::Blocks => writeln!(f, "    {each}blocks OS thread {threads}"),
            Pinned::ByC => writeln!(f, "    {each}is pinned to worker {workers}: C is on its stack"),
            Pinned::ByGuard => writeln!(f, "    {each}is pinned to worker {workers}: it holds a pin guard"),
            Pinned::ByCAndGuard => {
                writeln!(f, "    {each}is pinned to worker {workers}: C is on its stack, and it holds a pin guard")
            }
        }
    }

    fn write_stack(&self, stack: &Stack, f: &mut Formatter<'_>, each: &str) -> fmt::Result {
        if let Some(in_c) = &stack.in_c {
            writeln!(f, "    {each}in {in_c}")?;
        }
        let frames = if f.alternate() { &stack.frames[..] } else { stack.trimmed() };
        frames.iter().try_for_each(|frame| writeln!(f, "        at {frame}"))?;
        if !stack.is_complete {
            writeln!(f, "        ... (the rest could not be followed)")?;
        }
        match self.count - self.stacks_taken.min(self.count) {
            0 => Ok(()),
            more => writeln!(f, "        (the backtraces of {more} more were not taken)"),
        }
    }
}

impl Stack {
    /// The frames without the runtime's own at both ends, unless that leaves none.
    fn trimmed(&self) -> &[Frame] {
        let is_users = |frame: &Frame| !frame.is_runtime;
        match (self.frames.iter().position(is_users), self.frames.iter().rposition(is_users)) {
            (Some(first), Some(last)) => &self.frames[first..=last],
            _ => &self.frames,
        }
    }
}

impl Display for Frame {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        match &self.at {
            Some(at) => write!(f, " ({at})"),
            None => Ok(()),
        }
    }
}

/// Something about each of the first members, and how many more there are.
struct List<'a, F>(&'a Group, F);

impl<F: Fn(&Member, &mut Formatter<'_>) -> fmt::Result> Display for List<'_, F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(group, write) = self;
        let named = &group.members[..group.members.len().min(NAMED)];
        for (number, member) in named.iter().enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            write(member, f)?;
        }
        match group.count - named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

fn write_worker(member: &Member, f: &mut Formatter<'_>) -> fmt::Result {
    match member.worker {
        Some(worker) => worker.fmt(f),
        None => f.write_str("?"),
    }
}

impl Display for Member {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.id, &self.name, &self.os_thread) {
            (Some(id), Some(name), _) => write!(f, "'{name}' (#{id})"),
            (Some(id), None, _) => write!(f, "#{id}"),
            (None, _, Some(thread)) => thread.fmt(f),
            (None, _, None) => f.write_str("?"),
        }
    }
}

impl Display for OsThread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "'{name}' ({})", self.number),
            None => self.number.fmt(f),
        }
    }
}

impl Display for Processor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "processor {}: ", self.index)?;
        match self.worker {
            Some(worker) => write!(f, "owned by worker {worker}, ")?,
            None => f.write_str("idle, ")?,
        }
        write!(f, "{} queued, turn {}", self.queued, self.turns)
    }
}

impl Display for Worker {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}, OS thread {}: ", self.index, self.os_thread)?;
        f.write_str(match self.state {
            WorkerState::Runs => "runs",
            WorkerState::InC => "is in C with",
            WorkerState::Blocks => "is blocked by",
            WorkerState::Looks => "looks for work",
            WorkerState::Sleeps => "sleeps",
        })?;
        if let Some(id) = self.green_thread {
            write!(f, " #{id}")?;
        }
        match self.processor {
            Some(processor) => write!(f, ", with processor {processor}")?,
            None => f.write_str(", without a processor")?,
        }
        match self.residents {
            0 => Ok(()),
            1 => f.write_str(", keeps 1 resident"),
            many => write!(f, ", keeps {many} residents"),
        }
    }
}

/// A time in milliseconds, with the unit that it is read best in.
struct Time(u64);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            milliseconds @ 0..1_000 => write!(f, "{milliseconds} ms"),
            milliseconds @ 1_000..120_000 => write!(f, "{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
            milliseconds @ 120_000..7_200_000 => write!(f, "{} min", milliseconds / 60_000),
            milliseconds => write!(f, "{} h", milliseconds / 3_600_000),
        }
    }
}
