//! Threads of C are not attached: ten thousand that come, call back and go leave no memory and no OS thread behind, and each is one and the
//! same to the runtime for as long as it runs.
//!
//! What could break it: a record for each thread that ever came, one that is found again by a later thread, or an identity that depends
//! on the callback.

mod support;

use greenbridge::{Start, ThreadId, call, current, spawn, yield_now};
use std::collections::HashSet;
use std::ffi::{c_long, c_void};
use std::sync::Mutex;
use support::{Callback, child, child_on_processors, for_c, resident_bytes, run, start, thread_count};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    // Of `foreign_thread.c`.
    fn foreign_thread_at_once(f: Callback<c_long>, context: *mut c_void, threads: c_long, times: c_long) -> c_long;
}

/// That many threads of C at once, each of which calls `f` that often; the sum of the answers.
fn at_once<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, threads: c_long, times: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f`, and joins its threads while `context` is borrowed.
    unsafe { foreign_thread_at_once(f, context, threads, times) }
}

#[test]
fn ten_thousand_c_threads_come_and_go_in_the_same_memory() {
    child("ten_thousand_c_threads_come_and_go").succeeds();
}

#[test]
#[ignore = "child process"]
fn ten_thousand_c_threads_come_and_go() {
    start();
    let come_and_go = |threads: c_long| {
        for _ in 0..threads / 8 {
            assert_eq!(at_once(wait, &(), 8, 2), 2 * (0..8).sum::<c_long>());
        }
    };
    come_and_go(1_000);
    let (memory, threads) = (resident_bytes(), thread_count());
    let (heap, mappings) = (heap_in_use(), mapping_count());
    come_and_go(10_000);
    // A hundred bytes for each would show.
    let grown = resident_bytes().saturating_sub(memory);
    assert!(grown < 1_000_000, "{grown} bytes more after 10,000 threads more");
    // What lies in pages that were there before shows here: ten bytes for each.
    let grown = heap_in_use().saturating_sub(heap);
    assert!(grown < 100_000, "{grown} bytes more of the heap are in use after 10,000 threads more");
    let grown = mapping_count().saturating_sub(mappings);
    assert!(grown < 50, "{grown} mappings more after 10,000 threads more");
    assert!(thread_count() <= threads + 8, "{threads} OS threads became {}", thread_count());
}

/// The bytes of the heap that nobody has freed. 0, where the C library does not know.
fn heap_in_use() -> usize {
    // SAFETY: takes nothing, and returns numbers.
    unsafe { libc::mallinfo2() }.uordblks
}

fn mapping_count() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("/proc is there").lines().count()
}

#[greenbridge::export]
extern "C" fn wait(_: &(), number: c_long) -> c_long {
    let green = spawn(move || {
        yield_now();
        number
    });
    green.join().expect("no panic")
}

#[test]
fn a_hundred_green_threads_each_let_c_make_a_thread_that_calls_back() {
    child_on_processors("c_makes_threads_under_calls", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn c_makes_threads_under_calls() {
    run(|| {
        let threads: Vec<_> = (0..100).map(|_| spawn(|| call(|| at_once(wait, &(), 2, 3)))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), 3);
        }
    });
}

/// Who has called, by the number of the thread.
type Callers = Mutex<Vec<HashSet<ThreadId>>>;

#[test]
fn a_c_thread_is_the_same_over_its_callbacks_and_no_other() {
    child("c_threads_tell_who_they_are").succeeds();
}

#[test]
#[ignore = "child process"]
fn c_threads_tell_who_they_are() {
    const THREADS: usize = 4;
    start();
    let callers: Callers = Mutex::new(vec![HashSet::new(); THREADS]);
    at_once(tell, &callers, THREADS as c_long, 100);
    let first = callers.into_inner().expect("no panic");
    assert!(first.iter().all(|ids| ids.len() == 1), "{first:?}");
    // Others, that may have the same stacks and thread-locals, are not taken for them.
    let callers: Callers = Mutex::new(vec![HashSet::new(); THREADS]);
    at_once(tell, &callers, THREADS as c_long, 1);
    let all: HashSet<_> = first.iter().chain(&*callers.lock().expect("no panic")).flatten().copied().collect();
    assert_eq!(all.len(), 2 * THREADS);
}

#[greenbridge::export]
extern "C" fn tell(callers: &Callers, number: c_long) -> c_long {
    let id = current().id();
    wait_a_little();
    assert_eq!(current().id(), id);
    callers.lock().expect("no panic")[usize::try_from(number).expect("a small number")].insert(id);
    0
}

fn wait_a_little() {
    spawn(yield_now).join().expect("no panic");
}
