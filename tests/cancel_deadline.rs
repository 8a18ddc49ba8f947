//! A token with a deadline cancels itself when that has come, on a green thread, an OS thread and in a callback alike.
//!
//! What could break it: a timer that keeps its token alive, or one that goes with the wait and not with the token.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::bounded;
use greenbridge::{park, scope, spawn};
use std::thread;
use std::time::{Duration, Instant};
use support::{child_on_processors, resident_bytes, run, start};

const SOON: Duration = Duration::from_millis(5);

#[test]
fn waits_end_at_the_deadline_of_their_token() {
    child_on_processors("deadlines_come", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn deadlines_come() {
    start();
    let waits = || {
        let token = CancelToken::new();
        let (_sender, never) = bounded::<()>(0);
        let before = Instant::now();
        assert!(token.child_with_timeout(SOON).run(park).is_err());
        assert!(token.child_with_deadline(Instant::now() + SOON).run(|| never.recv()).is_err());
        assert!(before.elapsed() >= 2 * SOON, "too early");
        // Several waits have one deadline.
        let steps = token.child_with_timeout(SOON).run(|| {
            loop {
                spawn(|| ()).join().expect("no panic");
            }
        });
        assert!(steps.map(|(): ()| ()).is_err());
        // Of a parent, for its children.
        let parent = token.child_with_timeout(SOON);
        assert!(parent.child().run(park).is_err());
        assert!(!token.is_cancelled());
        // Waiting for the token itself.
        token.child_with_timeout(SOON).cancelled();
    };
    waits();
    thread::spawn(waits).join().expect("no panic");
    greenbridge::run(waits);
    // A scope whose owner runs out of time.
    greenbridge::run(|| {
        let result = CancelToken::new().child_with_timeout(SOON).run(|| {
            scope(|s| {
                s.spawn(park);
                s.spawn(park);
            });
        });
        assert!(result.is_err());
    });
}

#[test]
fn a_deadline_does_not_keep_its_token() {
    child_on_processors("tokens_with_deadlines_come_and_go", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn tokens_with_deadlines_come_and_go() {
    run(|| {
        let token = CancelToken::new();
        let come_and_go = |times: usize| {
            for _ in 0..times {
                let child = token.child_with_timeout(Duration::from_secs(3600));
                assert!(child.run(|| ()).is_ok());
            }
        };
        come_and_go(10_000);
        let before = resident_bytes();
        come_and_go(200_000);
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes are kept");
        // A token that is gone when its deadline comes is nobody's business.
        for _ in 0..100 {
            drop(token.child_with_timeout(Duration::from_millis(1)));
        }
        assert!(token.child_with_timeout(SOON).run(park).is_err());
    });
}
