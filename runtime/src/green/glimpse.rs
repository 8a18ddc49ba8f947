//! What a report shows of a green thread, read from a copy of its control block that was made while it ran.
//!
//! The copy is bytes (`dump/census.rs`). Only single fields are read out of it, each through a pointer: a reference to the whole would claim that
//! all of them are values.

use super::origin::Origin;
use super::state::State;
use super::thread::{Head, Residence};
use crate::scheduler::age::Stamp;
use crate::scheduler::worker::Worker;
use crate::stack::Owner;
use crate::wait::Waits;
use crate::wait::last::LastWait;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// A copy of a control block, which may be of anything.
pub(crate) struct Copy<'a> {
    head: &'a MaybeUninit<Head>,
    address: usize,
}

/// What is shown. Each is right for a moment of its own, unless the green thread stays parked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glimpse {
    /// The address of its control block, for comparison.
    pub(crate) head: usize,
    pub(crate) id: u64,
    pub(crate) spawned: Origin,
    /// What it waited for last, and since when.
    pub(crate) waited: Option<(Waits, Stamp)>,
    pub(crate) is_parked: bool,
    pub(crate) has_pins: bool,
    pub(crate) in_callback: bool,
    pub(crate) residence: Residence,
    pub(crate) home: Option<&'static Worker>,
    /// Where its stack pointer is, if it is suspended and the place in the coroutine is known.
    #[cfg(feature = "dump")]
    pub(crate) stack_pointer: Option<usize>,
}

impl<'a> Copy<'a> {
    /// The copy of what lies at `address`: zeroes, or bytes that were copied.
    pub(crate) fn new(address: usize, head: &'a MaybeUninit<Head>) -> Self {
        Self { head, address }
    }

    /// The id, if it is of a control block.
    pub(crate) fn id(&self) -> u64 {
        // SAFETY: any bytes are a number.
        unsafe { Owner::id_in(self.owner()) }
    }

    /// Where the name would be. Not to be followed.
    pub(crate) fn name(&self) -> Option<NonNull<[u8]>> {
        // SAFETY: any bytes are such a pointer.
        unsafe { Owner::name_in(self.owner()) }
    }

    fn owner(&self) -> *const Owner {
        // SAFETY: an address within the copy.
        unsafe { &raw const (*self.head.as_ptr()).owner }
    }

    /// What it shows.
    ///
    /// # Safety
    /// It is the copy of a control block that was alive while it was made.
    pub(crate) unsafe fn believe(&self) -> Glimpse {
        /// Reads a cell of a type whose values are written in one piece.
        ///
        /// # Safety
        /// The bytes are a value.
        unsafe fn get<T: core::marker::Copy>(cell: *const Cell<T>) -> T {
            // SAFETY: by contract.
            unsafe { cell.cast::<T>().read() }
        }
        let head = self.head.as_ptr();
        // SAFETY: by contract each field was written by its owner in one piece, so its bytes are a value; atomics may have any.
        unsafe {
            let state: &State = &(*head).state;
            let waits: &LastWait = &(*head).waits;
            Glimpse {
                head: self.address,
                id: self.id(),
                spawned: (&raw const (*head).spawned).read(),
                waited: waits.get(),
                is_parked: state.is_parked(),
                has_pins: get(&raw const (*head).pins) > 0,
                in_callback: get(&raw const (*head).in_callback),
                residence: get(&raw const (*head).residence),
                home: get(&raw const (*head).home),
                #[cfg(feature = "dump")]
                stack_pointer: crate::dump::suspended::stack_pointer_in((&raw const (*head).coroutine).cast()),
            }
        }
    }
}

impl Head {
    /// The address of the head that `owner` is part of.
    pub(crate) fn address_of_owner(owner: NonNull<Owner>) -> usize {
        owner.as_ptr().expose_provenance() - Self::OFFSET_OF_OWNER
    }
}
