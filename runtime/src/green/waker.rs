//! The wakers of a green thread: a counted reference each, behind std's `Waker`.

use super::state::LastWake;
use super::thread::{Green, Head, Ready, free};
use crate::scheduler::worker::Worker;
use crate::scheduler::{current, wake};
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};

/// The waker of a green thread: its data is a counted head.
static WAKER: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let head = head_of(data);
        // SAFETY: a waker's data is a counted (or borrowed and alive) head.
        let green = unsafe { head.as_ref() };
        if is_running_here(head) {
            green.lent.set(green.lent.get() + 1);
        } else {
            green.state.add_reference();
        }
        RawWaker::new(data, &WAKER)
    },
    |data| {
        let head = head_of(data);
        // SAFETY: as above.
        match unsafe { head.as_ref() }.state.wake_and_release() {
            // SAFETY: it was parked, and this caller was told to schedule it.
            LastWake::MustSchedule => wake::schedule(unsafe { Ready::from_raw(head) }),
            // SAFETY: the outcome says so.
            LastWake::MustFree => unsafe { free(head) },
            LastWake::NothingToDo => {}
        }
    },
    |data| {
        // SAFETY: as above; the reference stays the waker's.
        let green = ManuallyDrop::new(unsafe { Green::from_counted(head_of(data)) });
        wake::wake(&green);
    },
    // SAFETY: as above; the reference is given up.
    |data| drop(unsafe { Green::from_counted(head_of(data)) }),
);

/// Whether the caller is a green thread that runs on this OS thread.
fn is_running_here(head: NonNull<Head>) -> bool {
    current::worker().and_then(Worker::green).is_some_and(|green| ptr::eq(green, head.as_ptr()))
}

/// What the data of a waker is.
fn head_of(data: *const ()) -> NonNull<Head> {
    NonNull::new(data.cast_mut().cast()).expect("a waker has a head")
}

/// A waker for the running green thread, without a reference of its own: clones have theirs.
///
/// # Safety
/// `head` is alive as long as the waker is used.
#[inline]
pub(crate) unsafe fn borrowed_waker(head: NonNull<Head>) -> ManuallyDrop<Waker> {
    // SAFETY: the vtable keeps to the contract of `RawWaker`: thread-safe, clones are counted.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(head.as_ptr().cast(), &WAKER)) })
}
