//! Ticks come at their times, missed ones are treated as asked, and each message of a timer channel is received once.
//!
//! What could break it: a tick before its time, one that is lost because a future was given up, two receivers that get the same.

mod support;

use greenbridge::time::{self, MissedTicks, TimeReceiver};
use greenbridge::{spawn, yield_now};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use support::{block_on_os_thread, child_on_processors, run, start};

const PERIOD: Duration = Duration::from_millis(2);

#[test]
fn ticks_come_in_their_rhythm() {
    child_on_processors("a_rhythm", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_rhythm() {
    start();
    let rhythm = || {
        let mut interval = time::interval(PERIOD);
        let first = interval.tick();
        for number in 1..10 {
            let due = interval.tick();
            assert_eq!(due, first + number * PERIOD);
            assert!(Instant::now() >= due);
        }
        interval.reset_at(first + 40 * PERIOD);
        assert_eq!(interval.tick(), first + 40 * PERIOD);
        let before = time::now();
        interval.reset();
        assert!(interval.tick() >= before + PERIOD);
    };
    rhythm();
    greenbridge::run(rhythm);
    block_on_os_thread(async {
        let mut interval = time::interval_at(time::now() + PERIOD, PERIOD).missed_ticks(MissedTicks::Delay);
        let first = interval.tick_async().await;
        assert!(interval.tick_async().await >= first + PERIOD);
    });
}

#[test]
fn missed_ticks_are_treated_as_asked() {
    child_on_processors("missed_ticks", &[1]);
}

#[test]
#[ignore = "child process"]
fn missed_ticks() {
    run(|| {
        let late = |missed| {
            let mut interval = time::interval(PERIOD).missed_ticks(missed);
            let first = interval.tick();
            time::sleep(5 * PERIOD);
            assert_eq!(interval.tick(), first + PERIOD, "{missed:?}: the late one");
            (first, interval)
        };
        let (first, mut burst) = late(MissedTicks::Burst);
        for number in 2..=5 {
            // They are due, so no wait.
            let context = &mut Context::from_waker(Waker::noop());
            assert_eq!(burst.poll_tick(context), Poll::Ready(first + number * PERIOD));
        }
        let (first, mut skip) = late(MissedTicks::Skip);
        let next = skip.tick();
        assert!(next >= first + 5 * PERIOD, "those that were missed are left out");
        assert_eq!((next - first).as_nanos() % PERIOD.as_nanos(), 0, "in the old rhythm");
        let (first, mut delay) = late(MissedTicks::Delay);
        let next = delay.tick();
        assert!(next >= first + 6 * PERIOD, "a period after the late one");
        assert_eq!(delay.period(), PERIOD);
    });
}

#[test]
fn a_tick_that_is_given_up_comes_again() {
    child_on_processors("ticks_are_given_up", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn ticks_are_given_up() {
    run(|| {
        // Far enough away that nobody is late for what comes before it.
        let start = time::now() + Duration::from_secs(2);
        let mut interval = time::interval_at(start, PERIOD);
        assert!(time::timeout_at(time::now(), || interval.tick()).is_err());
        assert!(poll_once(&mut interval.tick_async()).is_pending());
        assert_eq!(interval.tick(), start);
    });
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_timer_is_received_once() {
    child_on_processors("timer_channels", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn timer_channels() {
    run(|| {
        let begin = time::now();
        let receiver = time::after(PERIOD);
        assert_eq!(time::after(Duration::from_secs(3600)).try_recv(), None);
        assert!(receiver.recv() >= begin + PERIOD);
        assert_eq!(receiver.try_recv(), None);
        assert!(time::timeout(PERIOD, || receiver.recv()).is_err(), "there is one only");

        // Several that wait for one message.
        let receiver = time::after(PERIOD);
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let receiver = receiver.clone();
                spawn(move || time::timeout(10 * PERIOD, || receiver.recv()))
            })
            .collect();
        let got = waiting.into_iter().filter_map(|waits| waits.join().expect("no panic").ok()).count();
        assert_eq!(got, 1);
    });
}

#[test]
fn a_ticker_ticks_for_all_its_receivers_together() {
    child_on_processors("tickers", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn tickers() {
    run(|| {
        let begin = time::now();
        let ticker = time::ticker(PERIOD);
        let receivers: Vec<_> = (0..3)
            .map(|_| {
                let ticker = ticker.clone();
                spawn(move || (0..5).map(|_| ticker.recv()).collect::<Vec<_>>())
            })
            .collect();
        let mut ticks: Vec<_> = receivers.into_iter().flat_map(|receiver| receiver.join().expect("no panic")).collect();
        ticks.sort();
        assert_eq!(ticks.len(), 15);
        assert!(ticks[0] >= begin + PERIOD);
        assert!(ticks.windows(2).all(|pair| pair[1] >= pair[0] + PERIOD), "one was received twice");

        // A slow receiver finds one, and the next a period later.
        time::sleep(5 * PERIOD);
        let kept = wait_for(&ticker);
        assert!(time::now() >= kept);
        let (next, taken) = (ticker.recv(), time::now());
        assert!(next >= kept + PERIOD && taken >= next);
        // As a future, given up and polled again.
        let mut receiving = ticker.recv_async();
        assert!(poll_once(&mut receiving).is_pending() || time::now() >= next + PERIOD);
        drop(receiving);
        let mut receiving = ticker.recv_async();
        assert!(greenbridge::block_on(poll_fn(|context| Pin::new(&mut receiving).poll(context))) >= next + PERIOD);
    });
}

fn wait_for(ticker: &TimeReceiver) -> Instant {
    loop {
        if let Some(tick) = ticker.try_recv() {
            return tick;
        }
        yield_now();
    }
}
