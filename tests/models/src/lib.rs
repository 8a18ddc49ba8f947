//! Loom models of Greenbridge's protocols.
//!
//! Each protocol of the runtime is one file that names nothing but `crate::primitive`. This package has a [`primitive`]
//! of its own, with loom's atomics and locks under the same names, and compiles the very files that ship against it:
//! `build.rs` copies them. For each protocol there are
//!
//! * `tests/<protocol>.rs`: its models. Each says in words what it proves, and explores every order of events up to
//!   a bound of preemptions;
//! * `mutants/<protocol>.rs`: faults put into the shipped text (an ordering weakened, a wake-up dropped, a re-check
//!   removed), each with the model that must fail. They run as tests that must panic, so a model that has gone blind fails the build.
//!
//! `cargo test -p greenbridge-models` runs it all: no flag, no global `cfg`.
//!
//! What loom leaves out: `SeqCst` accesses count as `AcqRel` (so protocols use fences), a load never sees a store of
//! the future (no load buffering), `compare_exchange_weak` never fails spuriously
//! and a condition variable never wakes spuriously. There are five threads at most, and no clock.

pub mod primitive;
pub mod witness;

/// Runs `model` in every order of events with at most `preemptions` of them forced by the explorer; switches where a
/// thread waits are free.
pub fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}
