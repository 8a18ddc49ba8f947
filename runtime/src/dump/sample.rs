//! Where an OS thread is that runs a green thread: its registers, and a copy of its stack.
//!
//! | the OS thread | is asked by |
//! |---|---|
//! | is in a system call | nobody: the kernel says where it is, in `/proc/self/task/<thread>/syscall`. A signal would make many calls return early (`EINTR`). The frame pointer is not told |
//! | computes | a signal, [`number`]. Its handler writes down the registers, copies the stack, and wakes who asked |
//!
//! One that does not answer in time (it has blocked the signal, or the machine is busy) is given up; a handler that comes late finds nothing to do.
//!
//! # The request
//! There is one, and one who asks at a time (the lock in `unwind.rs`).
//!
//! ```text
//!         ask                handler begins            handler has ended
//!  IDLE ───────► ASKED ───────────────────► TAKING ───────────────────► DONE ──► IDLE
//!   ▲              │ in vain                                             
//!   └──────────────┘
//! ```
//! The buffer is the handler's while the state is TAKING, and otherwise belongs to whoever asks. Who asks gives up only from ASKED; TAKING lasts for
//! one system call, and is waited for.
//!
//! # What the handler must never do
//! Allocate, lock, format, or touch a thread-local. It makes system calls that POSIX or Linux allow there, and keeps errno.

use super::memory::Memory;
use super::suspended::Registers;
use super::unwind::Copy;
use crate::primitive::{AtomicU32, Ordering, UnsafeCell};
use crate::scheduler::blocked::OsThread;
use crate::scheduler::deadlock;
use core::ffi::{c_int, c_void};
use core::{mem, ptr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Bytes of a stack that are copied.
const BYTES: usize = 256 << 10;
/// How long an OS thread may take to answer.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often a system call is looked at that may be a new one each time.
const LOOKS: usize = 3;

/// What an OS thread was doing.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) registers: Registers,
    pub(super) stack: Copy,
    /// Whether the frame pointer is among the registers.
    pub(super) knows_frame: bool,
}

const IDLE: u32 = 0;
const ASKED: u32 = 1;
const TAKING: u32 = 2;
const DONE: u32 = 3;

struct Request {
    state: AtomicU32,
    /// The OS thread that is asked.
    thread: AtomicU32,
    answer: UnsafeCell<Answer>,
}

struct Answer {
    registers: Registers,
    len: usize,
    bytes: [u8; BYTES],
}

// SAFETY: the answer belongs to one side at a time, by the state; see the module's documentation.
unsafe impl Sync for Request {}

static REQUEST: Request = Request {
    state: AtomicU32::new(IDLE),
    thread: AtomicU32::new(0),
    answer: UnsafeCell::new(Answer {
        registers: Registers { instruction: 0, stack: 0, frame: 0, link: 0 },
        len: 0,
        bytes: [0; BYTES],
    }),
};

/// The signal that asks.
pub(super) fn number() -> c_int {
    libc::SIGRTMAX() - 4
}

/// What `thread` is doing.
pub(super) fn of(thread: OsThread, memory: &Memory) -> Option<Sample> {
    for _ in 0..LOOKS {
        match system_call(thread)? {
            SystemCall::None => return ask(thread),
            SystemCall::In { text, stack, instruction } => {
                let copy = Copy::of(memory, stack, BYTES)?;
                let is_still = matches!(system_call(thread)?, SystemCall::In { text: again, .. } if again == text);
                if is_still {
                    let registers = Registers { instruction, stack: stack as u64, frame: 0, link: 0 };
                    return Some(Sample { registers, stack: copy, knows_frame: false });
                }
            }
        }
    }
    None
}

/// What the kernel says of a thread.
enum SystemCall {
    /// It computes.
    None,
    /// It is in the system call that is described by `text`.
    In { text: String, stack: usize, instruction: u64 },
}

/// None: it has ended, or the kernel does not say.
fn system_call(OsThread(thread): OsThread) -> Option<SystemCall> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    if text.starts_with("running") {
        return Some(SystemCall::None);
    }
    let hexadecimal = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let mut last = text.split_whitespace().rev();
    let (instruction, stack) = (hexadecimal(last.next()?)?, hexadecimal(last.next()?)?);
    Some(SystemCall::In { stack: usize::try_from(stack).ok()?, instruction, text })
}

/// Asks by a signal.
fn ask(OsThread(thread): OsThread) -> Option<Sample> {
    if !is_installed() {
        return None;
    }
    REQUEST.thread.store(thread, Ordering::Relaxed);
    // Release: pairs with the Acquire of the handler's exchange.
    REQUEST.state.store(ASKED, Ordering::Release);
    // SAFETY: takes no pointer; the handler is in force.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread.cast_signed(), number()) };
    if sent != 0 || !answered() {
        return None;
    }
    // SAFETY: DONE has made the answer this thread's, and nobody else asks.
    let sample = REQUEST.answer.with(|answer| unsafe {
        let (registers, len) = ((*answer).registers, (*answer).len);
        let bytes = (&raw const (*answer).bytes).cast::<u8>();
        let bytes = core::slice::from_raw_parts(bytes, len).to_vec();
        Sample { registers, stack: Copy { address: registers.stack as usize, bytes }, knows_frame: true }
    });
    REQUEST.state.store(IDLE, Ordering::Relaxed);
    Some(sample)
}

/// Waits for the answer. False: there is none, and none will come.
fn answered() -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        let state = REQUEST.state.load(Ordering::Acquire);
        let left = until.saturating_duration_since(Instant::now());
        match state {
            DONE => return true,
            ASKED if left.is_zero() => {
                // A handler that has begun in between ends soon.
                let given_up = REQUEST.state.compare_exchange(ASKED, IDLE, Ordering::Relaxed, Ordering::Relaxed);
                if given_up.is_ok() {
                    return false;
                }
            }
            _ => futex_wait(&REQUEST.state, state, left.max(Duration::from_millis(1))),
        }
    }
}

fn futex_wait(word: &AtomicU32, value: u32, time: Duration) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: the pointers are valid during the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            ptr::from_ref(word),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            &raw const time,
        )
    };
}

/// Whether the handler is in force. Somebody else's handler for the same signal is left where it is.
fn is_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        // SAFETY: a `sigaction` is numbers, a set of bits, and a pointer that may be null: zero is a value of each.
        let (mut ours, mut theirs): (libc::sigaction, libc::sigaction) = unsafe { (mem::zeroed(), mem::zeroed()) };
        // SAFETY: the pointer is valid.
        let asked = unsafe { libc::sigaction(number(), ptr::null(), &raw mut theirs) };
        if asked != 0 || theirs.sa_sigaction != libc::SIG_DFL {
            return false;
        }
        ours.sa_sigaction = on_signal as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: a handler that may run at any time, with the signature that its flags promise.
        let installed = unsafe { libc::sigaction(number(), &raw const ours, ptr::null_mut()) } == 0;
        if installed {
            deadlock::is_own(number());
        }
        installed
    })
}

/// The handler.
unsafe extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: no arguments, no memory.
    let thread = unsafe { libc::gettid() }.cast_unsigned();
    if REQUEST.thread.load(Ordering::Relaxed) != thread {
        return;
    }
    // Acquire: pairs with the Release of `ask`, so that the buffer is read by nobody.
    if REQUEST.state.compare_exchange(ASKED, TAKING, Ordering::Acquire, Ordering::Relaxed).is_err() {
        return;
    }
    // SAFETY: a valid address of this OS thread's errno.
    let errno = unsafe { *libc::__errno_location() };
    REQUEST.answer.with_mut(|answer| {
        // SAFETY: TAKING has made the answer this handler's; the kernel gave the context.
        unsafe {
            let registers = registers(context.cast());
            (*answer).registers = registers;
            let local = libc::iovec { iov_base: (&raw mut (*answer).bytes).cast(), iov_len: BYTES };
            let remote =
                libc::iovec { iov_base: ptr::without_provenance_mut(registers.stack as usize), iov_len: BYTES };
            let read = libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0);
            (*answer).len = usize::try_from(read).unwrap_or(0);
        }
    });
    // Release: pairs with the Acquire of `answered`.
    REQUEST.state.store(DONE, Ordering::Release);
    // SAFETY: the word is a static; errno is this OS thread's.
    unsafe {
        libc::syscall(libc::SYS_futex, ptr::from_ref(&REQUEST.state), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
        *libc::__errno_location() = errno;
    }
}

/// The registers of the interrupted code.
///
/// # Safety
/// `context` is what the kernel gave to a handler that has not returned yet.
#[cfg(target_arch = "x86_64")]
unsafe fn registers(context: *const libc::ucontext_t) -> Registers {
    // SAFETY: the kernel saved all registers there.
    let saved = |number: c_int| unsafe { (*context).uc_mcontext.gregs[number as usize] }.cast_unsigned();
    Registers { instruction: saved(libc::REG_RIP), stack: saved(libc::REG_RSP), frame: saved(libc::REG_RBP), link: 0 }
}

/// The registers of the interrupted code.
///
/// # Safety
/// `context` is what the kernel gave to a handler that has not returned yet.
#[cfg(target_arch = "aarch64")]
unsafe fn registers(context: *const libc::ucontext_t) -> Registers {
    // SAFETY: the kernel saved all registers there.
    let saved = unsafe { &(*context).uc_mcontext };
    Registers { instruction: saved.pc, stack: saved.sp, frame: saved.regs[29], link: saved.regs[30] }
}
