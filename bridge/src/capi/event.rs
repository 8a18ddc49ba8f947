//! Events: a wait and a notification, for C. They are `sync::Notify`; those for signal handlers go through `relay.rs`.

use super::codes::{Code, GB_EFORKED, GB_EINVAL, GB_ETIMEDOUT, GB_OK};
use super::entry::entry;
use super::owed::Link;
use super::relay;
use crate::start;
use crate::sync::Notify;
use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

/// For gb_event_new(): signal handlers may notify the event.
pub const GB_EVENT_SIGNALS: u32 = 1;

/// An event: each gb_event_notify() lets one gb_event_wait() return.
#[derive(Debug)]
pub struct gb_event {
    notify: Notify,
    /// For an event that signal handlers may notify.
    link: Option<Link<Self>>,
}

impl gb_event {
    /// Notifies on the spot. Takes a lock.
    pub(super) fn notify_now(&self) {
        self.notify.notify_one();
    }

    /// Its place in the relay's list.
    pub(super) fn link(&self) -> Option<&Link<Self>> {
        self.link.as_ref()
    }
}

/// Makes an event that nobody has notified. *out is for gb_event_free(); on failure it is set to
/// NULL.
///
/// flags is 0 or GB_EVENT_SIGNALS. The first event with GB_EVENT_SIGNALS makes one more OS
/// thread, for good: it sleeps, and brings the notifications of all such events from the signal
/// handlers to those who wait. Because a signal may come at any time, no deadlock is reported
/// from then on.
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: none.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works.
/// Errors: GB_EINVAL (out is NULL, or an unknown flag), GB_EAGAIN (no OS thread), and those of
/// the start.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_event_new(flags: u32, out: *mut *mut gb_event) -> c_int {
    if out.is_null() {
        return GB_EINVAL;
    }
    // SAFETY: by the header's contract.
    unsafe { out.write(core::ptr::null_mut()) };
    entry(|| {
        let link = match flags {
            0 => None,
            GB_EVENT_SIGNALS => {
                relay::start()?;
                Some(Link::new())
            }
            _ => return Err(Code(GB_EINVAL)),
        };
        let event = Arc::new(gb_event { notify: Notify::new(), link });
        // SAFETY: as above.
        unsafe { out.write(Arc::into_raw(event).cast_mut()) };
        Ok(())
    })
}

/// Frees the event. Nobody may wait for it, and nobody may notify it from now on; a call of
/// gb_event_notify() that has returned is over. NULL is accepted.
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: none.
/// Before the start, after fork, during exit: works, and starts nothing.
/// Errors: none.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_event_free(event: *mut gb_event) {
    if !event.is_null() {
        // SAFETY: made by `Arc::into_raw` in `gb_event_new`, and given up.
        drop(unsafe { Arc::from_raw(event) });
    }
}

/// Waits until the event is notified, and takes the notification. Returns at once if one was
/// kept. Of several who wait, the one that has waited longest goes first.
///
/// What was done before gb_event_notify() has been done for whoever returns from here.
///
/// Threads: any, not a signal handler. Blocks: may; on a green thread only that waits. Callbacks:
/// none.
/// After fork: GB_EFORKED. During exit: works, and may wait for ever.
/// Errors: GB_EINVAL (NULL), GB_EFORKED.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_event_wait(event: *mut gb_event) -> c_int {
    entry(|| {
        // SAFETY: by the header's contract.
        unsafe { shared(event) }?.notify.wait();
        Ok(())
    })
}

/// As gb_event_wait(), for no longer than that many nanoseconds. With 0 it takes a notification
/// that was kept, and does not wait.
///
/// Threads: any, not a signal handler. Blocks: may; on a green thread only that waits. Callbacks:
/// none.
/// After fork: GB_EFORKED. During exit: works.
/// Errors: GB_ETIMEDOUT (no notification was taken), GB_EINVAL (NULL), GB_EFORKED.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_event_wait_ns(event: *mut gb_event, nanoseconds: u64) -> c_int {
    entry(|| {
        // SAFETY: by the header's contract.
        let event = unsafe { shared(event) }?;
        event.notify.wait_timeout(Duration::from_nanos(nanoseconds)).map_err(|_| Code(GB_ETIMEDOUT))
    })
}

/// Lets one who waits for the event go on. If nobody waits, it is kept for the next one; one is
/// kept, however often this is called.
///
/// An event that was made with GB_EVENT_SIGNALS may also be notified by signal handlers: this
/// then uses atomic operations and one system call, and leaves errno alone. It wakes by way of
/// another OS thread, which takes some microseconds more. A signal handler must not notify any
/// other event.
///
/// Threads: any; a signal handler if the event was made for it. Blocks: no. Callbacks: none.
/// After fork: GB_EFORKED. During exit: works.
/// Errors: GB_EINVAL (NULL), GB_EFORKED.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_event_notify(event: *mut gb_event) -> c_int {
    // SAFETY: by the header's contract, NULL or an event that has not been freed.
    let Some(known) = (unsafe { event.as_ref() }) else { return GB_EINVAL };
    let Some(link) = known.link() else {
        return entry(|| {
            known.notify_now();
            Ok(())
        });
    };
    // In a signal handler from here on. The runtime was up when the event was made; it is not in a forked child.
    if !start::is_ready() {
        return GB_EFORKED;
    }
    // SAFETY: 1. and 2. as above: it is an `Arc`'s, and its own link.
    unsafe { relay::hand_over(event, link) };
    GB_OK
}

/// The event, kept alive.
///
/// # Safety
/// `event` is NULL, or came from `gb_event_new` and has not been freed.
unsafe fn shared(event: *const gb_event) -> Result<Arc<gb_event>, Code> {
    if event.is_null() {
        return Err(Code(GB_EINVAL));
    }
    // SAFETY: made by `Arc::into_raw`, and one reference is still C's.
    unsafe {
        Arc::increment_strong_count(event);
        Ok(Arc::from_raw(event))
    }
}
