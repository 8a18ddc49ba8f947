//! A callback from C may wait for every kind of channel, in both directions.
//!
//! What could break it: an operation that waits in a way of its own, and not as everything waits.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded};
use greenbridge::sync::{broadcast, oneshot, watch};
use greenbridge::{Start, call, spawn};
use std::ffi::{c_long, c_void};
use std::sync::Mutex;
use std::thread;
use support::{Callback, child_on_processors, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn channel_callback_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

/// Calls `f` from C.
fn through_c<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    call(|| unsafe { channel_callback_enter(f, context, number) })
}

/// The far ends of the echoes below.
struct Ends {
    questions: Sender<c_long>,
    answers: Receiver<c_long>,
    once: Mutex<Option<oneshot::Receiver<c_long>>>,
    news: Mutex<Option<broadcast::Receiver<c_long>>>,
    level: Mutex<Option<watch::Receiver<c_long>>>,
}

fn take<T>(place: &Mutex<Option<T>>) -> T {
    place.lock().expect("no panic").take().expect("taken once")
}

#[greenbridge::export]
extern "C" fn ask_all(ends: &Ends, number: c_long) -> c_long {
    ends.questions.send(number).expect("somebody receives");
    let answer = ends.answers.recv().expect("somebody sends");
    let once = take(&ends.once).recv().expect("it is sent");
    let news = take(&ends.news).recv().expect("it is sent");
    let level = take(&ends.level).wait_for(|level| *level >= number).map(|level| *level).expect("it comes to that");
    answer + once + news + level
}

#[test]
fn callbacks_wait_for_every_kind() {
    child_on_processors("callbacks_ask_through_channels", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn callbacks_ask_through_channels() {
    run(|| {
        // The callbacks on green threads, and on an OS thread that C has made.
        let on_green: Vec<_> = (0..10).map(|number| spawn(move || ask(number))).collect();
        let on_os = thread::spawn(|| ask(10));
        for (number, asks) in on_green.into_iter().enumerate() {
            assert_eq!(asks.join().expect("no panic"), 5 * number as c_long + 1);
        }
        // std's join blocks the OS thread: the processor is handed on, for the other side needs one.
        assert_eq!(call(|| on_os.join()).expect("no panic"), 51);
    });
}

fn ask(number: c_long) -> c_long {
    let (questions, asked) = bounded(0);
    let (replies, answers) = bounded(0);
    let (answer_once, once) = oneshot::channel();
    let (tell, news) = broadcast::channel(1);
    let (raise, level) = watch::channel(-1);
    let echo = spawn(move || {
        let question: c_long = asked.recv().expect("it is asked");
        replies.send(2 * question).expect("somebody receives");
        answer_once.send(question).expect("somebody receives");
        tell.send(question + 1).expect("somebody receives");
        (0..=question).try_for_each(|level| raise.send(level)).ok();
    });
    let ends = Ends {
        questions,
        answers,
        once: Mutex::new(Some(once)),
        news: Mutex::new(Some(news)),
        level: Mutex::new(Some(level)),
    };
    let sum = through_c(ask_all, &ends, number);
    echo.join().expect("no panic");
    sum
}
