//! The fast paths execute as many locked instructions, and write to as many lines that other processors use, as the table in
//! `docs/scale.md` says, to the instruction.
//!
//! What could break it: one more atomic read-modify-write on a hot path, or a counter that all processors share. Neither shows on a
//! machine with two cores; on a large one the second costs a transfer of the cache line per operation.
//!
//! The parent steps a child through single operations, instruction by instruction, by ptrace. Two green threads on two processors do
//! the same work, each on things of its own, in turns, while all other OS threads of the process stand still: so nobody hands a
//! processor off or steals in between, and every run takes the same path. Each instruction is decoded. It counts as *locked* if
//! it has a `lock` prefix, is an `xchg` with memory, or an `mfence`. A line of 64 bytes is *shared* if the other OS thread
//! touches it in most of its turns of the same operation, were it only by reading: what one writes there the other has to fetch.
//!
//! What it does not see: lines that only the monitor or an idle worker reads, and what an operation costs when it is not alone. Of each
//! operation the median of many turns counts, for some turns look around (every 61st visits the injector).

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod support;
#[path = "counted_atomics/tracer.rs"]
mod tracer;

use greenbridge::sync::Mutex;
use greenbridge::{Start, call, channel, spawn, yield_now};
use std::arch::asm;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::{keep_busy_until, pass_over};
use tracer::{Traced, Turn};

const GREENBRIDGE: Start = Start::by_rust();

/// How often each operation is stepped through on each side.
const TURNS: usize = 15;

/// Its name in the table, and what does it between two marks.
type Operation = (&'static str, fn(&Marked));

/// What is counted, in this order.
const OPERATIONS: [Operation; 10] = [
    ("`call` of an empty C function", calls),
    ("a callback", callbacks),
    ("`call` with one callback", calls_with_callback),
    ("a yield, nobody else ready", yields),
    ("two yields, of two that take turns", yields_in_turn),
    ("spawn and join", spawns),
    ("send and receive, nobody waits", messages),
    ("a round trip over two channels", round_trips),
    ("lock and unlock, nobody waits", locks),
    (CHECK, counts_in_a_static),
];

/// What is known to lock a shared line, once: that it is seen shows that the others would be.
const CHECK: &str = "a count in a static";

unsafe extern "C" {
    safe fn counted_empty(x: i64) -> i64;
    safe fn counted_call_back(f: extern "C" fn(i64) -> i64, x: i64) -> i64;
    safe fn counted_mark_callbacks(f: extern "C" fn(i64) -> i64, times: i64) -> i64;
}

#[greenbridge::export]
extern "C" fn one_more(x: i64) -> i64 {
    x + 1
}

#[test]
fn fast_paths_execute_no_more_locked_instructions_than_the_book_says() {
    let Some(traced) = Traced::child("does_each_operation_between_marks", OPERATIONS.len() * TURNS) else {
        return pass_over("the kernel lets no process trace its child here");
    };
    let mut counted = count(&traced);
    let (name, check) = counted.pop().expect("operations were counted");
    assert_eq!((name, check.to_string().as_str()), (CHECK, "1 | 1 | 1"), "what is known to be there is not seen");
    let mut table = String::new();
    for (name, counts) in &counted {
        println!("{name}: {} instructions", counts.instructions);
        table += &format!("| {name} | {counts} |\n");
    }
    let book = include_str!("../docs/scale.md");
    let missing: Vec<_> = table.lines().filter(|line| !book.lines().any(|of_book| of_book == *line)).collect();
    assert!(
        missing.is_empty(),
        "counted otherwise than docs/scale.md says:\n{}\nall of them:\n{table}",
        missing.join("\n")
    );
}

/// What one turn of an operation came to.
struct Counts {
    /// Printed, and not compared: a compiler may change it.
    instructions: usize,
    locked: usize,
    locked_shared: usize,
    stored_shared: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {} | {}", self.locked, self.locked_shared, self.stored_shared)
    }
}

/// The counts of each operation, by its name.
fn count(traced: &Traced) -> Vec<(&'static str, Counts)> {
    let of = |operation: usize| {
        let turns = traced.turns.each_ref().map(|turns| &turns[operation * TURNS..(operation + 1) * TURNS]);
        let usual = turns.map(usual_lines);
        // Which of the two OS threads it was does not matter.
        let both = || (0..2).flat_map(|side| turns[side].iter().map(move |turn| (turn, 1 - side))).collect::<Vec<_>>();
        let median = |number: &dyn Fn(&Turn, &HashSet<u64>) -> usize| {
            let mut all: Vec<_> = both().into_iter().map(|(turn, other)| number(turn, &usual[other])).collect();
            all.sort_unstable();
            all[all.len() / 2]
        };
        let on = |lines: &[u64], shared: &HashSet<u64>| lines.iter().filter(|line| shared.contains(line)).count();
        Counts {
            instructions: median(&|turn, _| turn.instructions),
            locked: median(&|turn, _| turn.locked.len()),
            locked_shared: median(&|turn, shared| on(&turn.locked, shared)),
            stored_shared: median(&|turn, shared| on(&turn.stored, shared)),
        }
    };
    OPERATIONS.iter().enumerate().map(|(at, &(name, _))| (name, of(at))).collect()
}

/// The lines that most of the turns touch.
fn usual_lines(turns: &[Turn]) -> HashSet<u64> {
    let mut times = HashMap::new();
    for &line in turns.iter().flat_map(|turn| &turn.touched) {
        *times.entry(line).or_insert(0) += 1;
    }
    times.into_iter().filter(|&(_, times)| 2 * times > turns.len()).map(|(line, _)| line).collect()
}

#[test]
#[ignore = "child process"]
fn does_each_operation_between_marks() {
    support::start_with(greenbridge::Builder::new().processors(2));
    static THERE: AtomicUsize = AtomicUsize::new(0);
    let is_traced = Arc::new(AtomicBool::new(true));
    let sides: Vec<_> = (0..2)
        .map(|_| {
            let is_traced = Arc::clone(&is_traced);
            spawn(move || {
                // Both run at once, so they are on two OS threads. None of them waits before it is stepped, so they stay there.
                THERE.fetch_add(1, Ordering::AcqRel);
                keep_busy_until(|| THERE.load(Ordering::Acquire) >= 2);
                if !tracer::ask_to_be_traced() {
                    is_traced.store(false, Ordering::Release);
                }
                THERE.fetch_add(1, Ordering::AcqRel);
                keep_busy_until(|| THERE.load(Ordering::Acquire) == 4);
                if is_traced.load(Ordering::Acquire) {
                    OPERATIONS.iter().for_each(|(_, operation)| operation(&Marked));
                }
            })
        })
        .collect();
    sides.into_iter().for_each(|side| side.join().expect("no panic"));
}

/// Whoever has it runs under a tracer, which takes breakpoints.
struct Marked;

impl Marked {
    /// Warms up, then has each of the turns stepped through.
    fn each(&self, mut operation: impl FnMut()) {
        for _ in 0..100 {
            operation();
        }
        for _ in 0..TURNS {
            self.mark();
            operation();
            self.mark();
        }
    }

    #[inline(always)]
    fn mark(&self) {
        // SAFETY: a breakpoint; the tracer goes on behind it.
        unsafe { asm!("int3") };
    }
}

fn calls(marked: &Marked) {
    marked.each(|| assert_eq!(call(|| counted_empty(1)), 1));
}

fn callbacks(_marks_itself: &Marked) {
    call(|| (0..100).for_each(|_| assert_eq!(counted_call_back(one_more, 1), 2)));
    let turns = TURNS as i64;
    assert_eq!(call(|| counted_mark_callbacks(one_more, turns)), turns * (turns + 1) / 2);
}

fn calls_with_callback(marked: &Marked) {
    marked.each(|| assert_eq!(call(|| counted_call_back(one_more, 1)), 2));
}

fn yields(marked: &Marked) {
    marked.each(yield_now);
}

fn yields_in_turn(marked: &Marked) {
    let end = Arc::new(AtomicBool::new(false));
    let other = spawn({
        let end = Arc::clone(&end);
        move || {
            while !end.load(Ordering::Relaxed) {
                yield_now();
            }
        }
    });
    marked.each(yield_now);
    end.store(true, Ordering::Relaxed);
    other.join().expect("no panic");
}

fn spawns(marked: &Marked) {
    marked.each(|| assert_eq!(spawn(|| 1).join().expect("no panic"), 1));
}

fn messages(marked: &Marked) {
    let (sender, receiver) = channel::bounded(1);
    marked.each(|| {
        sender.send(1).expect("a receiver is there");
        assert_eq!(receiver.recv(), Ok(1));
    });
}

fn round_trips(marked: &Marked) {
    let ((ping, from_ping), (pong, from_pong)) = (channel::bounded(1), channel::bounded(1));
    let echo = spawn(move || {
        while let Ok(number) = from_ping.recv() {
            pong.send(number).expect("a receiver is there");
        }
    });
    marked.each(|| {
        ping.send(1).expect("a receiver is there");
        assert_eq!(from_pong.recv(), Ok(1));
    });
    drop(ping);
    echo.join().expect("no panic");
}

fn locks(marked: &Marked) {
    let mutex = Mutex::new(0);
    marked.each(|| *mutex.lock() += 1);
}

fn counts_in_a_static(marked: &Marked) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    marked.each(|| {
        COUNT.fetch_add(1, Ordering::Relaxed);
    });
}
