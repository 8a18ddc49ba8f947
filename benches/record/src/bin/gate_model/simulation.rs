//! The program of Go issue 60961 on a number of cores: a simulation of cache lines and of the mutex of glibc.
//!
//! Each core does tasks, one after the other: takes it from a channel behind one lock, computes for itself, and passes the gate. The gate
//! is a mutex, locked and unlocked a number of times per callback, or a load of a line that nobody writes, which costs nothing
//! after the first time.
//!
//! **A line** is owned by the core that used it last, and serves one access at a time, in order of arrival. An access costs what the
//! machine says of the two cores. **The mutex** is glibc's (`nptl/lowlevellock.h`), step by step: a compare-and-exchange from 0 to 1; who
//! fails exchanges in a 2 and sleeps in the kernel if it was taken, and exchanges again when woken; the unlock exchanges in a 0, and if it
//! finds a 2, wakes one. Sleeping and waking take the lock of one bucket in the kernel, which is a line like any other. The lock of
//! the channel is Go's: it looks again a few times before it sleeps.
//!
//! It knows no frequencies, no hyper-threads, no preemption, and every line is as far as the table says, however busy the
//! interconnect.

use crate::machine::Machine;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A system call, without what it waits for.
const SYSTEM_CALL: f64 = 400.0;
/// From the wake-up of a sleeping thread to its next instruction.
const WAKE_UP: f64 = 5_000.0;
/// Looks of Go's lock before it sleeps, and how far they are apart: 30 `pause` instructions.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: f64 = 300.0;

/// What is done with the gate's mutex held: a flag is read, which lies beside its word.
const GATE_SECTION: f64 = 2.0;

/// What a core does in a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    /// Nanoseconds that it needs from nobody.
    pub(crate) own: f64,
    /// How often it locks the gate's mutex; 0 is the gate that is a load.
    pub(crate) gate_rounds: usize,
    /// Whether it takes the task from a channel.
    pub(crate) channel: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Locked,
    /// Locked, and somebody may sleep.
    Contended,
}

#[derive(Debug)]
struct Line {
    owner: usize,
    free_at: f64,
}

impl Line {
    fn access(&mut self, machine: &Machine, core: usize, now: f64) -> f64 {
        let cost = machine.transfer(self.owner, core);
        self.owner = core;
        self.free_at = self.free_at.max(now) + cost;
        self.free_at
    }
}

#[derive(Debug)]
struct Mutex {
    word: Line,
    state: State,
    bucket: Line,
    sleepers: VecDeque<usize>,
    looks: u32,
    /// What the holder does: nanoseconds, and whether on a line that the last holder wrote.
    section: f64,
    data: Option<Line>,
}

/// Where a core stands.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Compute,
    /// In the lock with this number: the first try, a look, or the exchange with 2.
    Try(usize),
    Look(usize, u32),
    Exchange(usize),
    Sleep(usize),
    Hold(usize),
    Unlock(usize),
}

const CHANNEL: usize = 0;
const GATE: usize = 1;

/// Nanoseconds for one task, over all cores: the time for many, divided by their number.
pub(crate) fn per_task(machine: &Machine, cores: usize, task: Task, tasks: usize) -> f64 {
    let line = || Line { owner: 0, free_at: 0.0 };
    let mutex = |looks, section, data| Mutex {
        word: line(),
        state: State::Free,
        bucket: line(),
        sleepers: VecDeque::new(),
        looks,
        section,
        data,
    };
    let mut locks = [mutex(LOOKS, 10.0, Some(line())), mutex(0, GATE_SECTION, None)];
    let mut steps = vec![(Step::Begin, 0_usize); cores];
    // Times are ordered as bits, which is right for numbers that are not negative.
    let mut events: BinaryHeap<_> = (0..cores).map(|core| Reverse(((core as f64).to_bits(), core))).collect();
    let (mut left, mut end) = (tasks, 0.0_f64);
    while let Some(Reverse((now, core))) = events.pop() {
        let now = f64::from_bits(now);
        let (step, rounds) = steps[core];
        let mut rounds_left = rounds;
        let (next, at) = match step {
            Step::Begin => {
                end = end.max(now);
                if left == 0 {
                    continue;
                }
                left -= 1;
                rounds_left = task.gate_rounds;
                (if task.channel { Step::Try(CHANNEL) } else { Step::Compute }, now)
            }
            Step::Compute => {
                // Tasks are not all alike: a fifth more or less, in a fixed order.
                let share = 0.8 + 0.4 * ((left * 7 + core * 13) % 11) as f64 / 10.0;
                (if rounds_left > 0 { Step::Try(GATE) } else { Step::Begin }, now + task.own * share)
            }
            Step::Try(lock) | Step::Look(lock, _) => {
                let mutex = &mut locks[lock];
                let at = mutex.word.access(machine, core, now);
                if mutex.state == State::Free {
                    mutex.state = State::Locked;
                    (Step::Hold(lock), at)
                } else {
                    let looked = if let Step::Look(_, looked) = step { looked } else { 0 };
                    if looked < mutex.looks {
                        (Step::Look(lock, looked + 1), at + BETWEEN_LOOKS)
                    } else {
                        (Step::Exchange(lock), at)
                    }
                }
            }
            Step::Exchange(lock) => {
                let mutex = &mut locks[lock];
                let at = mutex.word.access(machine, core, now);
                let was = std::mem::replace(&mut mutex.state, State::Contended);
                (if was == State::Free { Step::Hold(lock) } else { Step::Sleep(lock) }, at)
            }
            Step::Sleep(lock) => {
                let mutex = &mut locks[lock];
                let at = mutex.bucket.access(machine, core, now + SYSTEM_CALL);
                // The kernel looks once more, with its bucket locked.
                if mutex.state == State::Contended {
                    mutex.sleepers.push_back(core);
                    steps[core] = (Step::Exchange(lock), rounds_left);
                    continue;
                }
                (Step::Exchange(lock), at)
            }
            Step::Hold(lock) => {
                let mutex = &mut locks[lock];
                let at = mutex.data.as_mut().map_or(now, |data| data.access(machine, core, now));
                (Step::Unlock(lock), at + mutex.section)
            }
            Step::Unlock(lock) => {
                let mutex = &mut locks[lock];
                let mut at = mutex.word.access(machine, core, now);
                if std::mem::replace(&mut mutex.state, State::Free) == State::Contended {
                    at = mutex.bucket.access(machine, core, at + SYSTEM_CALL);
                    if let Some(sleeper) = mutex.sleepers.pop_front() {
                        events.push(Reverse(((at + WAKE_UP).to_bits(), sleeper)));
                    }
                }
                if lock == CHANNEL {
                    (Step::Compute, at)
                } else {
                    rounds_left -= 1;
                    (if rounds_left > 0 { Step::Try(GATE) } else { Step::Begin }, at)
                }
            }
        };
        steps[core] = (next, rounds_left);
        events.push(Reverse((at.to_bits(), core)));
    }
    end / tasks as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{EPYC, XEON};

    const ALONE: Task = Task { own: 100.0, gate_rounds: 0, channel: false };

    #[test]
    fn without_anything_shared_cores_divide_the_time() {
        for cores in [1, 8, 64] {
            let time = per_task(&XEON, cores, ALONE, 64_000) * cores as f64;
            assert!((90.0..110.0).contains(&time), "{cores} cores: {time} ns of a core per task");
        }
    }

    #[test]
    fn a_mutex_that_nobody_else_takes_costs_two_locked_instructions() {
        let with = per_task(&EPYC, 1, Task { gate_rounds: 1, ..ALONE }, 10_000);
        let without = per_task(&EPYC, 1, ALONE, 10_000);
        let instructions = (with - without - GATE_SECTION) / EPYC.own;
        assert!((1.9..2.1).contains(&instructions), "{with} and {without}");
    }

    #[test]
    fn more_cores_do_not_make_a_mutex_faster() {
        let task = Task { own: 50.0, gate_rounds: 2, channel: false };
        let (two, many) = (per_task(&EPYC, 2, task, 20_000), per_task(&EPYC, 64, task, 20_000));
        assert!(many > two / 2.0, "2 cores {two} ns, 64 cores {many} ns");
    }

    #[test]
    fn nobody_sleeps_for_ever() {
        for cores in [2, 3, 16, 128] {
            let time = per_task(&EPYC, cores, Task { own: 10.0, gate_rounds: 2, channel: true }, 5_000);
            assert!(time.is_finite() && time > 0.0, "{cores} cores");
        }
    }
}
