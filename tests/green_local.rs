//! A green local has one value per green thread, wherever that runs, from its first use to the end of the green thread; elsewhere it is
//! the OS thread's own.
//!
//! What could break it: a value that stays behind with the OS thread, a reference that dangles when another value is made, or a
//! destructor that finds its green thread gone.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::{Sender, bounded, unbounded};
use greenbridge::{Start, current, green_local, park, spawn, yield_now};
use std::cell::{Cell, RefCell};
use std::ffi::{c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::{Callback, Way, child, child_on_processors, for_c, run, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn green_local_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

green_local! {
    /// Counts.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static WORDS: RefCell<Vec<String>> = RefCell::new(Vec::new());

    pub(crate) static ID: greenbridge::ThreadId = current().id();
}

#[test]
fn each_green_thread_has_its_own_value() {
    child_on_processors("values_of_their_own", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn values_of_their_own() {
    start();
    COUNT.set(1000);
    let threads: Vec<_> = (0..200)
        .map(|n| {
            spawn(move || {
                for round in 0..50 {
                    assert_eq!(COUNT.replace(COUNT.get() + n), round * n);
                    WORDS.with_borrow_mut(|words| words.push(round.to_string()));
                    yield_now();
                    ID.with(|id| assert_eq!(*id, current().id()));
                }
                assert_eq!(WORDS.with_borrow(Vec::len), 50);
                assert_eq!(WORDS.take().len(), 50);
                WORDS.set(vec![String::new()]);
                assert_eq!(WORDS.replace(Vec::new()).len(), 1);
                COUNT.take()
            })
        })
        .collect();
    for (n, thread) in (0..).zip(threads) {
        assert_eq!(thread.join().expect("no panic"), 50 * n);
    }
    assert_eq!(COUNT.get(), 1000, "the main thread has its own");
    assert_eq!(thread::spawn(|| COUNT.get()).join().expect("no panic"), 0, "and so has any other");
}

#[test]
fn a_reference_is_good_over_waits_and_other_values() {
    child_on_processors("references_are_kept", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn references_are_kept() {
    green_local! {
        static A: Cell<u32> = Cell::new(1);
        static B: Cell<u32> = Cell::new(2);
        static C: Cell<u32> = Cell::new(3);
        static D: Cell<u32> = Cell::new(4);
        static E: Cell<u32> = Cell::new(5)
    }
    run(|| {
        let threads: Vec<_> = (0..50)
            .map(|n| {
                spawn(move || {
                    A.with(|a| {
                        for _ in 0..20 {
                            yield_now();
                            a.set(a.get() + n);
                            [&B, &C, &D, &E].into_iter().for_each(|other| other.set(other.get() + n));
                            spawn(yield_now).join().expect("no panic");
                            assert_eq!(A.get(), a.get());
                        }
                        [A.get(), B.get(), C.get(), D.get(), E.get()]
                    })
                })
            })
            .collect();
        for (n, thread) in (0..).zip(threads) {
            assert_eq!(thread.join().expect("no panic"), [1, 2, 3, 4, 5].map(|start| start + 20 * n));
        }
    });
}

#[greenbridge::export]
extern "C" fn count_in_callback(by: &u64, depth: c_long) -> c_long {
    COUNT.set(COUNT.get() + by);
    yield_now();
    if depth > 0 {
        let (f, context) = for_c(count_in_callback, by);
        // SAFETY: C hands the pointer on to `f` and returns after it, while `by` is borrowed.
        return greenbridge::call(|| unsafe { green_local_enter(f, context, depth - 1) });
    }
    COUNT.get() as c_long
}

#[test]
fn a_callback_sees_the_values_of_its_green_thread() {
    child_on_processors("values_in_callbacks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn values_in_callbacks() {
    start();
    let count = |by: u64| {
        let (f, context) = for_c(count_in_callback, &by);
        // SAFETY: as above.
        unsafe { green_local_enter(f, context, 3) }
    };
    assert_eq!(count(2), 8, "on an OS thread");
    greenbridge::run(move || {
        for way in Way::ALL {
            let threads: Vec<_> = (0..20_u64).map(|by| spawn(move || way.call(|| count(by)))).collect();
            for (by, thread) in (0..).zip(threads) {
                assert_eq!(thread.join().expect("no panic"), 4 * by, "{way:?}");
            }
        }
    });
}

/// Says that it is gone, after a wait.
struct Says {
    name: &'static str,
    to: Option<Sender<&'static str>>,
    /// Used by the destructor.
    then: Option<fn(&Sender<&'static str>)>,
}

impl Drop for Says {
    fn drop(&mut self) {
        let Some(to) = &self.to else { return };
        let green = spawn(|| {
            yield_now();
            COUNT.set(77);
        });
        green.join().expect("no panic");
        to.send(self.name).expect("somebody listens");
        if let Some(then) = self.then {
            then(to);
        }
    }
}

green_local! {
    static FIRST: RefCell<Option<Says>> = const { RefCell::new(None) };
    static SECOND: RefCell<Option<Says>> = const { RefCell::new(None) };
    static FOREVER: Forever = Forever(None);
}

fn says(name: &'static str, to: &Sender<&'static str>, then: Option<fn(&Sender<&'static str>)>) -> Option<Says> {
    Some(Says { name, to: Some(to.clone()), then })
}

#[test]
fn values_are_destroyed_at_the_end_and_may_wait() {
    child_on_processors("values_are_destroyed", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn values_are_destroyed() {
    start();
    let live = |to: &Sender<&'static str>| {
        FIRST.with_borrow_mut(|first| {
            *first = says(
                "first",
                to,
                // Makes the second one, and the first one anew.
                Some(|to| {
                    SECOND.set(says("second", to, None));
                    FIRST.set(says("first again", to, None));
                }),
            );
        });
        to.send("the closure ends").expect("somebody listens");
    };
    let heard = |listen: greenbridge::channel::Receiver<&'static str>| {
        let mut heard: Vec<_> = listen.iter().collect();
        heard[2..].sort_unstable();
        assert_eq!(heard, ["the closure ends", "first", "first again", "second"]);
    };
    for _ in 0..20 {
        // A joined green thread has destroyed its values.
        let (to, listen) = unbounded();
        spawn(move || live(&to)).join().expect("no panic");
        heard(listen);
        // One that panics, too, and one that is cancelled: its destructors are not cut short.
        let (to, listen) = unbounded();
        let green = spawn(move || {
            live(&to);
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(green.join().map(|(): ()| ()).is_err());
        heard(listen);
        let (to, listen) = unbounded();
        let (begin, begun) = bounded(0);
        let green = spawn(move || {
            live(&to);
            drop(to);
            begin.send(()).expect("it is awaited");
            park();
        });
        begun.recv().expect("it begins");
        green.cancel();
        assert!(green.join().is_err());
        heard(listen);
        // An OS thread.
        let (to, listen) = unbounded();
        thread::spawn(move || live(&to)).join().expect("no panic");
        heard(listen);
    }
}

/// Makes itself anew whenever it is destroyed.
struct Forever(Option<Arc<AtomicUsize>>);

impl Drop for Forever {
    fn drop(&mut self) {
        FOREVER.with(|_| ());
        if let Some(drops) = &self.0 {
            drops.fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[test]
fn a_destructor_that_never_ends_does_not_hold_up_the_end() {
    child_on_processors("destructors_without_end", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn destructors_without_end() {
    green_local! {
        static PANICS: Panics = const { Panics };
        static COUNTS: RefCell<Option<Counts>> = const { RefCell::new(None) };
    }
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("of a destructor");
        }
    }
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }
    run(|| {
        assert_eq!(
            spawn(|| {
                FOREVER.with(|_| ());
                5
            })
            .join()
            .expect("no panic"),
            5
        );
        // One that panics does not keep the others from being destroyed, nor the value from its joiner.
        let drops = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&drops);
        let green = spawn(move || {
            PANICS.with(|_| ());
            COUNTS.set(Some(Counts(counted)));
            6
        });
        assert_eq!(green.join().expect("the panic of a destructor is not the green thread's"), 6);
        assert_eq!(drops.load(Ordering::Acquire), 1);
    });
}

#[test]
fn a_value_may_wait_and_use_others_as_it_is_made() {
    child_on_processors("values_are_made", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn values_are_made() {
    green_local! {
        static WAITS: u64 = {
            COUNT.set(COUNT.get() + 1);
            let (values, received) = bounded(0);
            drop(spawn(move || values.send(40)));
            received.recv().expect("it is sent") + COUNT.get() + 1
        };
        static RECURSIVE: Cell<u32> = {
            if COUNT.replace(1) == 0 {
                RECURSIVE.set(7);
            }
            Cell::new(8)
        };
        static CANCELLED: () = park();
    }
    run(|| {
        let threads: Vec<_> =
            (0..20).map(|_| spawn(|| WAITS.with(|waits| *waits + WAITS.with(|again| *again)))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), 84, "made once");
        }
        assert_eq!(spawn(|| RECURSIVE.get()).join().expect("no panic"), 7, "the first one counts");
        // If it is cut short, it has not been made.
        let token = CancelToken::new();
        token.cancel();
        assert!(token.run(|| CANCELLED.with(|()| ())).is_err());
        current().unpark();
        CANCELLED.with(|()| ());
    });
}

#[test]
fn access_after_the_end_of_an_os_thread_is_an_error() {
    child("access_after_the_end").succeeds();
}

#[test]
#[ignore = "child process"]
#[allow(clippy::disallowed_methods, reason = "a thread-local whose destructor comes late is what is tested")]
fn access_after_the_end() {
    struct Late(Sender<bool>);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.send(COUNT.try_with(Cell::get).is_err()).expect("somebody listens");
        }
    }
    std::thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let (to, listen) = unbounded();
    let late = thread::spawn(move || {
        // Registered first, destroyed last.
        LATE.set(Some(Late(to)));
        COUNT.set(1);
    });
    late.join().expect("no panic");
    // The order is the system's: either there still was a value, or an error, and no crash.
    assert_eq!(listen.iter().count(), 1);
}
