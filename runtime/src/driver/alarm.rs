//! An alarm that ends a wait of the poller: a timer of the kernel's, as a file that is registered there.
//!
//! epoll's own time-out counts in milliseconds, and a timer may not be that late. The alarm is set only if it would go off too late, or not at
//! all: a wait for which it stands too early ends once for nothing, which costs less than setting it for each wait.

use super::clock::{self, Moment, NEVER};
use core::time::Duration;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The alarm.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: OwnedFd,
    /// When it goes off, or has gone off; [`NEVER`]: it has not been set.
    at: Moment,
}

impl Alarm {
    /// One that is not set.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: made just now, and nobody else's.
        Ok(Self { timer: unsafe { OwnedFd::from_raw_fd(fd) }, at: NEVER })
    }

    /// Sees to it that it goes off at `moment` or earlier.
    pub(super) fn set(&mut self, moment: Moment) -> io::Result<()> {
        let now = clock::moment();
        if (now..=moment).contains(&self.at) {
            return Ok(());
        }
        // 0 would switch it off.
        let wait = Duration::from_nanos(moment.saturating_sub(now).max(1));
        let setting = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec {
                tv_sec: wait.as_secs().try_into().unwrap_or(libc::time_t::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            },
        };
        // SAFETY: `setting` is valid for the call; what was set before is not asked for.
        match unsafe { libc::timerfd_settime(self.timer.as_raw_fd(), 0, &raw const setting, core::ptr::null_mut()) } {
            0 => {
                self.at = moment;
                Ok(())
            }
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.timer.as_raw_fd()
    }
}
