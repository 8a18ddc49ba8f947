//! Starting the runtime with settings.

use super::codes::{Code, GB_EINVAL, GB_EPANIC};
use super::entry::{entry_without_runtime, refused};
use super::options::{self, Sized0};
use crate::start;
use greenbridge_runtime::settings::Settings;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// For gb_options.deadlock_detection: report a deadlock of the whole process, and end it with
/// status 2.
pub const GB_ON: u32 = 1;
/// For gb_options.deadlock_detection: do not.
pub const GB_OFF: u32 = 2;

/// The settings of the runtime. Set all of it to zero, and struct_size to sizeof(gb_options);
/// then the settings that matter.
///
/// A setting that is 0 or NULL is taken from its environment variable, and else from its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct gb_options {
    /// sizeof(gb_options).
    pub struct_size: usize,
    /// The usable size of each green thread's stack in bytes, 16384 to 1073741824.
    /// GREENBRIDGE_STACK_SIZE, or 262144.
    pub stack_size: usize,
    /// How many green threads run at the same time, 1 to 1024. GREENBRIDGE_PROCESSORS, or the
    /// CPUs that this process may use.
    pub processors: u32,
    /// The most OS threads that run green threads or sit in C, 1 to 1000000.
    /// GREENBRIDGE_MAX_THREADS, or 10000.
    pub max_threads: u32,
    /// How long an OS thread that is not needed is kept, in milliseconds, to 86400000.
    /// GREENBRIDGE_SPARE_IDLE_MS, or 10000.
    pub spare_idle_ms: u32,
    /// GB_ON or GB_OFF. GREENBRIDGE_DEADLOCK_DETECTION, or on.
    pub deadlock_detection: u32,
    /// What the names of the OS threads begin with, 1 to 11 bytes of UTF-8. It is copied.
    /// GREENBRIDGE_THREAD_NAME, or "greenbridge".
    pub thread_name: *const c_char,
    /// The size of the stack of each OS thread of the runtime in bytes, 65536 to 1073741824; green
    /// threads have stacks of their own. GREENBRIDGE_THREAD_STACK_SIZE, or what RUST_MIN_STACK
    /// says, or 2097152.
    pub thread_stack_size: usize,
}

// SAFETY: 1. it is; 2. integers and a raw pointer.
unsafe impl Sized0 for gb_options {
    const FIRST: usize = size_of::<Self>();
}

/// Starts the runtime with these settings; NULL: with none. It is started once per process and
/// never stopped.
///
/// It need not be called: the first call of another function starts the runtime with the settings
/// of the environment. Call it before that.
///
/// C code on green threads: see gb_spawn().
///
/// Threads: any, not a signal handler. Blocks: no; it takes a fraction of a millisecond.
/// Callbacks: none.
/// After fork: GB_EFORKED, if the parent had started it. During exit: works.
/// Errors: GB_EALREADY (nothing has changed), GB_EINVAL (nothing has changed), GB_ESETTING and
/// GB_ESYSTEM (final: every later call gets the same), GB_EFORKED.
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_start(options: *const gb_options) -> c_int {
    entry_without_runtime(|| {
        // SAFETY: by the header's contract.
        let options = unsafe { options::read(options) }?;
        // Whoever comes too late leaves no copy of a name behind.
        let settings = match options {
            // SAFETY: as above.
            Some(options) if start::is_unused() => unsafe { settings(&options) }?,
            _ => Settings::new().owner("gb_options"),
        };
        // SAFETY: see `PROMISE`; in a program of Rust, the C that calls this promises for it.
        match catch_unwind(AssertUnwindSafe(|| unsafe { start::from_rust(settings) })) {
            Ok(started) => started.map_err(|error| refused("gb_start", &error)),
            Err(_) => Err(Code(GB_EPANIC)),
        }
    })
}

/// # Safety
/// The name is NULL or a C string.
unsafe fn settings(options: &gb_options) -> Result<Settings, Code> {
    let number = |value: u32| usize::try_from(value).ok().filter(|&value| value != 0);
    let mut settings = Settings::new().owner("gb_options");
    if let Some(processors) = number(options.processors) {
        settings = settings.processors(processors);
    }
    if options.stack_size != 0 {
        settings = settings.stack_size(options.stack_size);
    }
    if options.thread_stack_size != 0 {
        settings = settings.thread_stack_size(options.thread_stack_size);
    }
    if let Some(threads) = number(options.max_threads) {
        settings = settings.max_threads(threads);
    }
    if options.spare_idle_ms != 0 {
        settings = settings.spare_idle(Duration::from_millis(options.spare_idle_ms.into()));
    }
    settings = match options.deadlock_detection {
        0 => settings,
        GB_ON => settings.deadlock_detection(true),
        GB_OFF => settings.deadlock_detection(false),
        _ => return Err(Code(GB_EINVAL)),
    };
    // SAFETY: by contract.
    if let Some(name) = unsafe { text(options.thread_name) }? {
        // The runtime keeps it for good.
        settings = settings.thread_name(Box::leak(name.into()));
    }
    Ok(settings)
}

/// A text that C has handed in; `None` if that is NULL.
///
/// # Safety
/// `text` is NULL or a C string that lasts as long as the result is used.
pub(super) unsafe fn text<'a>(text: *const c_char) -> Result<Option<&'a str>, Code> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(text) }.to_str().map(Some).map_err(|_| Code(GB_EINVAL))
}
