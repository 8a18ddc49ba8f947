//! A dump shows every green thread with what it does, where it waits and who called whom, in Rust and in C, whether it is suspended or runs; and
//! it disturbs nobody.
//!
//! What could break it: a stack that is followed from the wrong place, a control block that is freed while it is read, a signal that ends
//! somebody's system call early, a green thread that is left out.

mod support;

use greenbridge::channel::{Receiver, bounded};
use greenbridge::dump::{Dump, Group, Pinned, State, WorkerState};
use greenbridge::{
    Builder, Start, ThreadBuilder, call, call_blocking, call_on_thread_stack, dump, pin, spawn, sync::Mutex, yield_now,
};
use std::ffi::{c_int, c_long, c_void};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use support::{Callback, Process, Random, alone, child, child_on_processors, for_c, start, start_with};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn dump_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
    fn dump_reads(descriptor: c_int) -> c_long;
    fn dump_sleeps(milliseconds: c_long) -> c_int;
    fn dump_computes(end: *const AtomicI32) -> c_long;
}

/// Dumps until one shows what `shows`.
fn dump_that(shows: impl Fn(&Dump) -> bool) -> Dump {
    loop {
        let dump = dump();
        if shows(&dump) {
            return dump;
        }
    }
}

/// The group that the green thread with this name is in.
fn group_of<'a>(dump: &'a Dump, name: &str) -> Option<&'a Group> {
    dump.groups.iter().find(|group| group.members.iter().any(|member| member.name.as_deref() == Some(name)))
}

/// Dumps until the green thread with this name is in this state, and has a whole backtrace. Returns its group.
fn group_when(name: &str, state: State) -> Group {
    let is_there = |group: &Group| group.state == state && group.stack.as_ref().is_some_and(|stack| stack.is_complete);
    let dump = dump_that(|dump| group_of(dump, name).is_some_and(is_there));
    group_of(&dump, name).expect("it has been found").clone()
}

/// The functions of a backtrace, the innermost first.
fn functions(group: &Group) -> Vec<&str> {
    group.stack.iter().flat_map(|stack| &stack.frames).map(|frame| &*frame.function).collect()
}

/// Whether these functions are on the backtrace, in this order from the innermost, with others in between or not.
#[track_caller]
fn assert_called(group: &Group, expected: &[&str]) {
    let mut found = functions(group).into_iter();
    for name in expected {
        assert!(found.any(|function| function.contains(name)), "{name} is missing or in another place:\n{group:#}");
    }
}

fn named<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> greenbridge::JoinHandle<T> {
    ThreadBuilder::new().name(name).spawn(body)
}

/// The two ends of a pipe.
fn pipe() -> (c_int, c_int) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    (ends[0], ends[1])
}

/// Ends one read.
fn write_byte(end: c_int) {
    // SAFETY: the range is valid.
    assert_eq!(unsafe { libc::write(end, b"x".as_ptr().cast(), 1) }, 1);
}

#[greenbridge::export]
extern "C" fn waits_in_callback(receiver: &Receiver<c_long>, _: c_long) -> c_long {
    receiver.recv().unwrap_or(-1)
}

#[inline(never)]
fn calls_c_that_calls_back(receiver: &Receiver<c_long>) -> c_long {
    let (f, context) = for_c(waits_in_callback, receiver);
    // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
    call(|| unsafe { dump_enter(f, context, 0) })
}

#[test]
fn one_that_is_suspended_inside_c_is_shown_with_all_functions() {
    child_on_processors("one_waits_in_a_callback", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn one_waits_in_a_callback() {
    start();
    let (sender, receiver) = bounded(0);
    let thread = named("inside", move || calls_c_that_calls_back(&receiver));
    let group = group_when("inside", State::Waits);
    assert_called(
        &group,
        &[
            "recv",
            "waits_in_callback",
            "dump_inner",
            "dump_enter",
            "in_c",
            "calls_c_that_calls_back",
            "one_waits_in_a_callback",
        ],
    );
    assert_eq!((group.count, group.pinned), (1, Pinned::ByC));
    assert_eq!(group.waits_for.as_deref(), Some("a message"));
    assert!(group.spawned_at.as_ref().is_some_and(|at| at.starts_with("tests/dump.rs:")), "{group:?}");
    assert!(group.waits_at.as_ref().is_some_and(|at| at.starts_with("tests/dump.rs:")), "{group:?}");
    let in_c = group.stack.as_ref().and_then(|stack| stack.in_c.clone()).expect("C is on the stack");
    assert!(in_c.starts_with("dump_enter, called at tests/dump.rs:"), "{in_c}");
    assert!(group.members[0].worker.is_some() && group.members[0].os_thread.is_some());
    let text = group.to_string();
    assert!(text.contains("green thread 'inside' (#"), "{text}");
    assert!(text.contains("is pinned to worker ") && text.contains(": C is on its stack"), "{text}");
    assert!(text.contains("at dump_inner (tests/dump.c:"), "{text}");
    assert!(!text.contains("corosensei") && format!("{group:#}").contains("corosensei"), "{text}");
    drop(sender);
    assert_eq!(thread.join().expect("no panic"), 1);
}

#[test]
fn system_calls_of_c_are_shown_and_not_cut_short() {
    child("two_are_in_system_calls").succeeds();
}

#[test]
#[ignore = "child process"]
fn two_are_in_system_calls() {
    start_with(Builder::new().processors(1));
    // The first dump reads the debug information, which may take longer than the sleep.
    dump();
    let (read, write) = pipe();
    // SAFETY: the descriptor stays open; C only waits.
    let reads = named("reads", move || call_blocking(|| unsafe { dump_reads(read) }));
    // SAFETY: as above.
    let sleeps = named("sleeps", move || call(|| unsafe { dump_sleeps(3000) }));
    // SAFETY: as above.
    let elsewhere = named("elsewhere", move || call_on_thread_stack(|| unsafe { dump_reads(read) }));
    for (name, function) in [("reads", "dump_reads"), ("sleeps", "dump_sleeps"), ("elsewhere", "dump_reads")] {
        let group = group_when(name, State::InC);
        assert_called(&group, &[function, "in_c", "two_are_in_system_calls"]);
        let in_c = group.stack.as_ref().and_then(|stack| stack.in_c.clone()).expect("it is in C");
        assert!(in_c.starts_with(function), "{in_c}");
    }
    (0..100).for_each(|_| drop(dump()));
    assert_eq!(sleeps.join().expect("no panic"), 0, "it was woken early");
    write_byte(write);
    write_byte(write);
    assert_eq!(reads.join().expect("no panic"), 0, "the read was interrupted");
    assert_eq!(elsewhere.join().expect("no panic"), 0, "the read was interrupted");
}

static END: AtomicI32 = AtomicI32::new(0);

#[inline(never)]
fn computes_in_rust() {
    while END.load(Ordering::Acquire) == 0 {
        std::hint::spin_loop();
    }
}

#[test]
fn those_that_compute_are_shown_by_a_signal() {
    child("two_compute").succeeds();
}

#[test]
#[ignore = "child process"]
fn two_compute() {
    start_with(Builder::new().processors(2));
    // SAFETY: C only reads the flag, which lives for ever.
    let in_c = named("in C", || call(|| unsafe { dump_computes(&raw const END) }));
    let in_rust = named("in Rust", computes_in_rust);
    assert_called(&group_when("in C", State::InC), &["dump_computes", "in_c", "two_compute"]);
    assert_called(&group_when("in Rust", State::Runs), &["computes_in_rust", "green"]);
    let dump = dump();
    let running = dump.workers.iter().filter(|worker| matches!(worker.state, WorkerState::Runs | WorkerState::InC));
    assert_eq!(running.filter(|worker| worker.green_thread.is_some()).count(), 2, "{dump}");
    END.store(1, Ordering::Release);
    in_c.join().expect("no panic");
    in_rust.join().expect("no panic");
}

#[test]
fn waits_for_locks_are_told_with_their_place_and_time() {
    child_on_processors("one_holds_a_lock", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn one_holds_a_lock() {
    start();
    let lock = Arc::new(Mutex::new(0));
    let (sender, receiver) = bounded::<()>(0);
    let holds = {
        let lock = Arc::clone(&lock);
        named("holds", move || {
            let mut guard = lock.lock();
            let _pin = pin();
            *guard += usize::from(receiver.recv().is_err());
        })
    };
    let holder = group_when("holds", State::Waits);
    assert_eq!(holder.pinned, Pinned::ByGuard);
    let wants = {
        let lock = Arc::clone(&lock);
        named("wants", move || *lock.lock())
    };
    let group = group_when("wants", State::Waits);
    assert_eq!(group.waits_for.as_deref(), Some("a Mutex"));
    assert_called(&group, &["lock", "one_holds_a_lock"]);
    assert!(group.waited_ms.is_some());
    assert!(holder.to_string().contains("it holds a pin guard"), "{holder}");
    let longer = dump_that(|dump| group_of(dump, "wants").is_some_and(|group| group.waited_ms > Some((50, 50))));
    assert!(longer.to_string().contains("waits for a Mutex at tests/dump.rs:"), "{longer}");
    drop(sender);
    holds.join().expect("no panic");
    assert_eq!(wants.join().expect("no panic"), 1);
}

#[test]
fn an_os_thread_and_one_that_blocks_its_own_are_told() {
    child("main_and_one_more_block").succeeds();
}

#[test]
#[ignore = "child process"]
fn main_and_one_more_block() {
    #[greenbridge::export]
    extern "C" fn waits_on_the_thread(receiver: &Receiver<c_long>, _: c_long) -> c_long {
        receiver.recv().unwrap_or(-1)
    }
    start();
    let (sender, receiver) = bounded::<c_long>(0);
    let blocks = named("blocks", move || {
        let (f, context) = for_c(waits_on_the_thread, &receiver);
        let context = context.expose_provenance();
        // SAFETY: C hands the pointer on to `f` and returns after it, while it is borrowed.
        call_on_thread_stack(move || unsafe { dump_enter(f, std::ptr::with_exposed_provenance_mut(context), 0) })
    });
    let looks = std::thread::spawn(|| {
        let blocked = group_when("blocks", State::Waits);
        assert_eq!(blocked.pinned, Pinned::Blocks);
        assert_called(&blocked, &["waits_on_the_thread", "dump_enter", "main_and_one_more_block"]);
        let dump = dump_that(|dump| dump.groups.iter().any(|group| group.spawned_at.is_none()));
        let os = dump.groups.iter().find(|group| group.spawned_at.is_none()).expect("it has been found");
        assert_eq!(os.waits_for.as_deref(), Some("the end of another green thread"));
        assert!(os.members[0].id.is_none() && os.members[0].os_thread.is_some(), "{os:?}");
        drop(sender);
    });
    assert_eq!(blocks.join().expect("no panic"), 1);
    looks.join().expect("no panic");
}

/// How many wait at once.
fn many() -> usize {
    if std::env::var_os("GREENBRIDGE_TEST_MILLION").is_some() { 1_000_000 } else { 20_000 }
}

#[test]
fn very_many_are_told_together() {
    Process::child("very_many_wait").deadline(std::time::Duration::from_secs(240)).run().succeeds();
}

#[test]
#[ignore = "child process"]
fn very_many_wait() {
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    start_with(Builder::new().deadlock_detection(false));
    let (sender, receiver) = bounded::<()>(0);
    let count = many();
    {
        let handles: Vec<_> = (0..count)
            .map(|_| {
                let receiver = receiver.clone();
                spawn(move || {
                    WAITING.fetch_add(1, Ordering::AcqRel);
                    receiver.recv().is_err()
                })
            })
            .collect();
        support::wait_until(|| WAITING.load(Ordering::Acquire) == count);
        let is_all = |dump: &Dump| dump.groups.iter().any(|group| group.count == count && group.state == State::Waits);
        let dump = dump_that(is_all);
        let again = dump_that(is_all);
        let group = dump.groups.iter().find(|group| group.count == count).expect("it has been found");
        assert!(group.members.len() <= 10_000 && group.stacks_taken >= 1_000, "{}", group.stacks_taken);
        assert_called(group, &["recv", "very_many_wait"]);
        let text = group.to_string();
        assert!(text.starts_with(&format!("{count} green threads, spawned at tests/dump.rs:")), "{text}");
        assert!(text.contains(&format!(" and {} more\n", count - 4)), "{text}");
        println!("{count} green threads: the first dump took {} us, the next {} us", dump.took_us, again.took_us);
        drop(sender);
        assert!(handles.into_iter().all(|handle| handle.join().expect("no panic")));
    }
}

#[test]
fn a_storm_goes_on_beside_a_thousand_dumps() {
    for count in ["1", "2", "8"] {
        let storm = Process::child("a_storm_and_dumps").env("GREENBRIDGE_PROCESSORS", count);
        storm.deadline(std::time::Duration::from_secs(240)).run().succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn a_storm_and_dumps() {
    static END: AtomicBool = AtomicBool::new(false);
    static TURNS: AtomicUsize = AtomicUsize::new(0);

    #[inline(never)]
    fn deeper(depth: u64, receiver: &Receiver<c_long>, random: &mut Random) -> u64 {
        TURNS.fetch_add(1, Ordering::Relaxed);
        if depth == 0 {
            match random.below(4) {
                0 => yield_now(),
                1 => drop(spawn(yield_now)),
                2 => drop(receiver.try_recv()),
                _ => _ = spawn(|| 1).join(),
            }
            return 1;
        }
        std::hint::black_box(deeper(depth - 1, receiver, random)) + 1
    }

    start();
    let (sender, receiver) = bounded::<c_long>(1);
    let storm: Vec<_> = (0..40)
        .map(|seed| {
            let receiver = receiver.clone();
            spawn(move || {
                let mut random = Random::new(seed);
                while !END.load(Ordering::Acquire) {
                    if seed % 4 == 0 {
                        calls_c_that_calls_back(&receiver);
                    } else {
                        deeper(random.below(12), &receiver, &mut random);
                    }
                }
            })
        })
        .collect();
    let sends = spawn(move || while sender.send(1).is_ok() {});
    drop(receiver);
    let (mut complete, mut taken) = (0, 0);
    support::wait_until(|| TURNS.load(Ordering::Relaxed) > 1_000);
    // Eight that run at once on a few CPUs answer late, and each dump waits for them.
    let is_crowded = std::env::var("GREENBRIDGE_PROCESSORS").is_ok_and(|count| count == "8");
    for _ in 0..if is_crowded { 100 } else { 1_000 } {
        let dump = dump();
        for group in &dump.groups {
            let Some(stack) = &group.stack else { continue };
            taken += 1;
            if stack.is_complete {
                complete += 1;
                let functions = functions(group);
                assert!(functions.iter().any(|name| name.contains("Coroutine")), "{group:#}");
            }
        }
        assert!(!dump.to_string().is_empty());
    }
    END.store(true, Ordering::Release);
    storm.into_iter().for_each(|thread| thread.join().expect("no panic"));
    sends.join().expect("no panic");
    println!("{complete} of {taken} backtraces were complete; {} turns", TURNS.load(Ordering::Relaxed));
    assert!(complete * 2 > taken, "only {complete} of {taken} backtraces were complete");
}

#[test]
fn a_dump_survives_the_way_through_json() {
    child("one_is_written_and_read").succeeds();
}

#[test]
#[ignore = "child process"]
fn one_is_written_and_read() {
    start();
    let (sender, receiver) = bounded::<()>(0);
    let waits = named("\"quoted\" \u{1F980}", move || receiver.recv().is_err());
    let dump = dump_that(|dump| dump.to_string().contains("waits for a message"));
    let text = serde_json::to_string(&dump).expect("plain values");
    assert_eq!(serde_json::from_str::<Dump>(&text).expect("what was written"), dump);
    assert!(text.contains("\"waits\"") && text.contains("\u{1F980}"), "{text}");
    drop(sender);
    assert!(waits.join().expect("no panic"));
}

#[test]
fn sigquit_writes_a_dump_and_the_process_goes_on() {
    let asked = Process::child("quits_and_goes_on").env("GREENBRIDGE_DUMP_ON_SIGQUIT", "on").run();
    asked
        .succeeds()
        .prints("green thread 'waits' (#")
        .prints("waits for a message at tests/dump.rs:")
        .prints("processor 0: ");
    asked.prints("sigquit_asks").prints("it goes on");
    // Where nobody has asked for it, the signal does what it always does.
    let died = Process::child("quits_and_goes_on").run();
    died.dies_by(libc::SIGQUIT);
}

#[test]
#[ignore = "child process"]
fn quits_and_goes_on() {
    #[inline(never)]
    fn sigquit_asks(receiver: &Receiver<()>) -> bool {
        // Not the last thing that it does, or its frame would be left before the call.
        std::hint::black_box(receiver.recv()).is_err()
    }
    // A shell ignores it in what it runs in the background, and that is inherited.
    // SAFETY: no handler is in force yet.
    unsafe { libc::signal(libc::SIGQUIT, libc::SIG_DFL) };
    start();
    let (sender, receiver) = bounded::<()>(0);
    let waits = named("waits", move || sigquit_asks(&receiver));
    dump_that(|dump| dump.to_string().contains("waits for a message"));
    let (read, write) = pipe();
    // SAFETY: takes no pointer. From now on stderr is the pipe.
    unsafe { libc::dup2(write, libc::STDERR_FILENO) };
    for _ in 0..2 {
        // SAFETY: takes no pointer.
        unsafe { libc::kill(libc::getpid(), libc::SIGQUIT) };
        // SAFETY: the descriptor is this test's.
        let lines = BufReader::new(ManuallyDrop::new(unsafe { File::from_raw_fd(read) }).try_clone().expect("a copy"));
        for line in lines.lines() {
            let line = line.expect("text");
            println!("{line}");
            if line.starts_with("worker 0") {
                break;
            }
        }
    }
    drop(sender);
    assert!(waits.join().expect("no panic"));
    println!("it goes on");
}

#[test]
fn a_deadlock_is_found_beside_the_observer_and_its_handlers() {
    let dead = Process::child("dumps_and_waits_for_ever").env("GREENBRIDGE_DUMP_ON_SIGQUIT", "on").run();
    dead.succeeds().says("greenbridge: deadlock: all green threads wait").says("waits for a message at tests/dump.rs:");
}

#[test]
#[ignore = "child process"]
fn dumps_and_waits_for_ever() {
    let status = alone(|| {
        start_with(Builder::new().processors(2));
        let (sender, receiver) = bounded::<()>(0);
        // A signal asks the one that computes, so that there is a handler for it, too.
        let computes = named("computes", computes_in_rust);
        let _ = group_when("computes", State::Runs);
        END.store(1, Ordering::Release);
        computes.join().expect("no panic");
        let waits = spawn(move || receiver.recv().is_err());
        let _ = waits.join();
        drop(sender);
    });
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 2, "it ended with wait status {status:#x}");
}
