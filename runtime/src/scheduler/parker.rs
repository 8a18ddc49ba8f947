//! How the OS thread of a worker sleeps, and how it is called by name: in its parker, or in the poller of the reactor.
//!
//! ```text
//!                    begin                         call: MustUnpark or MustNotify
//!   AWAKE ─────────────────────► PARKED / POLLING ────────────────────────────────► CALLED
//!     ▲ │                               │                                             │ ▲
//!     │ └───────────────────────────────│──────── call ───────────────────────────────│─┘
//!     └────────── end ──────────────────┴──────────────────── end, or begin: Called ──┘
//! ```
//!
//! A call is a token, as a parker's: one that comes before the sleep lets it return at once. Unlike a parker, the word says where the worker
//! sleeps, so that a call ends that sleep: by a futex, or by the eventfd of the poller. Nobody makes a system call for a worker that is awake, or
//! has been called.
//!
//! | transition | who | ordering | pairs with |
//! |---|---|---|---|
//! | [`Token::begin`] | the worker, before it sleeps | Relaxed | nothing: if it was called, `end` follows |
//! | [`Token::call`] | who has something for the worker | AcqRel | `end`: what the caller has done before |
//! | [`Token::end`] | the worker, whatever has ended its sleep | AcqRel | `call`: a second one, too, which has ended nothing |
//!
//! # Property
//! 1. After a call the worker's next sleep returns, or the one it is in does, and it sees what the caller has done before it.
//! 2. Of the calls during one sleep one makes a system call.
//!
//! # Proof
//! All are read-modify-writes of one word, so *Begin* and *Call* have an order. If *Call* is first, *Begin* finds CALLED, and the worker
//! does not sleep. If *Begin* is first, *Call* finds PARKED or POLLING, and its caller ends that sleep: the parker keeps a token, and the eventfd
//! an event, even if the worker has not come as far yet. Only the first of several calls finds that. A system call that comes after the sleep has
//! ended by itself ends a later one early, which the worker bears.
//!
//! # What it must never do
//! Sleep or wake itself. Be asked by the worker whether it was called: what it was called for says that.
//!
//! Model: `tests/models/tests/parker.rs`; its mutants: `tests/models/mutants/parker.rs`.

use crate::primitive::{AtomicU8, Ordering};
use core::fmt;

/// The worker is awake, and nobody has called.
const AWAKE: u8 = 0;
/// It sleeps in its parker, or is about to.
const PARKED: u8 = 1;
/// It sleeps in the poller, or is about to.
const POLLING: u8 = 2;
/// It has been called since its last sleep began.
const CALLED: u8 = 3;

/// Where a worker sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Bed {
    /// In its parker.
    Parker = PARKED,
    /// In the poller.
    Poller = POLLING,
}

/// Whether the worker may sleep.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// It may, and calls `end` afterwards.
    MaySleep,
    /// It has been called before, and the call is used up.
    Called,
}

/// What the caller must do.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Nothing: the worker is awake, or has been called by another.
    WillLook,
    /// Unpark its parker.
    MustUnpark,
    /// End the wait of the poller.
    MustNotify,
}

/// The token of a worker.
pub(crate) struct Token {
    word: AtomicU8,
}

impl Token {
    /// Of a worker that is awake.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU8::new(AWAKE) }
    }

    /// The worker is about to sleep.
    pub(crate) fn begin(&self, bed: Bed) -> Begin {
        match self.word.compare_exchange(AWAKE, bed as u8, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Begin::MaySleep,
            Err(_) => {
                self.end();
                Begin::Called
            }
        }
    }

    /// Calls the worker.
    pub(crate) fn call(&self) -> Call {
        match self.word.swap(CALLED, Ordering::AcqRel) {
            PARKED => Call::MustUnpark,
            POLLING => Call::MustNotify,
            _ => Call::WillLook,
        }
    }

    /// The worker's sleep is over. A call is used up.
    pub(crate) fn end(&self) {
        self.word.swap(AWAKE, Ordering::AcqRel);
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.word.load(Ordering::Relaxed) {
            AWAKE => "Token(awake)",
            PARKED => "Token(parked)",
            POLLING => "Token(polling)",
            _ => "Token(called)",
        })
    }
}
