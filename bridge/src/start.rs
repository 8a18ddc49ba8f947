//! Starting the runtime, from Rust and from the first entry of C: both through the one gate.

use crate::gate::{Failure, Gate, Refused};
use crate::promise::Site;
use greenbridge_runtime::settings::Settings;
use greenbridge_runtime::{StartError, bridge};

/// The one gate.
static GATE: Gate<StartError> = Gate::new();

impl Failure for StartError {
    fn of_panic() -> Self {
        Self::panicked()
    }
}

/// Whether the runtime is up: what every callback asks, by one atomic load.
#[inline(always)]
pub(crate) fn is_ready() -> bool {
    GATE.is_ready()
}

/// Whether nobody has come to the gate yet.
#[cfg(feature = "capi")]
pub(crate) fn is_unused() -> bool {
    GATE.is_unused()
}

/// Starts the runtime for a program in Rust, or one in C that says so itself.
///
/// # Safety
/// The promise of `Builder::start`.
pub(crate) unsafe fn from_rust(settings: Settings) -> Result<(), StartError> {
    close_in_forked_children();
    // SAFETY: the caller's promise.
    error_of(GATE.start(|| unsafe { start(settings) }))
}

/// Lets an entry from C through, and starts the runtime first if nobody has, and the export's crate promises what that takes.
#[cold]
#[inline(never)]
pub(crate) fn from_c(site: &'static Site) -> Result<(), StartError> {
    bridge::count_gate_slow_path();
    close_in_forked_children();
    let Some(settings) = site.start().first_entry() else {
        // Only Rust may start. If it is about to, this waits for it; if it has not begun, the entry came too early.
        if GATE.is_unused() && !bridge::is_started() {
            return Err(StartError::not_started());
        }
        return error_of(GATE.enter(|| if bridge::is_started() { Ok(()) } else { Err(StartError::not_started()) }));
    };
    // SAFETY: the crate has made the promise where it wrote `Start::on_first_entry`.
    error_of(GATE.enter(|| unsafe { start(settings) }))
}

/// # Safety
/// The promise of `Builder::start`.
unsafe fn start(settings: Settings) -> Result<(), StartError> {
    // SAFETY: the caller's promise.
    let started = unsafe { greenbridge_runtime::Builder::with_settings(settings).start() };
    match started {
        // Somebody has used the runtime's crate directly: it is up, and that is all the gate has to know.
        Err(error) if error.is_already_started() && bridge::is_started() => Ok(()),
        other => other,
    }
}

fn error_of(passed: Result<(), Refused<StartError>>) -> Result<(), StartError> {
    passed.map_err(|refused| match refused {
        Refused::ReEntered => StartError::re_entered(),
        Refused::AlreadyStarted => StartError::already_started(),
        Refused::Failed(error) => error,
        Refused::Forked => StartError::forked(),
    })
}

/// A child has the gate's word and none of the runtime's OS threads: its gate is closed before it can enter.
///
/// Whoever finds the gate used knows that its owner has registered before. Two that come first at the same time both register, which
/// does no harm; a `Once` would be a second gate, and one that a fork can leave locked.
fn close_in_forked_children() {
    extern "C" fn child() {
        GATE.forked();
    }
    if GATE.is_unused() {
        // SAFETY: the handler does what is allowed after a fork: it loads and stores an atomic. If the system has no memory
        // to register it, the start that follows fails for the same reason.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
    }
}
