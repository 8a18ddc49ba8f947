//! The one runtime of the process.
//!
//! It is made once, by `Builder::start`, and never freed: a pointer to it is good until the process ends.

use super::idle::Idle;
use super::processor::Processor;
use super::spare::Spares;
use super::worker::Worker;
use super::{current, monitor};
use crate::builder::StartError;
use crate::driver::clock;
use crate::driver::keeper::Keeper;
use crate::driver::reactor::Reactor;
use crate::driver::timers::Timers;
#[cfg(feature = "faults")]
use crate::faults;
use crate::green::thread::Ready;
use crate::metrics::count::OfRuntime;
use crate::observer::Observer;
use crate::primitive::{self, AtomicBool, AtomicPtr, AtomicU64, Ordering};
use crate::seen::HandOff;
use crate::settings::Resolved;
use crate::stack::{self, StackPool};
use crate::testing::run::Testing;
use core::fmt;
use core::ptr;
use crossbeam_deque::Injector;

pub(crate) struct Runtime {
    pub(crate) settings: Resolved,
    pub(crate) processors: Box<[Processor]>,
    pub(crate) injector: Injector<Ready>,
    pub(crate) idle: Idle,
    pub(crate) spares: Spares,
    pub(crate) timers: Timers,
    /// Who keeps the time: see `time.rs`.
    pub(crate) keeper: Keeper<Worker>,
    /// Made when the first file is registered.
    pub(crate) reactor: Reactor,
    pub(crate) stacks: StackPool,
    pub(crate) counts: OfRuntime,
    next_id: AtomicU64,
    /// In virtual time, what decides who runs next.
    pub(crate) testing: Option<Testing>,
}

/// Null until the runtime is up.
static RUNTIME: AtomicPtr<Runtime> = AtomicPtr::new(ptr::null_mut());

/// Whether somebody has begun to start it.
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// Whether this process is a child that was forked from one with a runtime: it has the memory, and none of the workers.
static FORKED: AtomicBool = AtomicBool::new(false);

/// The runtime.
///
/// # Panics
/// If it has not been started, or if this process is a forked child.
#[inline]
pub(crate) fn runtime() -> &'static Runtime {
    // Pairs with the Release in `start`.
    let runtime = RUNTIME.load(Ordering::Acquire);
    // SAFETY: null, or leaked by `start`.
    match unsafe { runtime.as_ref() } {
        Some(runtime) => runtime,
        None => no_runtime(),
    }
}

/// # Panics
/// If this process is a child that was forked from one with a runtime.
pub(crate) fn refuse_in_forked_child() {
    if is_forked() {
        panic!(
            "this process was forked from one in which the green-thread runtime runs, and a fork does not copy its OS threads: \
             in the child, exec a program, or fork before the first use"
        );
    }
}

/// Whether this process is a child that was forked from one with a runtime.
#[inline]
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

#[cold]
#[inline(never)]
#[track_caller]
fn no_runtime() -> ! {
    refuse_in_forked_child();
    panic!(
        "the green-thread runtime has not been started: call `unsafe {{ greenbridge::Builder::new().start() }}` first, \
         once per program"
    );
}

/// Whether the runtime is up.
pub fn is_started() -> bool {
    !RUNTIME.load(Ordering::Acquire).is_null()
}

/// Starts the runtime with `settings`.
pub(crate) fn start(settings: Resolved) -> Result<(), StartError> {
    if CLAIMED.swap(true, Ordering::AcqRel) {
        return Err(StartError::already_started());
    }
    #[cfg(feature = "faults")]
    faults::fail(faults::Site::Start).map_err(StartError::no_fence)?;
    primitive::prepare_fences().map_err(StartError::no_fence)?;
    if settings.virtual_time {
        clock::make_virtual();
    }
    let runtime = Box::leak(Box::new(Runtime {
        processors: (0..settings.processors).map(Processor::new).collect(),
        injector: Injector::new(),
        idle: Idle::new(settings.processors),
        spares: Spares::new(),
        timers: Timers::new(settings.processors),
        keeper: Keeper::new(),
        reactor: Reactor::new(),
        stacks: StackPool::new(settings.stack_size),
        counts: OfRuntime::default(),
        next_id: AtomicU64::new(1),
        testing: settings.virtual_time.then(Testing::new),
        settings,
    }));
    stay_loaded();
    let observer = Observer::prepare(&runtime.settings)?;
    stack::install_handler().map_err(|e| StartError::system("install the handler that reports stack overflows", e))?;
    start_threads(runtime)?;
    observer.map_or(Ok(()), |observer| observer.start(runtime))
}

/// Starts the monitor and the first worker; the others start as there is work for them.
fn start_threads(runtime: &'static Runtime) -> Result<(), StartError> {
    at_fork_in_child().map_err(|e| StartError::system("register what a forked child must know", e))?;
    let worker = runtime.spares.start_first(runtime).map_err(StartError::no_thread)?;
    // Nobody else knows the runtime yet, so the idle set is as it was made.
    let index = runtime.idle.acquire(Some(0)).expect("a new runtime has idle processors");
    worker.assign(&runtime.processors[index], HandOff::Work);
    // If this fails, the worker sleeps for good beside its processor.
    monitor::start(runtime).map_err(StartError::no_thread)?;
    RUNTIME.store(ptr::from_ref(runtime).cast_mut(), Ordering::Release);
    Ok(())
}

/// Keeps the shared object with this code in memory for good: `dlclose` would take the ground from under the OS threads and the signal
/// handler. In an executable it does nothing.
fn stay_loaded() {
    let mut info = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the address is one of this object's, and `info` is large enough.
    if unsafe { libc::dladdr(ptr::from_ref(&RUNTIME).cast(), info.as_mut_ptr()) } != 0 {
        // SAFETY: filled, or zeroed, which is valid too; the name is a C string, or null for the executable.
        unsafe { libc::dlopen(info.assume_init().dli_fname, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
    }
}

/// Registers what happens in a child after `fork`: it must not wait for workers that it does not have.
fn at_fork_in_child() -> std::io::Result<()> {
    extern "C" fn child() {
        FORKED.store(true, Ordering::Relaxed);
        RUNTIME.store(ptr::null_mut(), Ordering::Release);
        // The one OS thread of the child goes on as an ordinary one, though on a green thread's stack it may be.
        current::cease_to_be_worker();
    }
    #[cfg(feature = "faults")]
    faults::fail(faults::Site::Start)?;
    // SAFETY: the handler only stores to two atomics, and to a thread-local that needs no set-up.
    match unsafe { libc::pthread_atfork(None, None, Some(child)) } {
        0 => Ok(()),
        error => Err(std::io::Error::from_raw_os_error(error)),
    }
}

impl Runtime {
    /// Takes `count` ids, and returns the first.
    pub(crate) fn take_ids(&self, count: u64) -> u64 {
        self.next_id.fetch_add(count, Ordering::Relaxed)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("processors", &self.processors.len())
            .field("idle", &self.idle)
            .field("spares", &self.spares)
            .field("timers", &self.timers)
            .field("keeper", &self.keeper)
            .field("reactor", &self.reactor)
            .finish_non_exhaustive()
    }
}
