//! What `#[greenbridge::export]` wraps a function's body in: the gate, the count of callbacks, and the panic boundary.
//!
//! ```text
//!   C ──► export ──► gate: one load ──► callbacks + 1 ──► body ──► callbacks - 1 ──► C
//!                      │ not up                             │ panics
//!                      ▼                                    ▼
//!               start it, or refuse              inside a way to call: keep the panic, give C the fallback
//!                                                elsewhere: the declared fallback, or abort
//! ```
//!
//! A callback that touches no service of the runtime pays the two branches, a load and two stores. Everything else is outlined.

use crate::fallback::Fallback;
use crate::message::say;
use crate::promise::Site;
use crate::start;
use greenbridge_runtime::bridge::{self, Payload};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of an export.
///
/// The slots' address is held over `body`: the green thread cannot move meanwhile, because a callback that waits is either pinned by
/// the C call it belongs to, or refused. The export it is inlined into is itself never inlined.
#[doc(hidden)]
#[inline(always)]
pub fn callback<R, F: Fallback<R>>(site: &'static Site, fallback: F, body: impl FnOnce() -> R) -> R {
    if !start::is_ready()
        && let Err(message) = admit(site)
    {
        return refuse::<R, F>(site, fallback, &message);
    }
    #[cfg(feature = "trace")]
    if bridge::callbacks_are_watched() {
        return watched(site, fallback, body);
    }
    run(site, fallback, body)
}

#[inline(always)]
fn run<R, F: Fallback<R>>(site: &'static Site, fallback: F, body: impl FnOnce() -> R) -> R {
    let result = bridge::slots(|slots| slots.in_callback(|| catch_unwind(AssertUnwindSafe(body))));
    match result {
        Ok(value) => value,
        Err(payload) => keep::<R, F>(site, fallback, payload),
    }
}

/// The same while a timeline or a report is made. Never inlined, as the export is not.
#[cfg(feature = "trace")]
#[cold]
#[inline(never)]
fn watched<R, F: Fallback<R>>(site: &'static Site, fallback: F, body: impl FnOnce() -> R) -> R {
    let callback = bridge::callback_begins(site.name());
    let value = run(site, fallback, body);
    callback.ends();
    value
}

#[cold]
#[inline(never)]
fn admit(site: &'static Site) -> Result<(), String> {
    if is_on_signal_stack() {
        return Err(
            "C called in from a signal handler before the runtime was up, and nothing can be started there".to_owned()
        );
    }
    // The start runs Rust code that may panic, and below it are C frames.
    match catch_unwind(AssertUnwindSafe(|| start::from_c(site))) {
        Ok(passed) => passed.map_err(|error| error.to_string()),
        Err(_) => Err(greenbridge_runtime::StartError::panicked().to_string()),
    }
}

/// Whether the caller runs on its alternate signal stack: a handler that does not is not told from other code.
fn is_on_signal_stack() -> bool {
    // SAFETY: zero is a value of each of its fields.
    let mut now: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: a null first argument changes nothing; the second one is written.
    unsafe { libc::sigaltstack(std::ptr::null(), &raw mut now) == 0 && now.ss_flags & libc::SS_ONSTACK != 0 }
}

/// The body has panicked: the call from Rust that C runs under gets the panic, and C the fallback.
#[cold]
#[inline(never)]
fn keep<R, F: Fallback<R>>(site: &'static Site, fallback: F, payload: Payload) -> R {
    match bridge::keep_panic(payload) {
        Ok(()) => value::<R, F>(site, fallback),
        Err(payload) => refuse::<R, F>(site, fallback, &format!("it panicked: {}", text_of(&payload))),
    }
}

/// C gets the declared fallback, with a message on stderr, or the process ends with that message.
#[cold]
#[inline(never)]
fn refuse<R, F: Fallback<R>>(site: &'static Site, fallback: F, why: &str) -> R {
    if F::DECLARED {
        say(&format!("export `{}` returns its fallback: {why}", site.name()));
        return value::<R, F>(site, fallback);
    }
    say(&format!(
        "export `{}`: {why}. There is no Rust caller under this C call to tell, and the export declares no value \
         for C (`#[greenbridge::export(fallback = ...)]`); the process aborts",
        site.name()
    ));
    std::process::abort();
}

/// The fallback's own expression may panic, and C is below it.
fn value<R, F: Fallback<R>>(site: &'static Site, fallback: F) -> R {
    catch_unwind(AssertUnwindSafe(|| fallback.value())).unwrap_or_else(|_| {
        say(&format!(
            "export `{}`: its fallback panicked, so there is nothing that C could be given; the process aborts",
            site.name()
        ));
        std::process::abort();
    })
}

fn text_of(payload: &Payload) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text")
}
