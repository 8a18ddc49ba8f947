//! A green thread's stack is too small: say whose it was and what to do about it, then abort.
//!
//! The invariant: **the handler touches nothing that a fault could have caught half-done.** It allocates nothing, locks
//! nothing, formats nothing through `core::fmt`, and has no thread-local variable of its own (in a library that was
//! loaded late, the first use of one allocates). It works on statics that are only ever added to, and calls only what
//! POSIX allows in a handler.
//!
//! ```text
//!  fault at address A, stack pointer S
//!    │  a slot of some slab holds A in its guard, and S too?           (atomics and arithmetic only)
//!    ├─ yes ─► owner cell of the slot ─► message on stderr ─► abort
//!    └─ no ──► whoever handled the signal before us, as if we were not here
//! ```
//!
//! **Why the stack pointer as well.** A stray pointer can hit the guard of a stack on which somebody else runs, or
//! nobody. That is not an overflow, and its owner may go away while we read it. If the stack pointer is in the same
//! slot, then the faulting OS thread itself runs there; the green thread cannot end before the handler returns, and its
//! owner is valid.
//!
//! **Where it runs.** On the [`AlternateStack`](super::AlternateStack) of the worker: there is no room left elsewhere.
//!
//! **Frames larger than the guard.** C that moves its stack pointer by more than 64 KiB at once can jump over the
//! guard, onto the next stack. No handler sees that; it takes `-fstack-clash-protection` when the C is compiled.

use libc::{c_int, c_void, siginfo_t};
use std::io;

use super::Owner;
use super::meter;
use super::signal;
use super::slab::{self, Slot};
use crate::primitive::Ordering;
use crate::stderr::write_to_stderr;

/// Makes the overflow of a green thread's stack end the process with a message that names the green thread, the size of
/// its stack and the knob. Every call after the first does nothing.
///
/// # Errors
/// The system refuses to install a signal handler.
pub(crate) fn install_handler() -> io::Result<()> {
    #[cfg(feature = "faults")]
    crate::faults::fail(crate::faults::Site::Start)?;
    signal::install(on_fault)
}

/// The signal handler. The kernel calls it with a valid `info` and `context`, which are ours until it returns.
unsafe extern "C" fn on_fault(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gave both pointers.
    if let Some((address, stack_pointer)) = unsafe { signal::fault(info, context) }
        && let Some(slot) = overflowed(address, stack_pointer)
    {
        // Acquire pairs with the Release in `Stack::set_owner`.
        let owner = slot.owner().load(Ordering::Acquire);
        // SAFETY: null, or the owner that was set last. The green thread that it belongs to runs on this very OS thread
        // and cannot end before we return, so it is valid (see the module doc).
        report(unsafe { owner.as_ref() }, slot);
        // SAFETY: abort may be called from a handler, and does not return.
        unsafe { libc::abort() };
    }
    // SAFETY: the arguments are what the kernel gave to this handler.
    unsafe { signal::pass_on(number, info, context) };
}

/// The slot whose stack has overflowed, if this is what a fault at `address` means.
fn overflowed(address: usize, stack_pointer: Option<usize>) -> Option<Slot> {
    let slot = slab::find(address)?;
    // Where the stack pointer is not known, the address must do.
    let runs_here = stack_pointer.is_none_or(|stack_pointer| slot.is_below_top(stack_pointer));
    (slot.is_guarded_at(address) && runs_here).then_some(slot)
}

/// Says on stderr who overflowed the stack in `slot`, how much of it was ever touched, and which knob helps.
fn report(owner: Option<&Owner>, slot: Slot) {
    let mut message = Message::new();
    message.add("greenbridge: ");
    match owner.map(|owner| (owner.name(), owner.id())) {
        Some((Some(name), id)) => {
            message.add("green thread '");
            message.add(start_of(name));
            message.add("' (#");
            message.add_number(id);
            message.add(")");
        }
        Some((None, id)) => {
            message.add("green thread #");
            message.add_number(id);
        }
        None => message.add("a green thread"),
    }
    message.add(" overflowed its stack of ");
    let usable = slot.usable();
    message.add_number(slot.shape().usable() as u64 >> 10);
    message.add(" KiB");
    // A call chain touches all of it; a frame that is too large jumps over the rest.
    if let Some(deepest) = meter::lowest_in_memory(usable.clone()).filter(|&deepest| deepest > usable.start) {
        message.add(", of which only ");
        message.add_number((usable.end - deepest) as u64 >> 10);
        message.add(" KiB were ever touched: one frame is larger than the rest");
    }
    message.add("; raise Builder::stack_size or GREENBRIDGE_STACK_SIZE\n");
    message.write_to_stderr();
}

/// As much of a name as leaves room for the rest of the message.
fn start_of(name: &str) -> &str {
    let mut end = name.len().min(256);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// A message put together without allocation and without the formatting machinery. What does not fit is left out.
struct Message {
    bytes: [u8; 512],
    len: usize,
}

impl Message {
    fn new() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }

    fn add(&mut self, text: &str) {
        for (place, byte) in self.bytes[self.len..].iter_mut().zip(text.bytes()) {
            *place = byte;
            self.len += 1;
        }
    }

    fn add_number(&mut self, number: u64) {
        if number >= 10 {
            self.add_number(number / 10);
        }
        let digit = (number % 10) as usize;
        self.add(&"0123456789"[digit..=digit]);
    }

    fn write_to_stderr(&self) {
        write_to_stderr(&self.bytes[..self.len]);
    }
}

#[cfg(test)]
mod tests;
