//! The readiness word of a registered file, `runtime/src/driver/readiness.rs`: no event is forgotten, and no event that has come is taken away.
//!
//! The file holds bytes: a count that only the kernel's side adds to, relaxed, so that nothing but the protocol orders anything. Readers take
//! from it, and wait when it is empty, in a list under a lock. Who has sent delivers the event. What the event is about is a cell of plain
//! memory. A reader that is forgotten is a deadlock here. Left out: the kernel, whose events come once for each arrival.

use greenbridge_models::witness::{Parker, Plain};
use greenbridge_models::{explore, primitive};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;

macro_rules! models {
    ($(#[$test:meta])? $protocol:ident) => {
        use super::*;
        use self::$protocol::{Arm, Direction, Directions, Event, Readiness, Seen};

        struct Program {
            readiness: Readiness,
            /// Who waits, and which way.
            list: Mutex<Vec<(Arc<Parker>, Direction)>>,
            bytes: AtomicU32,
            /// The file comes to its end after this many bytes.
            end: AtomicU32,
            /// What the event is about.
            news: Plain<u32>,
        }

        impl Program {
            /// With a file that has been tried and found empty, and was registered then.
            fn new() -> (Arc<Self>, Seen) {
                let program = Self {
                    readiness: Readiness::new(),
                    list: Mutex::new(Vec::new()),
                    bytes: AtomicU32::new(0),
                    end: AtomicU32::new(0),
                    news: Plain::new(0),
                };
                let seen = program.readiness.open();
                (Arc::new(program), seen)
            }

            /// A byte comes, and its event is delivered.
            fn send(&self) {
                self.bytes.fetch_add(1, Ordering::Relaxed);
                self.deliver(Event::ready(true, false));
            }

            fn deliver(&self, event: Event) {
                let served = self.readiness.deliver(event);
                self.serve(served);
            }

            fn serve(&self, served: Directions) {
                for direction in [Direction::Read, Direction::Write] {
                    if served.has(direction) {
                        let mut list = self.list.lock().unwrap();
                        list.extract_if(.., |(_, waits)| *waits == direction).for_each(|(parker, _)| parker.unpark());
                        if self.readiness.is_awaited(direction) {
                            self.readiness.disarm(direction);
                        }
                    }
                }
            }

            /// Takes a byte, or finds the end. False: it would block.
            fn take(&self) -> bool {
                let take = |bytes: u32| bytes.checked_sub(1);
                self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
                    || self.end.load(Ordering::Relaxed) == 1
            }

            /// Whose operation would block: goes into the list, unless it must try again.
            fn arm(&self, seen: Seen, direction: Direction) -> Option<Arc<Parker>> {
                let mut list = self.list.lock().unwrap();
                if self.readiness.arm(seen, direction) == Arm::MustTry {
                    return None;
                }
                let parker = Arc::new(Parker::new());
                list.push((parker.clone(), direction));
                Some(parker)
            }

            /// Stops waiting.
            fn give_up(&self, parker: &Arc<Parker>, direction: Direction) {
                let mut list = self.list.lock().unwrap();
                list.retain(|(other, _)| !Arc::ptr_eq(other, parker));
                if !list.iter().any(|(_, waits)| *waits == direction) {
                    self.readiness.disarm(direction);
                }
            }

            /// Reads a byte, and waits for it.
            fn read(&self) {
                loop {
                    let seen = self.readiness.look();
                    if self.take() {
                        return;
                    }
                    if let Some(parker) = self.arm(seen, Direction::Read) {
                        parker.park();
                    }
                }
            }

            /// At the end nobody is in the list, and the word says so.
            fn check(&self) {
                assert!(self.list.lock().unwrap().is_empty());
                assert!(!self.readiness.is_awaited(Direction::Read), "awaited by nobody");
            }
        }

        /// An event comes between a try that would block and the wait.
        $(#[$test])?
        fn event_meets_a_reader_that_is_about_to_wait() {
            explore(4, || {
                let (program, seen) = Program::new();
                let sends = {
                    let program = program.clone();
                    thread::spawn(move || {
                        program.news.set(1);
                        program.send();
                    })
                };
                match program.arm(seen, Direction::Read) {
                    Some(parker) => parker.park(),
                    None => assert_eq!(program.news.get(), 1),
                }
                program.read();
                sends.join().unwrap();
                program.check();
            });
        }

        /// A reader that has found nothing takes the readiness away while a newer event sets it again; and two read one file.
        $(#[$test])?
        fn two_readers_and_two_events() {
            explore(2, || {
                let (program, _) = Program::new();
                let sends = {
                    let program = program.clone();
                    thread::spawn(move || {
                        program.send();
                        program.send();
                    })
                };
                let other = {
                    let program = program.clone();
                    thread::spawn(move || program.read())
                };
                program.read();
                other.join().unwrap();
                sends.join().unwrap();
                program.check();
            });
        }

        /// A reader gets less than it asked for, takes the file to be drained, and waits without a try.
        $(#[$test])?
        fn event_meets_a_reader_that_has_drained_the_file() {
            explore(4, || {
                let (program, _) = Program::new();
                program.bytes.store(1, Ordering::Relaxed);
                let sends = {
                    let program = program.clone();
                    thread::spawn(move || {
                        program.news.set(1);
                        program.send();
                    })
                };
                let seen = program.readiness.look();
                let read = program.bytes.swap(0, Ordering::Relaxed);
                program.readiness.drained(seen, Direction::Read);
                if read == 1 {
                    let mut seen = program.readiness.look();
                    if seen.is_worth_a_try(Direction::Read) {
                        // Only the event can have made it so.
                        assert_eq!(program.news.get(), 1);
                    }
                    while !(seen.is_worth_a_try(Direction::Read) && program.take()) {
                        if let Some(parker) = program.arm(seen, Direction::Read) {
                            parker.park();
                        }
                        seen = program.readiness.look();
                    }
                }
                sends.join().unwrap();
                program.check();
            });
        }

        /// The last bytes and the end come with one event: who has read the bytes must find the end without another.
        $(#[$test])?
        fn end_comes_with_the_last_bytes() {
            explore(3, || {
                let (program, seen) = Program::new();
                let sends = {
                    let program = program.clone();
                    thread::spawn(move || {
                        program.bytes.fetch_add(1, Ordering::Relaxed);
                        program.end.store(1, Ordering::Relaxed);
                        program.deliver(Event::ready(true, false).and_final(true, false));
                    })
                };
                if let Some(parker) = program.arm(seen, Direction::Read) {
                    parker.park();
                }
                sends.join().unwrap();
                let seen = program.readiness.look();
                assert!(program.take());
                program.readiness.drained(seen, Direction::Read);
                let seen = program.readiness.look();
                if !seen.is_worth_a_try(Direction::Read)
                    && let Some(parker) = program.arm(seen, Direction::Read)
                {
                    parker.park();
                }
                assert!(program.take());
            });
        }

        /// A reader gives up while an event comes, and while another waits to write.
        $(#[$test])?
        fn reader_gives_up() {
            explore(3, || {
                let (program, seen) = Program::new();
                let writer = program.arm(seen, Direction::Write).expect("nothing has come");
                let reader = program.arm(seen, Direction::Read).expect("nothing has come");
                let events = {
                    let program = program.clone();
                    thread::spawn(move || {
                        program.deliver(Event::ready(false, true));
                        program.send();
                    })
                };
                program.give_up(&reader, Direction::Read);
                writer.park();
                program.read();
                events.join().unwrap();
                program.check();
                assert!(!program.readiness.is_awaited(Direction::Write), "awaited by nobody");
            });
        }

        /// The file is closed while one waits and an event is on its way: the waiter is woken, and what comes later leaves no trace.
        $(#[$test])?
        fn file_is_closed() {
            explore(4, || {
                let (program, seen) = Program::new();
                let reader = program.arm(seen, Direction::Read).expect("nothing has come");
                let events = {
                    let program = program.clone();
                    thread::spawn(move || program.deliver(Event::ready(true, false)))
                };
                let served = program.readiness.close();
                program.serve(served);
                events.join().unwrap();
                reader.park();
                assert!(program.arm(seen, Direction::Read).is_none(), "a wait for a closed file");
                assert!(!program.readiness.is_awaited(Direction::Read), "awaited by nobody");
                let opened = program.readiness.open();
                assert_eq!(program.readiness.look(), opened);
                assert_ne!(opened, seen);
            });
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/readiness.rs"));
