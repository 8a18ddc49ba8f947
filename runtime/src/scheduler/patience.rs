//! Patience with interleaved calls: time in which the kernel lets an OS thread wait for a CPU is not held against the C on it.
//!
//! Of interleaved calls there are thousands, each a fraction of a millisecond between two waits. On a machine with more to do than it has CPUs
//! the kernel stops an OS thread in the midst of such a call for longer than that. To hand its processor on then would make another OS thread
//! that wants a CPU, keeps some of the calls, and is stopped in its turn: two thousand calls came to 70 OS threads. So the monitor asks the
//! kernel, when an interleaved call has taken long by the clock:
//!
//! | the OS thread | its processor |
//! |---|---|
//! | blocks in the kernel | is taken |
//! | has had the CPU for a millisecond since the first question | is taken: C computes |
//! | else, it runs or waits for a CPU | stays; the next question comes a millisecond later |
//!
//! A question is a file of `/proc` and a clock, some 10 us, and none is asked about other calls. Where there is no answer the processor is taken.

use super::blocked::OsThread;
use std::time::{Duration, Instant};

/// Between two questions, and how long C may compute.
const ENOUGH: Duration = Duration::from_millis(1);

/// What has been learnt of one stay in C.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The CPU time of the OS thread at the first question.
    first: Duration,
    next: Instant,
}

impl Patience {
    /// Whether the processor of `thread` stays, whose call has taken long; `patience` is `None` until this is asked first.
    pub(super) fn lasts(patience: &mut Option<Self>, thread: OsThread, now: Instant) -> bool {
        if patience.is_some_and(|patience| now < patience.next) {
            return true;
        }
        let Some(used) = cpu_time(thread).filter(|_| wants_cpu(thread)) else { return false };
        let first = patience.map_or(used, |patience| patience.first);
        *patience = Some(Self { first, next: now + ENOUGH });
        used.saturating_sub(first) < ENOUGH
    }
}

/// How long it has run.
fn cpu_time(thread: OsThread) -> Option<Duration> {
    // What `pthread_getcpuclockid` makes of an OS thread's number: the complement, and three bits for "of one thread, as scheduled".
    let clock = (!thread.0 << 3 | 0b110).cast_signed();
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it fills the time in, or fails.
    let is_told = unsafe { libc::clock_gettime(clock, &raw mut time) } == 0;
    is_told.then(|| Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32))
}

/// Whether it runs, or could if there were a CPU: the state R of `proc_pid_stat(5)`.
fn wants_cpu(thread: OsThread) -> bool {
    let line = std::fs::read_to_string(format!("/proc/self/task/{}/stat", thread.0)).unwrap_or_default();
    // The name in parentheses before it may contain parentheses.
    line.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('R'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn thread_that_computes_uses_patience_up() {
        let me = OsThread::current();
        let mut patience = None;
        assert!(Patience::lasts(&mut patience, me, Instant::now()), "the first question finds no time used");
        while Patience::lasts(&mut patience, me, Instant::now()) {
            core::hint::spin_loop();
        }
        assert!(cpu_time(me).unwrap() - patience.unwrap().first >= ENOUGH);
    }

    #[test]
    fn thread_that_blocks_finds_none() {
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            tell.send(OsThread::current()).unwrap();
            let _ = ended.recv();
        });
        let thread = told.recv().unwrap();
        // It blocks sooner or later.
        while Patience::lasts(&mut None, thread, Instant::now()) {
            core::hint::spin_loop();
        }
        drop(end);
        other.join().unwrap();
    }

    #[test]
    fn thread_that_there_is_not_finds_none() {
        assert!(!Patience::lasts(&mut None, OsThread(u32::MAX >> 3), Instant::now()));
    }

    #[test]
    fn next_question_comes_later() {
        let now = Instant::now();
        let mut patience = Some(Patience { first: Duration::ZERO, next: now + ENOUGH });
        assert!(Patience::lasts(&mut patience, OsThread(u32::MAX >> 3), now));
        assert!(!Patience::lasts(&mut patience, OsThread(u32::MAX >> 3), now + ENOUGH));
    }
}
