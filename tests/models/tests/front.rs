//! The front of the wait queue, `runtime/src/wait/queue.rs`: one that was served and comes back with nothing is the first, whoever
//! leaves or comes meanwhile.
//!
//! The slot is the waiter's number. What else the queue promises is in `queue.rs`.

use greenbridge_models::{explore, primitive};
use loom::thread;
use primitive::{Mutex, lock};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{GaveUp, WaitQueue, Waiter};

        /// Never dropped: a mutant may leave it in the queue, which would abort.
        type Place = ManuallyDrop<Pin<Box<Waiter<u32>>>>;

        fn place(number: u32) -> Place {
            ManuallyDrop::new(Box::pin(Waiter::new(number)))
        }

        struct Queue(Mutex<WaitQueue<u32>>);

        impl Queue {
            fn come(&self, place: &Place) {
                // SAFETY: 1. The place is new. 2. It is on the heap, and never dropped. 3. The lock is held.
                let _ = unsafe { lock(&self.0).enqueue(place.as_ref(), Waker::noop().clone()) };
            }

            fn come_back(&self, place: &Place) {
                // SAFETY: 1. The waiter has been served. 2. and 3. as above.
                let _ = unsafe { lock(&self.0).enqueue_first(place.as_ref(), Waker::noop().clone()) };
            }

            fn serve(&self) -> Option<u32> {
                lock(&self.0).serve(|number| *number).map(|(number, _)| number)
            }

            fn give_up(&self, place: &Place) -> GaveUp {
                lock(&self.0).give_up(place.as_ref())
            }
        }

        /// The first of two is served and comes back; the second gives up and a third comes, before that or after it.
        $(#[$test])?
        fn one_that_comes_back_is_first() {
            explore(5, || {
                let queue = Arc::new(Queue(Mutex::new(WaitQueue::new())));
                let (first, second) = (place(1), place(2));
                queue.come(&first);
                queue.come(&second);
                assert_eq!(queue.serve(), Some(1));
                let others = {
                    let queue = queue.clone();
                    thread::spawn(move || {
                        assert_eq!(queue.give_up(&second), GaveUp::InTime);
                        queue.come(&place(3));
                    })
                };
                queue.come_back(&first);
                others.join().unwrap();
                let served: Vec<_> = std::iter::from_fn(|| queue.serve()).collect();
                assert_eq!(served, [1, 3], "not the one that came back");
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/front.rs"));
