//! A scope waits for its children in a callback from C too, and in a forked child, where it cannot, it does not go on.
//!
//! What could break it: a wait that panics there, and leaves children behind that borrow from a stack which is gone.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::bounded;
use greenbridge::{Start, call, call_blocking, park, scope, spawn, yield_now};
use std::ffi::{c_int, c_long, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::{Callback, Way, child, child_on_processors, for_c, run, start};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn scope_in_c_enter(f: Callback<c_long>, context: *mut c_void, number: c_long) -> c_long;
}

fn enter<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, number: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    unsafe { scope_in_c_enter(f, context, number) }
}

/// Sums up in a scope, with borrows of its own frame, and of C's caller's.
#[greenbridge::export]
extern "C" fn sum_in_a_scope(numbers: &Vec<c_long>, add: c_long) -> c_long {
    let mut sums = [0; 4];
    scope(|s| {
        for (at, sum) in sums.iter_mut().enumerate() {
            s.spawn(move || {
                for number in numbers.iter().skip(at).step_by(4) {
                    yield_now();
                    *sum += number + add;
                }
            });
        }
    });
    sums.iter().sum()
}

#[test]
fn a_scope_in_a_callback_waits() {
    child_on_processors("scopes_in_callbacks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn scopes_in_callbacks() {
    start();
    let numbers: Vec<c_long> = (0..100).collect();
    let sum: c_long = (0..100).map(|number| number + 1).sum();
    assert_eq!(enter(sum_in_a_scope, &numbers, 1), sum, "on the main thread");
    greenbridge::run(move || {
        for way in Way::ALL {
            assert_eq!(way.call(|| enter(sum_in_a_scope, &numbers, 1)), sum, "{way:?}");
        }
        for _ in 0..20 {
            assert_eq!(enter(sum_in_a_scope, &numbers, 1), sum, "bare");
            assert_eq!(spawn(|| 3).join().expect("no panic"), 3);
        }
        assert_eq!(call(|| enter(sum_through_bare_c, &numbers, 1)), sum, "bare, in a callback of a call");
    });
}

#[greenbridge::export]
extern "C" fn sum_through_bare_c(numbers: &Vec<c_long>, add: c_long) -> c_long {
    enter(sum_in_a_scope, numbers, add)
}

/// A scope whose child waits until it is told, in a callback that is cancelled from outside meanwhile.
struct Cancelled {
    token: CancelToken,
    begun: greenbridge::channel::Sender<()>,
    ended: AtomicUsize,
}

struct Counts<'a>(&'a AtomicUsize);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[greenbridge::export]
extern "C" fn scope_under_a_token(cancelled: &Cancelled, _: c_long) -> c_long {
    let result = cancelled.token.run(|| {
        scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let _counts = Counts(&cancelled.ended);
                    cancelled.begun.send(()).expect("somebody listens");
                    park();
                });
            }
        });
    });
    assert!(result.is_err());
    cancelled.ended.load(Ordering::Acquire) as c_long
}

#[test]
fn a_scope_in_a_callback_is_cut_short_when_its_children_have_ended() {
    child_on_processors("scopes_in_callbacks_are_cancelled", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn scopes_in_callbacks_are_cancelled() {
    start();
    let cancelled = || {
        let (begun, begins) = bounded(3);
        (Cancelled { token: CancelToken::new(), begun, ended: AtomicUsize::new(0) }, begins)
    };
    greenbridge::run(move || {
        for way in Way::ALL.into_iter().map(Some).chain([None]) {
            let (context, begins) = cancelled();
            let token = context.token.clone();
            let green = spawn(move || match way {
                Some(way) => way.call(|| enter(scope_under_a_token, &context, 1)),
                None => enter(scope_under_a_token, &context, 1),
            });
            (0..3).for_each(|_| begins.recv().expect("it begins"));
            token.cancel();
            assert_eq!(green.join().expect("no panic"), 3, "{way:?}");
        }
    });
    let (context, begins) = cancelled();
    let token = context.token.clone();
    let foreign = thread::spawn(move || enter(scope_under_a_token, &context, 1));
    (0..3).for_each(|_| begins.recv().expect("it begins"));
    token.cancel();
    assert_eq!(foreign.join().expect("no panic"), 3);
}

/// Forks, and has the child run `body`; returns its wait status.
fn in_child(body: impl FnOnce()) -> c_int {
    // SAFETY: the child stays on this stack, and leaves by `_exit` or by an abort.
    let pid = call(|| unsafe { libc::fork() });
    assert!(pid >= 0, "the system does not fork");
    if pid == 0 {
        body();
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: writes the status to where it is told.
    assert_eq!(call_blocking(|| unsafe { libc::waitpid(pid, &mut status, 0) }), pid);
    status
}

#[test]
fn a_scope_that_is_left_in_a_forked_child_aborts_it() {
    child("fork_in_a_scope").succeeds().says("was forked").says("a scope was left");
}

#[test]
#[ignore = "child process"]
fn fork_in_a_scope() {
    run(|| {
        let (done, told) = bounded::<()>(0);
        let parent = std::process::id();
        let status = AtomicUsize::new(0);
        scope(|s| {
            s.spawn(|| assert!(told.recv().is_err()));
            let inside = in_child(|| {
                // An empty one need not wait.
                assert_eq!(scope(|_| 1), 1);
            });
            assert_eq!(inside, 0);
            // SAFETY: as in `in_child`; the child leaves by an abort.
            let pid = call(|| unsafe { libc::fork() });
            if pid == 0 {
                return;
            }
            let mut ended = 0;
            // SAFETY: writes the status to where it is told.
            assert_eq!(call_blocking(|| unsafe { libc::waitpid(pid, &mut ended, 0) }), pid);
            status.store(ended as usize, Ordering::Release);
            drop(done);
        });
        assert_eq!(std::process::id(), parent, "a child has left the scope");
        let status = status.into_inner() as c_int;
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGABRT, "{status}");
    });
}
