//! The conservative collector bdwgc under `call_on_thread_stack`: objects that only a C frame refers to are there when a
//! callback has waited, whoever collected meanwhile. Under an ordinary `call` they are not: the collector looks for
//! references on the stacks that the system knows, and a green thread's is none of them.
//!
//! What could break it: C frames that lie elsewhere than the collector looks, or a worker that it knows while it runs green threads.
//!
//! Passed over where the collector is not installed.

mod support;

use greenbridge::{Start, call, call_on_thread_stack, channel, run, spawn};
use std::ffi::{c_int, c_long, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Callback, Library, Process, compile_against, for_c, start, wait_until};

const GREENBRIDGE: Start = Start::by_rust();

/// The nodes of a list.
const LENGTH: c_long = 1000;

/// Their sum.
const SUM: c_long = LENGTH * (LENGTH - 1) / 2;

type Hold = unsafe extern "C" fn(Callback<c_long>, *mut c_void, c_long) -> c_long;

/// The C half.
struct Collector {
    hold: Hold,
    collect: unsafe extern "C" fn(),
    collect_here: unsafe extern "C" fn() -> c_long,
    finalized: unsafe extern "C" fn() -> c_long,
    enter: unsafe extern "C" fn() -> c_int,
    leave: unsafe extern "C" fn(),
}

static COLLECTOR: OnceLock<Collector> = OnceLock::new();

fn collector() -> &'static Collector {
    COLLECTOR.get().expect("it was started")
}

/// Starts the collector, which knows the calling OS thread from here on, and the runtime.
fn start_all() {
    let library = Library::load();
    // SAFETY: `hold.c` declares them so. The start comes first.
    unsafe {
        library.function::<unsafe extern "C" fn()>("hold_start")();
        let functions = Collector {
            hold: library.function("hold_list"),
            collect: library.function("hold_collect"),
            collect_here: library.function("hold_collect_here"),
            finalized: library.function("hold_finalized"),
            enter: library.function("hold_enter"),
            leave: library.function("hold_leave"),
        };
        assert!(COLLECTOR.set(functions).is_ok());
    }
    start();
}

/// Lets C keep a list while `f` is called back.
fn hold<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f`, and returns after it, while `context` is borrowed.
    unsafe { (collector().hold)(f, context, LENGTH) }
}

#[track_caller]
fn succeeds(name: &str, processors: &[usize]) {
    let Some(library) = compile_against("bdw-gc", "libgc-dev pkg-config", "bdwgc/hold.c") else { return };
    let (variable, value) = Library::variable(&library);
    for count in processors {
        Process::child(name).env(variable, value).env("GREENBRIDGE_PROCESSORS", &count.to_string()).run().succeeds();
    }
}

/// Meets of a callback that waits with whoever collects.
struct Meeting {
    waiting: AtomicUsize,
    collected: channel::Receiver<()>,
}

/// Waits until somebody has collected.
#[greenbridge::export]
extern "C" fn wait_for_collection(meeting: &Meeting, _: c_long) -> c_long {
    meeting.waiting.fetch_add(1, Ordering::Release);
    meeting.collected.recv().expect("somebody collects");
    0
}

/// A list is held by C, called in `way`, while the test's own thread collects. Returns what C found afterwards.
fn collect_while_held(way: impl FnOnce(&'static Meeting) -> c_long + Send + 'static) -> c_long {
    let (say, collected) = channel::bounded(1);
    let meeting: &'static Meeting = Box::leak(Box::new(Meeting { waiting: AtomicUsize::new(0), collected }));
    let holder = spawn(move || way(meeting));
    wait_until(|| meeting.waiting.load(Ordering::Acquire) == 1);
    for _ in 0..3 {
        // SAFETY: this OS thread started the collector.
        unsafe { (collector().collect)() };
    }
    say.send(()).expect("the callback waits");
    holder.join().expect("no panic")
}

#[test]
fn objects_that_only_a_c_frame_refers_to_survive() {
    succeeds("a_list_is_held_on_the_thread_stack", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn a_list_is_held_on_the_thread_stack() {
    start_all();
    for _ in 0..5 {
        let way = |meeting| call_on_thread_stack(move || hold(wait_for_collection, meeting));
        assert_eq!(collect_while_held(way), SUM);
    }
    // The lists are garbage by now, and are found to be: the collector has looked.
    // SAFETY: this OS thread started the collector.
    let finalized = unsafe {
        (collector().collect)();
        (collector().finalized)()
    };
    assert!(finalized >= 3 * LENGTH, "only {finalized} nodes of {} were found to be garbage", 5 * LENGTH);
}

/// The hazard that `docs/which-call.md` tells of. C does not touch what is gone.
#[test]
fn under_an_ordinary_call_the_same_objects_are_freed() {
    succeeds("a_list_is_held_on_a_green_threads_stack", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn a_list_is_held_on_a_green_threads_stack() {
    start_all();
    let found = collect_while_held(|meeting| call(move || hold(wait_for_collection, meeting)));
    // A few may survive because a word somewhere looks like their address.
    assert!(found < -LENGTH / 2, "the collector found the references: {found}");
}

#[test]
fn many_green_threads_hold_objects_while_others_collect() {
    succeeds("forty_lists_are_held_at_once", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn forty_lists_are_held_at_once() {
    start_all();
    run(|| {
        let threads: Vec<_> = (0..40)
            .map(|_| {
                spawn(|| {
                    for _ in 0..3 {
                        assert_eq!(call_on_thread_stack(move || hold(collect_elsewhere, &())), SUM);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    });
}

/// Waits for a green thread that collects, on whatever OS thread it is.
#[greenbridge::export]
extern "C" fn collect_elsewhere(_: &(), _: c_long) -> c_long {
    // SAFETY: C makes itself known to the collector.
    let collecting = spawn(|| call_on_thread_stack(|| unsafe { (collector().collect_here)() }));
    collecting.join().expect("no panic")
}

#[test]
fn a_nested_call_leaves_the_thread_known() {
    succeeds("nested_calls_hold_lists", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn nested_calls_hold_lists() {
    start_all();
    run(|| {
        assert_eq!(call_on_thread_stack(move || hold(hold_another, &())), SUM);
        // Registered once for several calls: possible where no green thread runs in between, so under one call.
        call_on_thread_stack(|| {
            // SAFETY: the pair belongs to this OS thread, and everything in between runs on its own stack.
            assert_eq!(unsafe { (collector().enter)() }, 1);
            assert_eq!(hold(hold_another, &()), SUM);
            assert_eq!(hold(collect_elsewhere, &()), SUM);
            // SAFETY: as above.
            unsafe { (collector().leave)() };
        });
    });
}

/// A call inside the callback is on the OS thread's own stack already, in whatever way it is made.
#[greenbridge::export]
extern "C" fn hold_another(_: &(), _: c_long) -> c_long {
    assert_eq!(call_on_thread_stack(move || hold(collect_elsewhere, &())), SUM);
    assert_eq!(call(move || hold(collect_elsewhere, &())), SUM);
    0
}
