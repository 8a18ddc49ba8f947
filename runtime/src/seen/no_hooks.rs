//! Nobody records: the feature `trace` is off.

use super::HandOff;
use crate::green::switch::Turn;
use crate::green::thread::{Head, Ready};
use crate::scheduler::in_c::Way;
use crate::scheduler::processor::Processor;
use crate::scheduler::worker::Worker;

/// What a worker keeps for it.
#[derive(Debug)]
pub(crate) struct OfWorker;

impl OfWorker {
    pub(crate) const fn new() -> Self {
        Self
    }
}

/// Where a C call is made.
#[derive(Clone, Copy)]
pub(crate) struct Here;

#[inline(always)]
pub(crate) const fn here() -> Here {
    Here
}

#[inline(always)]
pub(crate) const fn is_watched() -> bool {
    false
}

#[inline(always)]
pub(crate) const fn turn_begins(_: &'static Worker, _: &Ready) {}

#[inline(always)]
pub(crate) const fn turn_ends(_: &Worker, _: &Ready, _: Turn) {}

#[inline(always)]
pub(crate) const fn finishes(_: &Worker, _: u64) {}

#[inline(always)]
pub(crate) const fn spawned(_: &Ready) {}

#[inline(always)]
pub(crate) const fn woken(_: &Head) {}

#[inline(always)]
pub(crate) const fn hands_over(_: &Processor, _: &Worker, _: HandOff) {}

/// A C call while it lasts.
pub(crate) struct Stay;

impl Stay {
    #[inline(always)]
    pub(crate) const fn ends(self) {}
}

#[inline(always)]
pub(crate) const fn c_begins<F>(_: Option<&'static Worker>, _: Way, _: &F, _: Here) -> Stay {
    Stay
}
