//! Times to be received as from a channel.

use super::Sleep;
use crate::driver::clock;
use crate::primitive::{Mutex, lock};
use crate::wait::{What, wait};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The receiving end of a channel on which one message comes, after `duration`: the time at which it was due.
///
/// After that one there are no others: a further receive waits for ever.
///
/// # Examples
/// ```
/// use greenbridge_runtime::time;
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let start = time::now();
/// let receiver = time::after(Duration::from_millis(1));
/// assert!(receiver.recv() >= start + Duration::from_millis(1));
/// assert_eq!(receiver.try_recv(), None);
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
pub fn after(duration: Duration) -> TimeReceiver {
    TimeReceiver::new(clock::deadline_after(duration), None)
}

/// The receiving end of a channel on which a message comes every `period`, the first after one.
///
/// It has room for one: of the messages that nobody has received for a period or more, one is kept and the others are left out, and the
/// next comes a period after that one was received.
///
/// # Panics
/// If `period` is zero.
///
/// # Examples
/// ```
/// use greenbridge_runtime::time;
/// use std::time::Duration;
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let ticks = time::ticker(Duration::from_millis(1));
/// let first = ticks.recv();
/// assert!(ticks.recv() >= first + Duration::from_millis(1));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[track_caller]
pub fn ticker(period: Duration) -> TimeReceiver {
    assert!(!period.is_zero(), "the period of a ticker must not be zero");
    TimeReceiver::new(clock::deadline_after(period), Some(period))
}

/// Receives times: made by [`after`] and [`ticker`]. Clones receive from the same channel, each message once.
///
/// Nobody sends: who receives looks at the clock, and arms a timer for as long as it waits. So a receiver that nobody waits on costs nothing.
#[derive(Debug, Clone)]
pub struct TimeReceiver {
    channel: Arc<Channel>,
}

#[derive(Debug)]
struct Channel {
    /// When the next message comes; None: never.
    next: Mutex<Option<Instant>>,
    /// None: there is one only.
    period: Option<Duration>,
}

impl TimeReceiver {
    fn new(next: Option<Instant>, period: Option<Duration>) -> Self {
        Self { channel: Arc::new(Channel { next: Mutex::new(next), period }) }
    }

    /// Waits for the next message: the moment at which it was due.
    ///
    /// # Blocking
    /// A green thread waits alone, also in a callback from C; any other OS thread blocks.
    ///
    /// # Panics
    /// In a callback under a bare C call, if it would have to wait; and if it would have to wait and the runtime has not been started.
    ///
    /// # Cancellation
    /// A receive that was cut short has taken nothing.
    #[inline(never)]
    #[track_caller]
    pub fn recv(&self) -> Instant {
        let mut receiving = self.recv_async();
        wait(What::Time, |context| Pin::new(&mut receiving).poll(context))
    }

    /// As [`recv`](Self::recv), as a future, which is done when it has taken a message: for a branch of a select, or for another executor.
    pub fn recv_async(&self) -> RecvTime<'_> {
        RecvTime { receiver: self, sleep: Sleep::until(None) }
    }

    /// Takes the message that has come, if one has.
    pub fn try_recv(&self) -> Option<Instant> {
        self.take().ok()
    }

    /// Takes the message that has come, or says when it will.
    fn take(&self) -> Result<Instant, Option<Instant>> {
        let mut next = lock(&self.channel.next);
        let now = clock::now();
        let Some(due) = next.filter(|&next| next <= now) else { return Err(*next) };
        *next = self.channel.period.and_then(|period| {
            let regular = due.checked_add(period)?;
            if now < regular { Some(regular) } else { now.checked_add(period) }
        });
        Ok(due)
    }
}

/// The future of a receive: made by [`TimeReceiver::recv_async`].
///
/// # Cancellation
/// It may be dropped at any time: then it has taken nothing.
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled"]
pub struct RecvTime<'a> {
    receiver: &'a TimeReceiver,
    sleep: Sleep,
}

impl Future for RecvTime<'_> {
    type Output = Instant;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Instant> {
        loop {
            // If another receiver has taken the message, this one waits for the one after it.
            match self.receiver.take() {
                Ok(due) => return Poll::Ready(due),
                Err(next) => self.sleep.move_to(next),
            }
            if Pin::new(&mut self.sleep).poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
