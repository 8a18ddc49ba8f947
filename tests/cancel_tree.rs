//! Tokens make a tree: as deep as one likes, with children that come and go, and deadlines.
//!
//! What could break it: a tree that is taken down by recursion, on a stack that is not as deep; a parent that remembers every child it ever
//! had; a token that must outlive the scopes it made.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::channel::bounded;
use greenbridge::{park, spawn};
use std::time::{Duration, Instant};
use support::{child, resident_bytes, run};

#[test]
fn a_deadline_that_has_passed_cancels_at_once() {
    child("deadlines_in_the_past").succeeds();
}

#[test]
#[ignore = "child process"]
fn deadlines_in_the_past() {
    run(|| {
        let token = CancelToken::new();
        let past = token.child_with_deadline(Instant::now());
        assert!(past.is_cancelled() && !token.is_cancelled());
        assert!(past.run(park).is_err());
        let never = token.child_with_timeout(Duration::MAX);
        assert!(!never.is_cancelled());
        token.cancel();
        assert!(never.is_cancelled() && token.child_with_timeout(Duration::from_secs(3600)).is_cancelled());
    });
}

#[test]
fn a_tree_of_tokens_may_be_as_deep_as_memory_allows() {
    child("deep_trees").succeeds();
}

#[test]
#[ignore = "child process"]
fn deep_trees() {
    let chain = || {
        let root = CancelToken::new();
        let leaf = (0..100_000).fold(root.clone(), |token, _| token.child());
        (root, leaf)
    };
    // On a green thread's stack, which is small.
    run(move || {
        let (root, leaf) = chain();
        assert!(root.cancel() && leaf.is_cancelled());
        drop((root, leaf));
        let (root, leaf) = chain();
        drop(root);
        drop(leaf);
        // Two leaves of one chain, dropped side by side.
        for _ in 0..20 {
            let (_, leaf) = chain();
            let leaves = [leaf.child(), leaf.child()];
            drop(leaf);
            let dropped = leaves.map(|leaf| spawn(move || drop(leaf)));
            dropped.into_iter().for_each(|green| green.join().expect("no panic"));
        }
    });
}

#[test]
fn a_token_keeps_nothing_of_children_that_are_gone() {
    child("children_come_and_go").succeeds();
}

#[test]
#[ignore = "child process"]
fn children_come_and_go() {
    run(|| {
        let token = CancelToken::new();
        let come_and_go = |times: usize| {
            for _ in 0..times {
                let child = token.child();
                assert!(child.run(|| ()).is_ok());
                token.run(|| ()).expect("it is not cancelled");
                drop(child.child());
            }
        };
        come_and_go(10_000);
        let before = resident_bytes();
        come_and_go(300_000);
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes are kept");
        // The token of a scope may go before the scope does.
        let (begin, begun) = bounded(0);
        let green = spawn(move || {
            let child = CancelToken::new().child();
            let stays = child.clone();
            begin.send(stays).expect("it is awaited");
            let result = child.run(park);
            drop(child);
            result
        });
        begun.recv().expect("it is sent").cancel();
        assert!(green.join().expect("no panic").is_err());
    });
}
