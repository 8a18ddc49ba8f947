//! The relay: it brings notifications out of signal handlers.
//!
//! To wake a green thread takes locks, and a signal handler may have interrupted whoever holds them. So the handler leaves the event in a list, and an
//! OS thread of its own, which no handler interrupts, does the waking.
//!
//! ```text
//!   signal handler                          relay
//!   Owe      owed + 1; was it 0?            Take     the whole list
//!   Push     event ──► list (CAS)           Settle   owed ──► 0, for each event; notify that often
//!   Ring     bell + 1, futex wake           Sleep    futex wait, if the bell is as it was before Take
//! ```
//!
//! An event is in the list, or about to be, while it owes. Only who finds that it owed nothing pushes it, and then owns `next` until
//! Push; the relay reads `next` before Settle. So each event is in the list once, and nobody writes a link that another one reads. Nodes are only taken
//! all at once, so the push has no ABA.
//!
//! No notification is lost: Owe comes before Settle, and is counted by it, or after it, and then finds 0 and pushes. Push comes before Ring, and
//! the relay reads the bell before Take: if Take has missed the event, the bell has changed, and Sleep returns.
//!
//! What a handler may do: atomics, and `futex` (a plain system call that opens nothing and needs no descriptor, so it works when a daemon has
//! closed all of them). A handler that interrupts another one at any point above does no harm: whoever owes first pushes.
//!
//! An event in the list is kept alive by a reference of the list's, so that it may be freed right after it was notified.
//!
//! # What it must never do
//! Run a signal handler itself (all signals are blocked on its OS thread), or run code of the user's: it notifies, and those who wait run elsewhere.

use super::codes::{Code, GB_EAGAIN};
use super::event::gb_event;
use crate::primitive::{AtomicPtr, AtomicU32, AtomicU64, Mutex, Ordering, lock};
use core::mem::MaybeUninit;
use core::ptr;
use std::sync::Arc;

/// The events that owe notifications; the last one first.
static LIST: AtomicPtr<gb_event> = AtomicPtr::new(ptr::null_mut());

/// Changes after each push. The relay sleeps on it.
static BELL: AtomicU32 = AtomicU32::new(0);

/// The place of an event in the list.
#[derive(Debug)]
pub(super) struct Link {
    /// How many notifications have not been passed on.
    owed: AtomicU64,
    next: AtomicPtr<gb_event>,
}

impl Link {
    /// That of a new event: in no list.
    pub(super) fn new() -> Self {
        Self { owed: AtomicU64::new(0), next: AtomicPtr::new(ptr::null_mut()) }
    }
}

/// Leaves one notification of `event` with the relay. For signal handlers.
///
/// # Safety
/// 1. `event` is an `Arc`'s pointer, and somebody holds a reference.
/// 2. `link` is its own.
pub(super) unsafe fn hand_over(event: *const gb_event, link: &Link) {
    // Owe. Acquire: pairs with Settle, whose load of `next` was before.
    if link.owed.fetch_add(1, Ordering::AcqRel) != 0 {
        return;
    }
    // SAFETY: 1.
    unsafe { Arc::increment_strong_count(event) };
    let mut head = LIST.load(Ordering::Relaxed);
    loop {
        link.next.store(head, Ordering::Relaxed);
        // Push. Release: pairs with Take.
        match LIST.compare_exchange_weak(head, event.cast_mut(), Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break,
            Err(other) => head = other,
        }
    }
    BELL.fetch_add(1, Ordering::Release);
    ring();
}

/// Starts the relay, unless it runs.
pub(super) fn start() -> Result<(), Code> {
    static IS_STARTED: Mutex<bool> = Mutex::new(false);
    let mut is_started = lock(&IS_STARTED);
    if !*is_started {
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
        // Before Take: a push that Take misses changes it. Acquire: pairs with Ring.
        let bell = BELL.load(Ordering::Acquire);
        settle(LIST.swap(ptr::null_mut(), Ordering::Acquire));
        sleep(bell);
    }
}

/// Passes on what the events of this list owe, the first to have been pushed first.
fn settle(mut list: *mut gb_event) {
    let mut events = Vec::new();
    while !list.is_null() {
        // SAFETY: pushed with a reference of the list's own, which is now ours.
        let event = unsafe { Arc::from_raw(list) };
        list = event.link().map_or(ptr::null_mut(), |link| link.next.load(Ordering::Relaxed));
        events.push(event);
    }
    for event in events.iter().rev() {
        // Settle. Release: whoever pushes it again writes `next` after this. Acquire: what the notifiers did before is seen by those they wake.
        let owed = event.link().map_or(0, |link| link.owed.swap(0, Ordering::AcqRel));
        (0..owed).for_each(|_| event.notify_now());
    }
}

/// Wakes the relay. Leaves errno alone.
fn ring() {
    // SAFETY: errno of this OS thread; a wake takes the address for a name, and does not follow it.
    unsafe {
        let errno = *libc::__errno_location();
        libc::syscall(libc::SYS_futex, BELL.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
        *libc::__errno_location() = errno;
    }
}

/// Sleeps until the bell is another one.
fn sleep(bell: u32) {
    let forever = ptr::null::<libc::timespec>();
    // SAFETY: the word is a static. It returns early for nothing, and then the relay looks in vain.
    unsafe {
        libc::syscall(libc::SYS_futex, BELL.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, bell, forever)
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
