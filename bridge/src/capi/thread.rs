//! Green threads that run C functions.

use super::codes::{Code, GB_EINVAL};
use super::entry::entry;
use super::options::{self, Sized0};
use super::start::text;
use crate::{JoinHandle, ThreadBuilder, call, call_interleaved, time, yield_now};
use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

/// The default way to run C on a green thread: all of C may be used. While it waits in a function
/// of this header, its OS thread runs others, but never another such C function: C sees one OS
/// thread that is its own.
pub const GB_WAY_CALL: u32 = 0;
/// Many such C functions take turns on one OS thread, each until it waits in a function of this
/// header: thousands need a few OS threads. Whoever asks for it vouches that across such a wait
/// the C function holds nothing that belongs to the OS thread: no lock, thread-specific or
/// thread_local value, jmp_buf, C++ exception, floating-point mode, locale or signal mask. errno
/// is kept for each.
pub const GB_WAY_INTERLEAVED: u32 = 1;

/// A green thread that has not been joined or detached yet.
#[derive(Debug)]
pub struct gb_thread(JoinHandle<Pointer>);

/// What a green thread runs. What it returns is handed on by gb_join().
pub type gb_thread_fn = Option<unsafe extern "C" fn(arg: *mut c_void) -> *mut c_void>;

/// How to start a green thread. Set all of it to zero, and struct_size to
/// sizeof(gb_spawn_options); then what matters.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct gb_spawn_options {
    /// sizeof(gb_spawn_options).
    pub struct_size: usize,
    /// A name for reports, in UTF-8, or NULL. It is copied.
    pub name: *const c_char,
    /// GB_WAY_CALL or GB_WAY_INTERLEAVED.
    pub way: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: 1. it is; 2. integers and a raw pointer.
unsafe impl Sized0 for gb_spawn_options {
    const FIRST: usize = size_of::<Self>();
}

/// A pointer of C's that goes along to a green thread, and back.
#[derive(Debug, Clone, Copy)]
struct Pointer(*mut c_void);

// SAFETY: Rust does nothing with it but hand it on. That `arg` may be used on another thread is what `gb_spawn` asks of C.
unsafe impl Send for Pointer {}

impl Pointer {
    /// A method, so that a closure takes the whole, which is `Send`.
    fn get(self) -> *mut c_void {
        self.0
    }
}

/// Starts a green thread that runs fn(arg). options may be NULL. If out is NULL it is detached:
/// nobody joins it. Else *out is for one gb_join() or gb_detach(); on failure it is set to NULL.
///
/// fn runs on a stack of its own (gb_options.stack_size), on an OS thread of the runtime, and
/// stays on that one until it returns. It may call any C, and every function of this header;
/// those that wait let others run. It must return: not by longjmp, pthread_exit or a C++
/// exception.
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: fn runs later, on another thread.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works; what runs
/// then ends with the process.
/// Errors: GB_EINVAL (fn is NULL, the options), and those of the start.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_spawn(
    r#fn: gb_thread_fn,
    arg: *mut c_void,
    options: *const gb_spawn_options,
    out: *mut *mut gb_thread,
) -> c_int {
    if !out.is_null() {
        // SAFETY: by the header's contract.
        unsafe { out.write(core::ptr::null_mut()) };
    }
    entry(|| {
        let f = r#fn.ok_or(Code(GB_EINVAL))?;
        let mut builder = ThreadBuilder::new();
        let mut way = GB_WAY_CALL;
        // SAFETY: by the header's contract.
        if let Some(options) = unsafe { options::read(options) }? {
            // SAFETY: as above.
            if let Some(name) = unsafe { text(options.name) }? {
                builder = builder.name(name);
            }
            way = options.way;
            if options.reserved != 0 {
                return Err(Code(GB_EINVAL));
            }
        }
        builder = builder.c_function(f as usize);
        let arg = Pointer(arg);
        // SAFETY: `fn` is C's to be called with `arg`, once, on a green thread; for the interleaved way C vouches.
        let handle = unsafe {
            match way {
                GB_WAY_CALL => builder.spawn(move || Pointer(call(|| f(arg.get())))),
                GB_WAY_INTERLEAVED => builder.spawn(move || Pointer(call_interleaved(|| f(arg.get())))),
                _ => return Err(Code(GB_EINVAL)),
            }
        };
        if !out.is_null() {
            // SAFETY: by the header's contract.
            unsafe { out.write(Box::into_raw(Box::new(gb_thread(handle)))) };
        }
        Ok(())
    })
}

/// Waits until the green thread has finished, and frees it. *result, unless result is NULL, is
/// what its function returned; on failure it is set to NULL. The green thread is freed whatever
/// is returned, but for the errors of the entry.
///
/// Threads: any, not a signal handler; once per green thread. Blocks: may; on a green thread only
/// that waits. Callbacks: none.
/// After fork: GB_EFORKED, the green thread is then not freed. During exit: works, and may wait
/// for ever, as any wait.
/// Errors: GB_EINVAL (NULL), GB_ESTACK (it has not run), GB_EPANIC (its function called Rust code
/// that panicked), GB_EFORKED.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_join(thread: *mut gb_thread, result: *mut *mut c_void) -> c_int {
    if !result.is_null() {
        // SAFETY: by the header's contract.
        unsafe { result.write(core::ptr::null_mut()) };
    }
    entry(|| {
        // SAFETY: by the header's contract.
        let joined = unsafe { owned(thread) }?.0.join();
        let Pointer(returned) = joined.map_err(|payload| Code::from(&payload))?;
        if !result.is_null() {
            // SAFETY: by the header's contract.
            unsafe { result.write(returned) };
        }
        Ok(())
    })
}

/// Lets the green thread run on, and frees what gb_join() would need. NULL is accepted.
///
/// Threads: any, not a signal handler; instead of gb_join(). Blocks: no. Callbacks: none.
/// After fork: GB_EFORKED, the green thread is then not freed. During exit: works.
/// Errors: GB_EFORKED.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_detach(thread: *mut gb_thread) -> c_int {
    entry(|| {
        // SAFETY: by the header's contract.
        let _null_is_accepted = unsafe { owned(thread) };
        Ok(())
    })
}

/// # Safety
/// `thread` is NULL or came from `gb_spawn`, and is given up.
unsafe fn owned(thread: *mut gb_thread) -> Result<Box<gb_thread>, Code> {
    if thread.is_null() {
        return Err(Code(GB_EINVAL));
    }
    // SAFETY: made by `Box::into_raw` in `gb_spawn`.
    Ok(unsafe { Box::from_raw(thread) })
}

/// Lets other green threads run first. On a thread that is not green it is sched_yield().
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: none.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works.
/// Errors: those of the start.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn gb_yield() -> c_int {
    entry(|| {
        yield_now();
        Ok(())
    })
}

/// Waits for that many nanoseconds; 0 returns at once. It never returns early. UINT64_MAX is 584
/// years.
///
/// Threads: any, not a signal handler. Blocks: may; on a green thread only that waits. Callbacks:
/// none.
/// Before the start: starts the runtime. After fork: GB_EFORKED. During exit: works.
/// Errors: those of the start.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn gb_sleep_ns(nanoseconds: u64) -> c_int {
    entry(|| {
        time::sleep(Duration::from_nanos(nanoseconds));
        Ok(())
    })
}
