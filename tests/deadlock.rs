//! When nobody is left who could wake anybody, the process says who waits for what, and ends with status 2; with C in it, too.
//!
//! What could break it: an OS thread that is counted wrongly, a last one to go to sleep that nobody looks after, or a report that
//! leaves somebody out.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{
    Builder, JoinHandle, Start, ThreadBuilder, block_on, call, call_blocking, call_interleaved, call_on_thread_stack,
    park, pin, run, spawn,
};
use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Callback, Outcome, Process, alone, for_c, start, start_with, wait_until, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn deadlock_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn deadlock_thread(f: Option<Callback<c_long>>, context: *mut c_void, milliseconds: c_long) -> c_int;
}

/// Runs `body` in a process with no other OS thread: a deadlock must end it.
fn deadlocks(body: impl FnOnce()) {
    let status = alone(body);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 2, "it ended with wait status {status:#x}");
}

/// The report must say this, too.
fn expect(words: &str) {
    println!("expect: {words}");
}

/// The children under each of some numbers of processors.
#[track_caller]
fn reports(name: &str) -> Vec<Outcome> {
    let outcomes = ["1", "2", "8"].map(|count| Process::child(name).env("GREENBRIDGE_PROCESSORS", count).run());
    for outcome in &outcomes {
        outcome.succeeds();
        outcome.says("greenbridge: deadlock: all green threads wait, and nobody is left to wake them\n\n");
        outcome.says("GREENBRIDGE_DEADLOCK_DETECTION=off");
        outcome.stdout.lines().filter_map(|line| line.split_once("expect: ")).for_each(|(_, words)| {
            outcome.says(words);
        });
    }
    outcomes.into()
}

/// A channel through which nothing comes.
fn silence() -> (Sender<c_long>, Receiver<c_long>) {
    bounded(0)
}

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Receives from a channel through which nothing comes.
fn receive(receiver: &Receiver<c_long>) -> c_long {
    WAITING.fetch_add(1, Ordering::AcqRel);
    receiver.recv().unwrap_or(-1)
}

/// Where `receive` waits.
const RECEIVE: &str = concat!("waits for a message at ", file!(), ":");

#[greenbridge::export]
extern "C" fn receive_in_callback(receiver: &Receiver<c_long>, _: c_long) -> c_long {
    receive(receiver)
}

/// Calls C, which calls `receive_in_callback`.
fn enter_c(receiver: &Receiver<c_long>) -> c_long {
    let (f, context) = for_c(receive_in_callback, receiver);
    // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
    unsafe { deadlock_enter(f, context, 0) }
}

#[test]
fn a_ring_of_channels_is_told_with_names_and_places() {
    for report in reports("two_receive_from_each_other") {
        report.says("OS thread 'main' (").says("    waits for the end of another green thread at tests/deadlock.rs:");
    }
}

#[test]
#[ignore = "child process"]
fn two_receive_from_each_other() {
    fn exchange(sends: &Sender<i32>, receives: &Receiver<i32>) {
        expect(&format!("    waits for a message at {}:{}:", file!(), line!() + 1));
        let value = receives.recv().expect("the other has a sender");
        sends.send(value).expect("the other has a receiver");
    }
    deadlocks(|| {
        start();
        let ((to_ping, ping), (to_pong, pong)) = (bounded(1), bounded(1));
        expect(&format!("green thread 'ping' (#1), spawned at {}:{}:", file!(), line!() + 1));
        let first = ThreadBuilder::new().name("ping").spawn(move || exchange(&to_pong, &ping));
        expect(&format!("green thread #2, spawned at {}:{}:", file!(), line!() + 1));
        let second = spawn(move || exchange(&to_ping, &pong));
        let _ = (first.join(), second.join());
    });
}

#[test]
fn two_that_join_each_other_are_told() {
    reports("two_join_each_other");
}

#[test]
#[ignore = "child process"]
fn two_join_each_other() {
    deadlocks(|| {
        start();
        let (to_first, first) = bounded::<JoinHandle<()>>(1);
        let joins_second = spawn(move || first.recv().expect("it is sent").join().expect("no panic"));
        expect("    waits for the end of another green thread at tests/deadlock.rs:");
        let joins_first = spawn(move || joins_second.join().expect("no panic"));
        to_first.send(joins_first).expect("it is received");
        // The main thread waits for a third one, which waits for nothing that anybody would do.
        expect(&format!("spawned at {}:{}:", file!(), line!() + 1));
        run(|| {
            expect(&format!("    waits for unpark at {}:{}:", file!(), line!() + 1));
            park();
        });
    });
}

/// A way to wait for a value.
type Waits = fn(&Receiver<c_long>) -> c_long;

#[test]
fn who_has_c_on_its_stack_is_told_with_its_worker() {
    for report in reports("callbacks_wait") {
        report.says("    is pinned to worker ").says(": C is on its stack\n");
        report.says("    is pinned to worker ").says(": it holds a pin guard\n");
        report.says(": C is on its stack, and it holds a pin guard\n");
        report.says("    blocks OS thread 'greenbridge-");
    }
}

#[test]
#[ignore = "child process"]
fn callbacks_wait() {
    deadlocks(|| {
        start();
        let (_sender, receiver) = silence();
        let ways: [(&str, Waits); 8] = [
            ("call", |receiver| call(|| enter_c(receiver))),
            ("call_blocking", |receiver| call_blocking(|| enter_c(receiver))),
            // SAFETY: this C keeps nothing across a callback.
            ("call_interleaved", |receiver| unsafe { call_interleaved(|| enter_c(receiver)) }),
            // SAFETY: as above.
            ("interleaved too", |receiver| unsafe { call_interleaved(|| enter_c(receiver)) }),
            ("call_on_thread_stack", |receiver| call_on_thread_stack(|| enter_c(receiver))),
            ("pinned", |receiver| {
                let _pin = pin();
                receive(receiver)
            }),
            ("pinned in C", |receiver| {
                let _pin = pin();
                call(|| enter_c(receiver))
            }),
            ("block_on", |receiver| block_on(receiver.recv_async()).unwrap_or(-1)),
        ];
        let waiting: Vec<_> = ways
            .into_iter()
            .map(|(name, way)| {
                expect(&format!("'{name}' (#"));
                let receiver = receiver.clone();
                ThreadBuilder::new().name(name).spawn(move || way(&receiver))
            })
            .collect();
        expect(RECEIVE);
        expect("    waits for a future at tests/deadlock.rs:");
        waiting.into_iter().for_each(|thread| _ = thread.join());
    });
}

#[test]
fn os_threads_that_block_in_a_wait_are_told() {
    reports("os_threads_receive");
}

#[test]
#[ignore = "child process"]
fn os_threads_receive() {
    deadlocks(|| {
        start();
        let (_sender, receiver) = silence();
        // A thread of C's, and threads of std's; none of them is known to the runtime before it waits.
        let (f, context) = for_c(receive_in_callback, &receiver);
        // SAFETY: this frame, which `receiver` belongs to, is not left before the process ends.
        assert_eq!(unsafe { deadlock_thread(Some(f), context, 0) }, 0);
        let named = receiver.clone();
        std::thread::Builder::new().name("named".into()).spawn(move || receive(&named)).expect("it starts");
        wait_until(|| WAITING.load(Ordering::Acquire) == 2);
        expect("2 OS threads: ");
        expect("'named' (");
        expect("    each waits for a message at tests/deadlock.rs:");
        run(park);
    });
}

#[test]
fn without_any_green_thread_the_os_threads_are_told() {
    reports("main_receives");
}

#[test]
#[ignore = "child process"]
fn main_receives() {
    deadlocks(|| {
        start();
        let (_sender, receiver) = silence();
        assert_eq!(run(|| spawn(|| 5).join().expect("no panic")), 5);
        expect("OS thread 'main' (");
        expect(RECEIVE);
        receive(&receiver);
    });
}

#[test]
fn thousands_that_wait_alike_are_told_together() {
    for report in reports("thousands_wait") {
        report.says("2999 green threads, spawned at tests/deadlock.rs:").says(" and 2995 more\n");
        report.says("    each waits for a message at tests/deadlock.rs:");
        report.says("4000 green threads, spawned at tests/deadlock.rs:").says("    each waits for unpark at");
        report.says("500 green threads, spawned at tests/deadlock.rs:").says("    each is pinned to worker ");
        assert!(report.stderr.len() < 8000, "{report}is long");
    }
}

#[test]
#[ignore = "child process"]
fn thousands_wait() {
    deadlocks(|| {
        start();
        let (sender, receiver) = silence();
        for number in 0..7500 {
            let receiver = receiver.clone();
            match number {
                0..3000 => drop(spawn(move || receive(&receiver))),
                3000..7000 => drop(ThreadBuilder::new().name(format!("thread {number}")).spawn(park)),
                // SAFETY: this C keeps nothing across a callback.
                _ => drop(spawn(move || unsafe { call_interleaved(|| enter_c(&receiver)) })),
            };
        }
        run(move || {
            yield_until(&WAITING, 3500);
            // One of them comes to its end, and has left nothing behind.
            sender.send(1).expect("somebody receives");
            drop(receiver);
            park();
        });
    });
}

#[test]
fn an_os_thread_that_ends_soon_leaves_a_deadlock_behind() {
    reports("an_os_thread_ends");
}

#[test]
#[ignore = "child process"]
fn an_os_thread_ends() {
    deadlocks(|| {
        start();
        let (sender, receiver) = silence();
        // SAFETY: without a callback.
        assert_eq!(unsafe { deadlock_thread(None, std::ptr::null_mut(), 100) }, 0);
        let _keeps_the_channel_open = sender;
        run(move || receive(&receiver));
    });
}

#[test]
fn workers_that_have_ended_do_not_hide_a_deadlock() {
    reports("spare_workers_end");
}

#[test]
#[ignore = "child process"]
fn spare_workers_end() {
    deadlocks(|| {
        start_with(Builder::new().spare_idle(Duration::from_millis(1)));
        let (_sender, receiver) = silence();
        let calls: Vec<_> =
            (0..20).map(|_| spawn(|| call_blocking(|| support::pause(Duration::from_millis(5))))).collect();
        calls.into_iter().for_each(|call| call.join().expect("no panic"));
        run(move || receive(&receiver));
    });
}

#[test]
fn a_cancelled_one_that_cannot_end_is_told() {
    reports("a_callback_is_cancelled");
}

#[test]
#[ignore = "child process"]
fn a_callback_is_cancelled() {
    deadlocks(|| {
        start();
        let (_sender, receiver) = silence();
        let thread = spawn(move || call(|| enter_c(&receiver)));
        wait_until(|| WAITING.load(Ordering::Acquire) == 1);
        // It ends when C has returned, and C does not.
        thread.cancel();
        expect("C is on its stack");
        let _ = thread.join();
    });
}
