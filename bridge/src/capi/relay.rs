//! The relay: it brings notifications out of signal handlers.
//!
//! To wake a green thread takes locks, and a signal handler may have interrupted whoever holds them. So the handler leaves the event in a list, and an
//! OS thread of its own, which no handler interrupts, does the waking.
//!
//! `owed.rs` has the list, and the argument that nothing in it is lost. Here are what surrounds it: the OS thread, the futex that it sleeps on,
//! and the reference by which the list keeps an event alive, so that it may be freed right after it was notified.
//!
//! A handler does atomics and one `futex` call, which needs no descriptor: it works when a daemon has closed all of them.
//!
//! # What it must never do
//! Run a signal handler itself (all signals are blocked on its OS thread), or run code of the user's: it notifies, and those who wait run
//! elsewhere.

use super::codes::{Code, GB_EAGAIN};
use super::event::gb_event;
use super::owed::{Link, List, Owed};
use crate::primitive::{Mutex, lock};
use core::mem::MaybeUninit;
use core::ptr;
use std::sync::Arc;

static LIST: List<gb_event> = List::new();

/// Leaves one notification of `event` with the relay. For signal handlers.
///
/// # Safety
/// 1. `event` is an `Arc`'s pointer, and somebody holds a reference.
/// 2. `link` is its own.
pub(super) unsafe fn hand_over(event: *const gb_event, link: &Link<gb_event>) {
    // SAFETY: 1. The reference is the list's; `settle` takes it over.
    match LIST.owe(event.cast_mut(), link, || unsafe { Arc::increment_strong_count(event) }) {
        Owed::MustWake => wake(),
        Owed::Counted => {}
    }
}

/// Starts the relay, unless it runs.
pub(super) fn start() -> Result<(), Code> {
    static IS_STARTED: Mutex<bool> = Mutex::new(false);
    let mut is_started = lock(&IS_STARTED);
    if !*is_started {
        #[cfg(feature = "faults")]
        greenbridge_runtime::bridge::fail(crate::faults::Site::Thread).map_err(|_| Code(GB_EAGAIN))?;
        let before = block_signals();
        let started = std::thread::Builder::new().name("greenbridge-sig".to_owned()).stack_size(64 << 10).spawn(relay);
        restore_signals(&before);
        started.map_err(|_| Code(GB_EAGAIN))?;
        *is_started = true;
    }
    Ok(())
}

fn relay() {
    loop {
        let (bell, last) = LIST.take();
        settle(last);
        sleep(bell);
    }
}

/// Makes the notifications that these events owe, those of the first to have been pushed first.
fn settle(last: *mut gb_event) {
    let mut owing = Vec::new();
    let mut at = last;
    while !at.is_null() {
        // SAFETY: pushed with a reference of the list's own, which is now ours.
        let event = unsafe { Arc::from_raw(at) };
        let owed;
        (at, owed) = event.link().map_or((ptr::null_mut(), 0), Link::settle);
        owing.push((event, owed));
    }
    for (event, owed) in owing.iter().rev() {
        (0..*owed).for_each(|_| event.notify_now());
    }
}

/// Wakes the relay. Leaves errno alone.
fn wake() {
    // SAFETY: errno of this OS thread; a wake takes the address for a name, and does not follow it.
    unsafe {
        let errno = *libc::__errno_location();
        libc::syscall(libc::SYS_futex, LIST.bell().as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
        *libc::__errno_location() = errno;
    }
}

/// Sleeps until the bell is another one.
fn sleep(bell: u32) {
    let forever = ptr::null::<libc::timespec>();
    // SAFETY: the bell is a static. It returns early for nothing, and then the relay looks in vain.
    unsafe {
        libc::syscall(libc::SYS_futex, LIST.bell().as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, bell, forever)
    };
}

/// Blocks all signals on this OS thread, and so on those that it makes. Returns what was blocked before.
fn block_signals() -> MaybeUninit<libc::sigset_t> {
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: both are large enough; the first is filled before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    before
}

fn restore_signals(before: &MaybeUninit<libc::sigset_t>) {
    // SAFETY: filled by `block_signals`.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
}
