//! A timeline of a small program, for Perfetto and as a picture; and the report of who has held up others.
//!
//! Two clients call a C library that asks back for values, and the answer comes from a green thread that waits for its store. Meanwhile another one
//! computes in C for long, and one calls C that sleeps. The picture is in `docs/seeing.md`.
//!
//! ```text
//! $ cargo run --release --example timeline -- timeline.json timeline.svg
//! 412 events on 12 tracks in 21.4ms, 0 dropped
//! wrote timeline.json: open it at https://ui.perfetto.dev
//! wrote timeline.svg
//!
//! C calls, by how often their processor went to others:
//!     1 of 1, the longest 10.0ms: call at examples/timeline/main.rs:92:37 in timeline::grind
//! ...
//! ```

mod svg;

use greenbridge::channel::{self, Receiver, Sender};
use greenbridge::{Builder, Start, ThreadBuilder, call, call_blocking, report, run, time, trace};
use std::env;
use std::error::Error;
use std::ffi::{c_long, c_ulong};
use std::fs::File;
use std::sync::OnceLock;
use std::time::Duration;

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn timeline_add_up(keys: *const c_long, n: c_long, look_up: extern "C" fn(c_long) -> c_long) -> c_long;
    safe fn timeline_grind(microseconds: c_long) -> c_ulong;
}

/// A key, and where its value is wanted.
type Question = (c_long, Sender<c_long>);

/// The questions for the store.
static QUESTIONS: OnceLock<Sender<Question>> = OnceLock::new();

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = env::args().skip(1);
    // SAFETY: no function here touches a thread-local across a wait.
    unsafe { Builder::new().processors(2).start()? };
    trace::start(trace::Options::new());
    report::start();
    let sum = run(program);
    let timeline = trace::stop().ok_or("nothing was recorded")?;
    let report = report::stop().ok_or("nothing was collected")?;
    assert_eq!(sum, 2 * (1 + 4 + 9));

    let (events, tracks) = (timeline.events(), timeline.tracks().count());
    println!("{events} events on {tracks} tracks in {:.1?}, {} dropped", timeline.lasted(), timeline.dropped());
    if let Some(path) = files.next() {
        timeline.write_json(File::create(&path)?)?;
        println!("wrote {path}: open it at https://ui.perfetto.dev");
    }
    if let Some(path) = files.next() {
        std::fs::write(&path, svg::draw(&timeline))?;
        println!("wrote {path}");
    }
    println!("\n{report}");
    Ok(())
}

/// What is recorded.
fn program() -> c_long {
    let (to_store, questions) = channel::unbounded();
    let _ = QUESTIONS.set(to_store);
    // It ends with the process: the exports keep a sender.
    drop(ThreadBuilder::new().name("store").spawn(move || store(&questions)));
    let clients = ["client a", "client b"].map(|name| ThreadBuilder::new().name(name).spawn(client));
    let others =
        [ThreadBuilder::new().name("grinder").spawn(grind), ThreadBuilder::new().name("sleeper").spawn(sleep_in_c)];
    others.into_iter().for_each(|other| other.join().expect("no panic"));
    clients.into_iter().map(|client| client.join().expect("no panic")).sum()
}

/// Has C add up the values of three keys.
fn client() -> c_long {
    let keys = [1, 2, 3];
    // SAFETY: the keys are there while C runs, and there are three.
    call(|| unsafe { timeline_add_up(keys.as_ptr(), 3, timeline_look_up) })
}

/// What C asks back. It waits for the store.
#[greenbridge::export]
extern "C" fn timeline_look_up(key: c_long) -> c_long {
    let (to, answer) = channel::bounded(1);
    let questions = QUESTIONS.get().expect("the store is there");
    questions.send((key, to)).expect("the store is there");
    answer.recv().expect("the store answers")
}

/// Answers, each time after a while.
fn store(questions: &Receiver<Question>) {
    for (key, answer) in questions.iter() {
        time::sleep(Duration::from_micros(800));
        let _ = answer.send(key * key);
    }
}

fn grind() {
    for _ in 0..2 {
        std::hint::black_box(call(|| timeline_grind(3000)));
    }
}

fn sleep_in_c() {
    // SAFETY: it takes a number.
    call_blocking(|| unsafe { libc::usleep(2500) });
}
