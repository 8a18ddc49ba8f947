//! The kernel's side of the reactor: epoll, by the crate `mio`. The one file that names it.
//!
//! Of its parts one is exclusive, [`Queue`], from which events are fetched; the others may be used by everybody at any time. A wait of the
//! queue ends at an event, at a [`call`](Poller::call), or at the moment for which its [alarm](super::alarm) is set, which counts in
//! nanoseconds where epoll's own time-out counts in milliseconds.
//!
//! Why `mio` and not `polling`: `docs/decisions.md`.

use super::alarm::Alarm;
use super::clock::{Moment, NEVER};
use super::readiness::Event;
#[cfg(feature = "faults")]
use crate::faults;
use core::fmt;
use mio::event::Event as Reported;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Events fetched at once.
const BATCH: usize = 128;

/// In the place of a registered file: somebody has called.
const CALL: Token = Token(0);
/// The alarm has gone off.
const ALARM: Token = Token(1);
/// Every other number is greater.
pub(super) const RESERVED: usize = 1;

/// The part for everybody.
pub(super) struct Poller {
    registry: Registry,
    waker: Waker,
    /// Its number, to ask whether there is any event.
    epoll: RawFd,
}

/// The part for one at a time.
pub(super) struct Queue {
    poll: Poll,
    events: Events,
    alarm: Alarm,
}

impl Poller {
    /// Makes both parts.
    ///
    /// # Errors
    /// With the name of what could not be made.
    pub(super) fn new() -> Result<(Self, Queue), (&'static str, io::Error)> {
        #[cfg(feature = "faults")]
        faults::fail(faults::Site::Poller).map_err(|e| ("an epoll instance", e))?;
        let poll = Poll::new().map_err(|e| ("an epoll instance", e))?;
        let registry = poll.registry().try_clone().map_err(|e| ("a second number for the epoll instance", e))?;
        let waker = Waker::new(&registry, CALL).map_err(|e| ("an eventfd", e))?;
        let alarm = Alarm::new().map_err(|e| ("a timerfd", e))?;
        registry
            .register(&mut SourceFd(&alarm.as_raw_fd()), ALARM, Interest::READABLE)
            .map_err(|e| ("the registration of a timerfd", e))?;
        let epoll = poll.as_raw_fd();
        Ok((Self { registry, waker, epoll }, Queue { poll, events: Events::with_capacity(BATCH), alarm }))
    }

    /// Registers a file, both ways, by edges. Each of its events comes with `name`. If it is ready now, that is an event.
    pub(super) fn add(&self, file: RawFd, name: usize) -> io::Result<()> {
        debug_assert!(name > RESERVED);
        #[cfg(feature = "faults")]
        faults::fail(faults::Site::Registration)?;
        let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        self.registry.register(&mut SourceFd(&file), Token(name), interest)
    }

    /// The contrary.
    pub(super) fn remove(&self, file: RawFd) -> io::Result<()> {
        self.registry.deregister(&mut SourceFd(&file))
    }

    /// Ends the present wait of the queue, or else the next one.
    pub(super) fn call(&self) -> io::Result<()> {
        self.waker.wake()
    }

    /// Whether there is any event: a moment's truth. Fetches none.
    pub(super) fn has_events(&self) -> bool {
        let mut asked = libc::pollfd { fd: self.epoll, events: libc::POLLIN, revents: 0 };
        // SAFETY: one element, which is valid for the call.
        unsafe { libc::poll(&raw mut asked, 1, 0) > 0 }
    }
}

impl Queue {
    /// Fetches events that are there.
    pub(super) fn fetch(&mut self) -> io::Result<()> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))
    }

    /// Waits until there is an event, until somebody calls, or until `moment`, and fetches the events. May come back early.
    pub(super) fn wait_until(&mut self, moment: Moment) -> io::Result<()> {
        if moment != NEVER {
            self.alarm.set(moment)?;
        }
        self.poll.poll(&mut self.events, None)
    }

    /// What was fetched: names and events.
    pub(super) fn events(&self) -> impl Iterator<Item = (usize, Event)> {
        self.events
            .iter()
            .filter(|reported| reported.token().0 > RESERVED)
            .map(|reported| (reported.token().0, event(reported)))
    }

    /// Whether nothing but calls and alarms was fetched.
    pub(super) fn is_empty(&self) -> bool {
        self.events().next().is_none()
    }

    /// Forgets what was fetched.
    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}

/// What an error or a hang-up means for whoever waits: to try, and see. No later edge may come.
///
/// Nor may one come for what lies behind urgent data, before which a read stops short.
fn event(reported: &Reported) -> Event {
    let read_closed = reported.is_read_closed() || reported.is_priority();
    let write_closed = reported.is_write_closed();
    let is_error = reported.is_error();
    Event::ready(reported.is_readable(), reported.is_writable())
        .and_final(read_closed || is_error, write_closed || is_error)
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("alarm", &self.alarm).finish_non_exhaustive()
    }
}
