//! What share of the time is spent in a gate?
//!
//! A gate takes as much as the program gets faster when it is taken away. So the program runs once more, and all its
//! green threads change the gate together, after every phase of a millisecond: first this gate, then that one, then none,
//! and over again. Each of them reads the clock after every batch of tasks, so that the batches of a gate tell how long a
//! task takes with it; and the share of that gate is
//!
//! ```text
//! (time of a task with the gate - time of a task with none) / time of a task with the gate
//! ```
//!
//! What else the machine does falls on all gates alike, for they alternate so quickly. A batch during which the phase
//! changed does not count; so neither does one that was interrupted for a millisecond or more by another program. What
//! is timed is real time: waiting for the mutex is part of its gate.
//!
//! The phases are dealt out to groups. The result is the median of the groups, with their quartiles to tell how sure it
//! is: a share smaller than their distance is noise, and may even come out below zero.
//!
//! The variant without a gate has no `#[export]` at all, so its panic boundary is missing too, and the share of a gate
//! counts that as gate. To read the clock around the gate itself would not do: that takes many times as long as the gate
//! of today.

use crate::gates::Gate;
use crate::progress::Tally;
use greenbridge::channel::Receiver;
use std::time::{Duration, Instant};

/// With fewer tasks there would not be enough phases.
pub(crate) const LEAST_TASKS: usize = 3_000_000;

/// How long all green threads use the same gate.
const PHASE: Duration = Duration::from_millis(1);

/// How many tasks a green thread does between two looks at the clock: a few microseconds' worth.
const BATCH: usize = 64;

/// Enough for quartiles that mean something.
pub(crate) const GROUPS: usize = 25;

/// A share of the time, between 0 and 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// The middle group.
    pub(crate) median: f64,
    /// A quarter of the groups lies below.
    pub(crate) low: f64,
    /// A quarter of the groups lies above.
    pub(crate) high: f64,
}

/// The phases: which gates alternate, and since when.
#[derive(Debug)]
pub(crate) struct Phases {
    variants: Vec<Gate>,
    start: Instant,
}

/// What one green thread has measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// For each group and variant.
    groups: Vec<Vec<Batches>>,
}

/// The batches of tasks that were done with one gate.
#[derive(Clone, Copy, Debug, Default)]
struct Batches {
    count: u32,
    time: Duration,
}

impl Phases {
    /// The first phase starts now.
    pub(crate) fn new(gates: &[Gate]) -> Phases {
        Phases { variants: [gates, &[Gate::Ungated]].concat(), start: Instant::now() }
    }

    /// One green thread: does the tasks that it gets, each with the gate of the phase.
    pub(crate) fn do_all(&self, tasks: &Receiver<()>, tally: &mut Tally<'_>) -> Measured {
        let mut groups = vec![vec![Batches::default(); self.variants.len()]; GROUPS];
        let mut begun = self.start.elapsed();
        loop {
            let phase = phase_at(begun);
            let (round, variant) = (phase / self.variants.len(), phase % self.variants.len());
            for _ in 0..BATCH {
                if tasks.recv().is_err() {
                    return Measured { groups };
                }
                self.variants[variant].task(&[0; 32]);
                tally.add_one();
            }
            let end = self.start.elapsed();
            if phase_at(end) == phase {
                let batches = &mut groups[round % GROUPS][variant];
                batches.count += 1;
                batches.time += end - begun;
            }
            begun = end;
        }
    }

    /// The share of each gate, from what all green threads have measured; none, if not even one batch counts.
    pub(crate) fn shares(&self, measured: &[Measured]) -> Vec<(Gate, Option<Share>)> {
        let (none, gates) = self.variants.split_last().expect("there is always the variant without a gate");
        debug_assert_eq!(*none, Gate::Ungated);
        let time = |group: usize, variant: usize| time_of_batch(measured.iter().map(|one| one.groups[group][variant]));
        let share_of = |variant| {
            let share = |group| Some(1.0 - time(group, gates.len())? / time(group, variant)?);
            summary((0..GROUPS).filter_map(share).collect())
        };
        gates.iter().enumerate().map(|(variant, &gate)| (gate, share_of(variant))).collect()
    }
}

/// The number of the phase at some time after the start.
fn phase_at(time: Duration) -> usize {
    (time.as_micros() / PHASE.as_micros()) as usize
}

/// The average in seconds, if there is any batch.
fn time_of_batch(all: impl Iterator<Item = Batches>) -> Option<f64> {
    let sum = all.fold(Batches::default(), |sum, batches| Batches {
        count: sum.count + batches.count,
        time: sum.time + batches.time,
    });
    (sum.count > 0).then(|| sum.time.as_secs_f64() / f64::from(sum.count))
}

fn summary(mut shares: Vec<f64>) -> Option<Share> {
    shares.sort_by(f64::total_cmp);
    let at = |quarter: usize| shares.get(shares.len() * quarter / 4).copied();
    Some(Share { median: at(2)?, low: at(1)?, high: at(3)? })
}
