//! A fault handler in front of whoever handled faults before.
//!
//! std has a handler of its own if Rust owns `main`: it names the OS threads that overflow. A host program may have
//! another one, or none. Whatever is not ours goes on to the one before, called as the kernel would call it, with the
//! signals blocked that it asked for. Where there was none, the default action comes back, and the faulting instruction
//! runs again and meets it. If C owns `main`, std sets up nothing, and ours is the only handler.
//!
//! The invariant: **at any moment, the handler finds the way on.** What was in force before is known before ours is put
//! in force, and is neither changed nor freed afterwards.

use core::{mem, ptr};
use std::io;

use libc::{c_int, c_void, sigaction, siginfo_t};

use crate::primitive::{AtomicPtr, Mutex, Ordering, lock};

/// A handler that is told about the fault. The kernel calls it with pointers that are valid until it returns.
pub(super) type Handler = unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// What a fault can raise: for a guard Linux sends the first, other systems may send the second.
const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was in force for each of [`SIGNALS`] before ours; null stands for the default action. What it points to is
/// leaked, and never written to again.
static BEFORE: [AtomicPtr<sigaction>; SIGNALS.len()] = [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS.len()];

/// Puts `handler` in front of those in force. Every call after the first does nothing.
pub(super) fn install(handler: Handler) -> io::Result<()> {
    static IS_INSTALLED: Mutex<bool> = Mutex::new(false);

    let mut is_installed = lock(&IS_INSTALLED);
    if *is_installed {
        return Ok(());
    }
    let ours = action(handler as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        // First, so that a fault on another thread finds the way on as soon as ours is in force; and once more, in case
        // that somebody came in between.
        remember(before, exchange(signal, None)?);
        remember(before, exchange(signal, Some(&ours))?);
    }
    *is_installed = true;
    Ok(())
}

/// Keeps `action` in `before`.
fn remember(before: &AtomicPtr<sigaction>, action: sigaction) {
    // SAFETY: null, or a box that was leaked below and is not written to. Relaxed: the caller holds the lock of
    // `install`.
    let known = unsafe { before.load(Ordering::Relaxed).as_ref() };
    if known.is_none_or(|known| known.sa_sigaction != action.sa_sigaction) {
        // Release pairs with the Acquire in `pass_on`: the fields are written before the pointer can be seen.
        before.store(Box::leak(Box::new(action)), Ordering::Release);
    }
}

/// An action that blocks no other signals.
fn action(handler: usize, flags: c_int) -> sigaction {
    // SAFETY: a `sigaction` is numbers, a set of bits, and a pointer that may be null: zero is a value of each.
    let mut action: sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    action
}

/// Puts `action` in force for `signal`, or nothing new if it is `None`, and returns what was in force.
fn exchange(signal: c_int, action: Option<&sigaction>) -> io::Result<sigaction> {
    let mut before = self::action(libc::SIG_DFL, 0);
    // SAFETY: the pointers are valid, or null where that is allowed. The action is the default one, or a handler that
    // has the signature its flags promise and may run at any time.
    match unsafe { libc::sigaction(signal, action.map_or(ptr::null(), ptr::from_ref), &raw mut before) } {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The address of a fault, and the stack pointer at that time where it is known; `None` if the signal tells of no fault
/// but was sent by somebody.
///
/// # Safety
/// Both pointers are what the kernel gave to a [`Handler`] that has not returned yet.
pub(super) unsafe fn fault(info: *const siginfo_t, context: *const c_void) -> Option<(usize, Option<usize>)> {
    // SAFETY: the kernel filled it in.
    if is_sent(unsafe { &*info }) {
        return None;
    }
    // SAFETY: the kernel filled it in, and a fault has an address.
    let address = unsafe { (*info).si_addr() }.addr();
    // SAFETY: as the caller promises.
    Some((address, unsafe { stack_pointer(context.cast()) }))
}

/// Whether the signal was sent by somebody (`kill`, `raise`) and is not a fault of this thread.
fn is_sent(info: &siginfo_t) -> bool {
    info.si_code <= 0
}

/// The stack pointer of the interrupted code.
///
/// # Safety
/// `context` is what the kernel gave to a [`Handler`] that has not returned yet.
#[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "x86_64"))]
unsafe fn stack_pointer(context: *const libc::ucontext_t) -> Option<usize> {
    // SAFETY: the kernel saved all registers there.
    Some(unsafe { (*context).uc_mcontext.gregs[libc::REG_RSP as usize] } as usize)
}

/// The stack pointer of the interrupted code.
///
/// # Safety
/// `context` is what the kernel gave to a [`Handler`] that has not returned yet.
#[cfg(all(any(target_os = "linux", target_os = "android"), target_arch = "aarch64"))]
unsafe fn stack_pointer(context: *const libc::ucontext_t) -> Option<usize> {
    // SAFETY: the kernel saved all registers there.
    Some(unsafe { (*context).uc_mcontext.sp } as usize)
}

/// Elsewhere it is not known.
///
/// # Safety
/// None: the pointer is not used.
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
unsafe fn stack_pointer(_context: *const libc::ucontext_t) -> Option<usize> {
    None
}

/// Does what would be done if ours were not there.
///
/// # Safety
/// The arguments are what the kernel gave to a [`Handler`] that was installed here and has not returned yet.
pub(super) unsafe fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let place = &BEFORE[usize::from(signal != SIGNALS[0])];
    // Acquire pairs with the Release in `remember`.
    // SAFETY: null, or a box that was leaked and is not written to.
    let before = unsafe { place.load(Ordering::Acquire).as_ref() };
    // SAFETY: the kernel filled it in.
    let is_sent = is_sent(unsafe { &*info });
    match before.map_or(libc::SIG_DFL, |before| before.sa_sigaction) {
        libc::SIG_IGN if is_sent => {}
        // The kernel does not ignore a true fault either.
        libc::SIG_DFL | libc::SIG_IGN => default(signal, is_sent),
        _ => {
            let before = before.expect("a handler was in force");
            if before.sa_flags & libc::SA_RESETHAND != 0 {
                // It asked to be called once. Relaxed: there is nothing behind a null pointer.
                place.store(ptr::null_mut(), Ordering::Relaxed);
            }
            // SAFETY: it was in force for this signal, and the arguments are the kernel's.
            unsafe { call(before, signal, info, context) };
        }
    }
}

/// Brings the default action back. It is taken as soon as the handler returns.
fn default(signal: c_int, is_sent: bool) {
    let restored = exchange(signal, Some(&action(libc::SIG_DFL, 0)));
    // A fault comes again by itself, since the instruction runs again. A signal that was sent must be sent again: it
    // waits, blocked, until the handler returns.
    if is_sent && restored.is_ok() {
        // SAFETY: raise may be called from a handler.
        unsafe { libc::raise(signal) };
    }
}

/// Calls the handler of `action` as the kernel would, with the signals blocked that it asked for. When ours returns,
/// the kernel brings the interrupted code's own set back.
///
/// # Safety
/// 1. `action` was in force for `signal`, with a handler that is neither the default nor to ignore the signal.
/// 2. `info` and `context` are what the kernel gave to a [`Handler`] that has not returned yet.
unsafe fn call(action: &sigaction, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the set is part of the action; changing the mask is allowed in a handler.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const action.sa_mask, ptr::null_mut()) };
    if action.sa_flags & libc::SA_NODEFER != 0 {
        let mut own = self::action(libc::SIG_DFL, 0).sa_mask;
        // SAFETY: as above; an empty set is a valid one.
        unsafe {
            libc::sigaddset(&raw mut own, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const own, ptr::null_mut());
        }
    }
    if action.sa_flags & libc::SA_SIGINFO != 0 {
        // SAFETY: the flag says that this is the address of a function with this signature (duty 1).
        let handler = unsafe { mem::transmute::<usize, Handler>(action.sa_sigaction) };
        // SAFETY: it was installed to get these arguments (duty 2).
        unsafe { handler(signal, info, context) };
    } else {
        // SAFETY: without the flag, this is the address of a function with this signature (duty 1).
        let handler = unsafe { mem::transmute::<usize, unsafe extern "C" fn(c_int)>(action.sa_sigaction) };
        // SAFETY: it was installed to be called for this signal.
        unsafe { handler(signal) };
    }
}
