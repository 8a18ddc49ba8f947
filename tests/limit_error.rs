//! At `max_threads`, a green thread that waits for an OS thread which nobody can ever free gets an error that names the limit;
//! nothing else is lost by it, and whatever could still free one is waited for.
//!
//! What could break it: a wait for ever, an error although something outside the runtime still runs, or one that takes
//! away what it refused.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::{Builder, JoinHandle, Start, call, call_on_thread_stack, pin, run, spawn, time};
use std::ffi::{c_long, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use support::{Callback, child, for_c, panic_text, pause, start_with, yield_until};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn limit_error_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// Runs `body` in a process with no other OS thread, and sees that it comes to its end.
fn alone(body: impl FnOnce()) {
    assert_eq!(support::alone(body), 0, "the process that is alone has failed");
}

/// How many callbacks wait.
static WAITING: AtomicUsize = AtomicUsize::new(0);

#[greenbridge::export]
extern "C" fn receive(received: &Receiver<c_long>, _: c_long) -> c_long {
    WAITING.fetch_add(1, Ordering::AcqRel);
    let value = received.recv().expect("a value for each");
    WAITING.fetch_sub(1, Ordering::AcqRel);
    value
}

/// As many green threads that wait in a callback as there may be OS threads.
struct Waiting {
    calls: Vec<JoinHandle<c_long>>,
    values: Sender<c_long>,
}

impl Waiting {
    fn start(count: usize) -> Self {
        let (values, received) = bounded(0);
        let calls = (0..count)
            .map(|_| {
                let received = received.clone();
                spawn(move || {
                    let (f, context) = for_c(receive, &received);
                    // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
                    call(|| unsafe { limit_error_enter(f, context, 0) })
                })
            })
            .collect();
        yield_until(&WAITING, count);
        Self { calls, values }
    }

    /// Sets them free, one after the other.
    fn end(self) {
        for value in 1..=self.calls.len() {
            self.values.send(value as c_long).expect("one waits");
        }
        let count = self.calls.len() as c_long;
        let sum: c_long = self.calls.into_iter().map(|call| call.join().expect("no panic")).sum();
        assert_eq!(sum, count * (count + 1) / 2);
    }
}

#[track_caller]
fn names_the_limit(f: impl FnOnce(), max_threads: usize) {
    let error = catch_unwind(AssertUnwindSafe(f)).expect_err("nobody can free an OS thread");
    let text = panic_text(&*error);
    assert!(text.contains("GREENBRIDGE_MAX_THREADS"), "{text}");
    assert!(text.contains(&format!("all {max_threads} ")), "{text}");
}

/// Refused again and again, a green thread can at last set those free that it had to give way to, and do what it wanted.
fn refused_and_served(processors: usize, max_threads: usize) {
    alone(|| {
        start_with(Builder::new().processors(processors).max_threads(max_threads));
        run(move || {
            let waiting = Waiting::start(max_threads);
            for _ in 0..3 {
                names_the_limit(|| call(|| unreachable!("C is called without an OS thread")), max_threads);
                names_the_limit(|| drop(pin()), max_threads);
                // Others go on as before, and so does this one.
                assert_eq!(spawn(|| 5).join().expect("no panic"), 5);
            }
            waiting.end();
            assert_eq!(call(|| 6), 6);
            drop(pin());
            Waiting::start(max_threads).end();
        });
    });
}

#[test]
fn where_nobody_can_free_an_os_thread_call_and_pin_name_the_limit() {
    child("refused_on_one_thread").succeeds();
    child("refused_on_three_threads").succeeds();
    child("refused_on_four_threads_of_four_processors").succeeds();
}

#[test]
#[ignore = "child process"]
fn refused_on_one_thread() {
    refused_and_served(1, 1);
}

#[test]
#[ignore = "child process"]
fn refused_on_three_threads() {
    refused_and_served(2, 3);
}

#[test]
#[ignore = "child process"]
fn refused_on_four_threads_of_four_processors() {
    refused_and_served(4, 4);
}

#[test]
fn all_that_wait_for_an_os_thread_are_told() {
    child("many_are_refused").succeeds();
}

#[test]
#[ignore = "child process"]
fn many_are_refused() {
    alone(|| {
        start_with(Builder::new().processors(2).max_threads(2));
        run(|| {
            let waiting = Waiting::start(2);
            let refused: Vec<_> = (0..50)
                .map(|n| {
                    spawn(move || match n % 2 {
                        0 => call(|| ()),
                        _ => drop(pin()),
                    })
                })
                .collect();
            for thread in refused {
                let error = thread.join().expect_err("nobody can free an OS thread");
                assert!(panic_text(&*error).contains("GREENBRIDGE_MAX_THREADS"));
            }
            waiting.end();
        });
    });
}

/// Long enough for the runtime to look many times whether anybody could free an OS thread.
const MANY_LOOKS: Duration = Duration::from_millis(400);

/// One green thread waits in a callback on the only OS thread, and another one for that OS thread.
fn two_on_one_thread() -> (Waiting, JoinHandle<i32>) {
    start_with(Builder::new().processors(1).max_threads(1));
    run(|| {
        let waiting = Waiting::start(1);
        (waiting, spawn(|| call(|| 6)))
    })
}

#[test]
fn an_os_thread_that_could_send_is_waited_for() {
    child("an_os_thread_sends_when_it_is_told_to").succeeds();
    child("an_os_thread_sends_of_itself").succeeds();
}

#[test]
#[ignore = "child process"]
fn an_os_thread_sends_when_it_is_told_to() {
    alone(|| {
        let (waiting, waits_to_move) = two_on_one_thread();
        let (tell, told) = mpsc::channel();
        let sender = std::thread::spawn(move || {
            told.recv().expect("it is told to send");
            waiting.end();
        });
        pause(MANY_LOOKS);
        tell.send(()).expect("it waits");
        assert_eq!(waits_to_move.join().expect("no error"), 6);
        sender.join().expect("no panic");
    });
}

#[test]
#[ignore = "child process"]
fn an_os_thread_sends_of_itself() {
    alone(|| {
        let (waiting, waits_to_move) = two_on_one_thread();
        // This one waits in the runtime meanwhile: only the other can send.
        let sender = std::thread::spawn(move || {
            pause(MANY_LOOKS);
            waiting.end();
        });
        assert_eq!(waits_to_move.join().expect("no error"), 6);
        sender.join().expect("no panic");
    });
}

#[test]
fn a_wait_that_blocks_the_last_os_thread_is_refused_if_only_green_threads_could_end_it() {
    child("blocked_on_one_thread").succeeds();
    child("blocked_on_two_threads_with_timers").succeeds();
}

/// A wait in C on the OS thread's own stack cannot switch away.
fn wait_on_thread_stack(received: &Receiver<c_long>) -> c_long {
    call_on_thread_stack(|| {
        let (f, context) = for_c(receive, received);
        // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
        unsafe { limit_error_enter(f, context, 0) }
    })
}

#[test]
#[ignore = "child process"]
fn blocked_on_one_thread() {
    alone(|| {
        start_with(Builder::new().processors(1).max_threads(1));
        run(|| {
            for _ in 0..3 {
                let (value, received) = bounded(0);
                let sender = spawn(move || value.send(5));
                names_the_limit(|| assert_eq!(wait_on_thread_stack(&received), 5), 1);
                // The sender has a processor again.
                assert_eq!(received.recv(), Ok(5));
                sender.join().expect("no panic").expect("it was received");
            }
        });
    });
}

#[test]
#[ignore = "child process"]
fn blocked_on_two_threads_with_timers() {
    alone(|| {
        start_with(Builder::new().processors(2).max_threads(2));
        let blocked: Vec<_> = (0..2)
            .map(|_| {
                spawn(|| {
                    let (value, received) = bounded(0);
                    spawn(move || {
                        // The timer is due while both workers block.
                        time::sleep(MANY_LOOKS / 10);
                        value.send(5)
                    });
                    catch_unwind(AssertUnwindSafe(|| wait_on_thread_stack(&received)))
                        .map_err(|error| panic_text(&*error))
                })
            })
            .collect();
        let ends: Vec<_> = blocked.into_iter().map(|thread| thread.join().expect("it is caught")).collect();
        let refused: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).collect();
        assert!(refused.len() <= 1, "one free worker is enough: {refused:?}");
        assert!(refused.iter().all(|text| text.contains("GREENBRIDGE_MAX_THREADS")), "{refused:?}");
    });
}
