//! Everything at once, by the throw of dice: green threads that spawn, join, send, yield, park, pin themselves, call C in every way, wait
//! in callbacks three calls deep, panic there and wait while they unwind; and threads of C that enter. Nothing is lost or
//! doubled, everybody finishes, and C stays on its OS thread.
//!
//! What could break it: any hand-over of a processor, a worker that is in two places, a wake-up that is lost. One seed is one
//! sequence of throws, not one interleaving: a failure names its seed and its settings, and may need more than one run to come again.
//!
//! No wait depends on an OS thread that the limit could withhold. Whoever is pinned waits only for green threads that never call C,
//! and whoever may have to block its OS thread only for a thread that is not the runtime's.
//!
//! `GREENBRIDGE_STRESS_SEEDS=1000 cargo test --test stress` runs more seeds than the few of every day.

mod support;

use greenbridge::channel::{Receiver, Sender, bounded, unbounded};
use greenbridge::{JoinHandle, Start, call, call_blocking, current, park, pin, run, spawn, yield_now};
use std::ffi::{c_long, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use support::{Callback, Process, Random, Way, for_c, gettid, panic_text, start};

const GREENBRIDGE: Start = Start::by_rust();

const PROCESSORS: [usize; 3] = [1, 2, 8];
/// How many OS threads more than processors; `None`: the default limit.
const THREADS_MORE: [Option<usize>; 3] = [Some(0), Some(1), None];
/// How long spare OS threads are kept, in milliseconds; `None`: the default.
const SPARE_IDLE: [Option<&str>; 2] = [Some("0"), None];
const SETTINGS: u64 = (PROCESSORS.len() * THREADS_MORE.len() * SPARE_IDLE.len()) as u64;

const ACTORS: u64 = 24;
const STEPS: u64 = 80;
const C_THREADS: c_long = 3;
const ENTRIES: c_long = 60;
/// How deep calls are nested.
const DEEPEST: u32 = 3;
/// What the panics say that are meant.
const MEANT: &str = "this panic is meant";

unsafe extern "C" {
    fn stress_enter(f: Callback<c_long>, context: *mut c_void, number: c_long, is_alone: c_long) -> c_long;
    fn stress_threads(f: Callback<c_long>, context: *mut c_void, count: c_long, times: c_long);
    safe fn stress_sleep(microseconds: c_long) -> c_long;
}

#[test]
fn everything_at_once_is_done_once_and_ends() {
    let seeds = std::env::var("GREENBRIDGE_STRESS_SEEDS").map_or(4 * SETTINGS, |text| text.parse().expect("a number"));
    for seed in 0..seeds {
        let mut child = Process::child("actors_of_one_seed").env("STRESS_SEED", &seed.to_string());
        let mut dice = seed as usize;
        let mut choose = |sides: usize| (dice % sides, dice /= sides).0;
        let processors = PROCESSORS[choose(PROCESSORS.len())];
        child = child.env("GREENBRIDGE_PROCESSORS", &processors.to_string());
        if let Some(more) = THREADS_MORE[choose(THREADS_MORE.len())] {
            child = child.env("GREENBRIDGE_MAX_THREADS", &(processors + more).to_string());
        }
        if let Some(milliseconds) = SPARE_IDLE[choose(SPARE_IDLE.len())] {
            child = child.env("GREENBRIDGE_SPARE_IDLE_MS", milliseconds);
        }
        child.run().succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn actors_of_one_seed() {
    let seed = std::env::var("STRESS_SEED").map_or(0, |text| text.parse::<u64>().expect("a number"));
    start();
    let (tools, helpers) = Tools::with_helpers();
    let on_c_threads = std::thread::spawn({
        let tools = tools.clone();
        move || {
            let (f, context) = for_c(enter_on_c_thread, &tools);
            // SAFETY: C hands the pointer on to `f`, and joins its threads while `tools` is borrowed.
            unsafe { stress_threads(f, context, C_THREADS, ENTRIES) };
        }
    });
    let actors: Vec<_> = (0..ACTORS)
        .map(|number| {
            let tools = tools.clone();
            spawn(move || Actor { tools, random: Random::new(seed * ACTORS + number) }.act())
        })
        .collect();
    for actor in actors {
        actor.join().unwrap_or_else(|payload| panic!("an actor: {}", panic_text(&*payload)));
    }
    on_c_threads.join().expect("no panic");
    helpers.end(tools);
}

/// A number that is to be sent back.
type Question = (c_long, Sender<c_long>);

/// What the actors use together.
#[derive(Clone)]
struct Tools {
    /// To green threads that call no C.
    ask_green: Sender<Question>,
    /// To a thread that is not the runtime's: never waits for an OS thread, and answers whoever blocks one.
    ask_thread: Sender<Question>,
    pipes: [Sender<u64>; 3],
    sent: Arc<AtomicU64>,
    sum: Arc<AtomicU64>,
}

/// Who does the answering and the counting.
struct Helpers {
    green: Vec<JoinHandle<()>>,
    thread: std::thread::JoinHandle<()>,
    counters: Vec<JoinHandle<(u64, u64)>>,
}

impl Tools {
    fn with_helpers() -> (Self, Helpers) {
        let (ask_green, asked) = bounded(1);
        let green = (0..3)
            .map(|_| {
                spawn({
                    let asked = asked.clone();
                    move || answer(&asked)
                })
            })
            .collect();
        let (ask_thread, asked) = unbounded();
        let thread = std::thread::spawn(move || answer(&asked));
        let mut counters = Vec::new();
        let pipes = [0, 1, 8].map(|capacity| {
            let (pipe, received) = bounded(capacity);
            for _ in 0..2 {
                let received: Receiver<u64> = received.clone();
                counters.push(spawn(move || received.iter().fold((0, 0), |(count, sum), n| (count + 1, sum + n))));
            }
            pipe
        });
        let (sent, sum) = Default::default();
        (Self { ask_green, ask_thread, pipes, sent, sum }, Helpers { green, thread, counters })
    }

    fn send(&self, random: &mut Random) {
        let number = random.below(1 << 20);
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(number, Ordering::Relaxed);
        self.pipes[random.below(3) as usize].send(number).expect("the counters listen");
    }
}

impl Helpers {
    fn end(self, tools: Tools) {
        let (sent, sum) = (Arc::clone(&tools.sent), Arc::clone(&tools.sum));
        drop(tools);
        // They end when the last sender is gone, and with it whoever might still send.
        let counts = self.counters.into_iter().map(|counter| counter.join().expect("no panic"));
        let received = counts.fold((0, 0), |(count, sum), (n, s)| (count + n, sum + s));
        let sent = (sent.load(Ordering::Relaxed), sum.load(Ordering::Relaxed));
        assert_eq!(received, sent, "what was sent is not what was received (how many, and their sum)");
        self.green.into_iter().for_each(|helper| helper.join().expect("no panic"));
        self.thread.join().expect("no panic");
    }
}

fn answer(asked: &Receiver<Question>) {
    for (number, reply) in asked {
        reply.send(number).expect("whoever asks waits");
    }
}

fn ask(whom: &Sender<Question>, number: c_long) -> c_long {
    let (reply, replied) = bounded(1);
    whom.send((number, reply)).expect("the helpers listen");
    replied.recv().expect("the helpers answer")
}

fn leaf(depth: u32, number: c_long) -> c_long {
    if depth == 0 {
        yield_now();
        return number;
    }
    let child = spawn(move || leaf(depth - 1, number));
    yield_now();
    child.join().expect("no panic")
}

/// One green thread that throws dice.
struct Actor {
    tools: Tools,
    random: Random,
}

impl Actor {
    fn act(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
    }

    fn step(&mut self) {
        let number = self.random.below(1 << 16) as c_long;
        match self.random.below(14) {
            0 => assert_eq!(leaf(1 + self.random.below(3) as u32, number), number),
            1 => assert_eq!(ask(&self.tools.ask_green, number), number),
            2 => (0..number % 8).for_each(|_| yield_now()),
            3 => self.stays_while_pinned(number),
            4 => is_unparked(),
            5 => self.tools.send(&mut self.random),
            6 => receives_in_spite_of_futures_given_up(number),
            7 => self.waits_while_it_unwinds(number),
            8 => self.is_called_back_under_a_bare_call(number),
            9 => assert_eq!(call_blocking(|| stress_sleep(number % 200)), 1),
            _ => self.calls_c(number),
        }
    }

    fn stays_while_pinned(&mut self, number: c_long) {
        let _pinned = pin();
        let home = gettid();
        for _ in 0..1 + number % 3 {
            yield_now();
            assert_eq!(gettid(), home, "a pinned green thread has moved");
        }
        assert_eq!(ask(&self.tools.ask_green, number), number);
        assert_eq!(call(|| stress_sleep(number % 100)), 1);
        assert_eq!(gettid(), home, "a pinned green thread has moved");
    }

    fn waits_while_it_unwinds(&self, number: c_long) {
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _asks = AsksWhenDropped(&self.tools, number);
            resume_unwind(Box::new(MEANT));
        }));
        assert!(unwound.is_err());
        yield_now();
    }

    fn is_called_back_under_a_bare_call(&mut self, number: c_long) {
        // Pinned, so that the call in the callback need not move: beside a resident it would have to, which no callback under a
        // bare call may.
        let _pinned = pin();
        let (f, context) = for_c(sleep_in_callback, &self.tools);
        // SAFETY: C hands the pointer on to `f` and returns after it, while the context is borrowed.
        assert_eq!(unsafe { stress_enter(f, context, number % 300, 1) }, number % 300);
    }

    fn calls_c(&mut self, number: c_long) {
        let chain =
            Chain { tools: &self.tools, seed: self.random.below(u64::MAX), depth: 0, way: Way::Call, outer: None };
        let way = Way::ALL[self.random.below(4) as usize];
        match catch_unwind(AssertUnwindSafe(|| chain.called(way).through_c(number))) {
            Ok(answer) => assert_eq!(answer, number),
            Err(payload) if panic_text(&*payload) == MEANT => {}
            Err(payload) => resume_unwind(payload),
        }
    }
}

fn is_unparked() {
    let me = current();
    let unparks = spawn(move || {
        yield_now();
        me.unpark();
    });
    park();
    unparks.join().expect("no panic");
}

fn receives_in_spite_of_futures_given_up(number: c_long) {
    let (sender, receiver) = bounded(0);
    let sends = spawn(move || sender.send(number).expect("it is received"));
    let mut context = Context::from_waker(Waker::noop());
    let received = loop {
        let mut receiving = receiver.recv_async();
        // SAFETY: shadowed at once, and so not moved any more before it is dropped.
        let receiving = unsafe { Pin::new_unchecked(&mut receiving) };
        match receiving.poll(&mut context) {
            Poll::Ready(received) => break received,
            Poll::Pending => yield_now(),
        }
    };
    assert_eq!(received, Ok(number));
    sends.join().expect("no panic");
}

/// Asks the thread, for it may block this one.
struct AsksWhenDropped<'a>(&'a Tools, c_long);

impl Drop for AsksWhenDropped<'_> {
    fn drop(&mut self) {
        assert_eq!(ask(&self.0.ask_thread, self.1), self.1);
    }
}

/// The calls of C that are on one stack.
struct Chain<'a> {
    tools: &'a Tools,
    seed: u64,
    depth: u32,
    way: Way,
    outer: Option<&'a Chain<'a>>,
}

impl Chain<'_> {
    /// One call further in.
    fn called(&self, way: Way) -> Chain<'_> {
        Chain { tools: self.tools, seed: self.seed ^ 0x5DEE_CE66, depth: self.depth + 1, way, outer: Some(self) }
    }

    fn has(&self, way: Way) -> bool {
        self.depth > 0 && (self.way == way || self.outer.is_some_and(|outer| outer.has(way)))
    }

    fn through_c(&self, number: c_long) -> c_long {
        let (f, context) = for_c(throw_dice_in_callback, self);
        let is_alone = c_long::from(!self.has(Way::Interleaved));
        let context = context.expose_provenance();
        // SAFETY: C hands the pointer on to `f` and returns after it, while `self` is borrowed.
        self.way.call(|| unsafe { stress_enter(f, std::ptr::with_exposed_provenance_mut(context), number, is_alone) })
    }

    /// Whoever blocks its OS thread here may ask only the thread that is not the runtime's.
    fn ask(&self, number: c_long) -> c_long {
        let may_block = self.has(Way::OnThreadStack) || self.has(Way::Interleaved);
        ask(if may_block { &self.tools.ask_thread } else { &self.tools.ask_green }, number)
    }
}

#[greenbridge::export]
extern "C" fn throw_dice_in_callback(chain: &Chain<'_>, number: c_long) -> c_long {
    let mut random = Random::new(chain.seed);
    let home = gettid();
    for _ in 0..1 + random.below(3) {
        match random.below(10) {
            0..3 => assert_eq!(chain.ask(number), number),
            3 | 4 if chain.depth < DEEPEST => {
                let way = Way::ALL[random.below(4) as usize];
                assert_eq!(chain.called(way).through_c(number), number);
            }
            5 => (0..number % 4).for_each(|_| yield_now()),
            6 => assert_eq!(call_blocking(|| stress_sleep(number % 100)), 1),
            7 => drop(spawn({
                let tools = chain.tools.clone();
                move || tools.send(&mut Random::new(number as u64))
            })),
            8 if random.below(4) == 0 => {
                let _asks = AsksWhenDropped(chain.tools, number);
                resume_unwind(Box::new(MEANT));
            }
            _ => assert_eq!(stress_sleep(number % 50), 1),
        }
        assert_eq!(gettid(), home, "a callback has moved");
    }
    number
}

/// Under a bare call a callback may not wait, and may do everything else.
#[greenbridge::export]
extern "C" fn sleep_in_callback(_: &Tools, number: c_long) -> c_long {
    assert_eq!(call(|| stress_sleep(number)), 1);
    number
}

#[greenbridge::export]
extern "C" fn enter_on_c_thread(tools: &Tools, number: c_long) -> c_long {
    let mut random = Random::new(number as u64);
    match random.below(5) {
        0 => leaf(2, number),
        1 => ask(&tools.ask_green, number),
        2 => ask(&tools.ask_thread, number),
        3 => run(move || leaf(1, number)),
        _ => {
            tools.send(&mut random);
            call(|| number)
        }
    }
}
