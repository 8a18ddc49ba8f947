//! What does a select cost?
//!
//! | row | one operation |
//! |---|---|
//! | `select` | one message; two producers, one consumer that selects over two channels of capacity 1 |
//!
//! The peers are Go and may; tokio's `select!` is over futures of its own channels.
//!
//! `cargo run --release -p greenbridge-bench --bin bench-greenbridge -- select`

use crate::command::Settings;
use crate::measure::per_operation;
use greenbridge::channel::bounded;
use greenbridge::{select, spawn};

pub(crate) fn select(settings: Settings) {
    per_operation(settings, "select", 5_000_000, |n| {
        let ((to_a, a), (to_b, b)) = (bounded::<usize>(1), bounded::<usize>(1));
        let each = (n / 2).max(1);
        let producers = [to_a, to_b].map(|sender| {
            spawn(move || {
                for _ in 0..each {
                    sender.send(1).expect("the consumer is there");
                }
                sender // kept open until all is received
            })
        });
        let mut sum = 0;
        for _ in 0..2 * each {
            sum += select! {
                recv(a) -> message => message.expect("the producer is there"),
                recv(b) -> message => message.expect("the producer is there"),
            };
        }
        for producer in producers {
            producer.join().expect("no panic in a row");
        }
        assert_eq!(sum, 2 * each);
    });
}
