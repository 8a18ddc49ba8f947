//! What does a lock cost that everybody wants?
//!
//! | row | one operation |
//! |---|---|
//! | `mutex` | a lock and an unlock of one lock, with an addition in between; 1000 green threads do 4 M of them in all |
//! | `mutex_alone` | the same by one green thread (ours alone) |
//!
//! The floor is std's lock and as many OS threads as processors. The peers are Go, may and tokio, each with its own lock. What
//! counts is how a lock is shared out: one that is handed over in order costs a switch each time.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- mutex`

use crate::command::Settings;
use crate::measure::per_operation;
use greenbridge::spawn;
use greenbridge::sync::Mutex;
use std::sync::Arc;

const CONTENDERS: usize = 1000;

pub(crate) fn mutex(settings: Settings) {
    per_operation(settings, "mutex", 4_000_000, |n| {
        let each = (n / CONTENDERS).max(1);
        let counter = Arc::new(Mutex::new(0));
        let contenders: Vec<_> = (0..CONTENDERS)
            .map(|_| {
                let counter = Arc::clone(&counter);
                spawn(move || {
                    for _ in 0..each {
                        *counter.lock() += 1;
                    }
                })
            })
            .collect();
        for contender in contenders {
            contender.join().expect("no panic in a row");
        }
        assert_eq!(*counter.lock(), each * CONTENDERS);
    });
}

pub(crate) fn mutex_alone(settings: Settings) {
    let counter = Mutex::new(0);
    per_operation(settings, "mutex_alone", 20_000_000, |n| {
        let before = *counter.lock();
        for _ in 0..n {
            *counter.lock() += 1;
        }
        assert_eq!(*counter.lock(), before + n);
    });
}
