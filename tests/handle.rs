//! A handle brings the very value that it was made for, on any thread, until it is deleted, and after that an error that says so.
//!
//! What could break it: a slot that is used again and answers to an old number, a value that is dropped while somebody has it, or a type
//! that is believed.

use greenbridge::Handle;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

#[test]
fn zero_and_numbers_that_were_never_made_are_no_handles() {
    let zero = Handle::from_raw(0).get::<u32>().expect_err("0 is no handle");
    assert_eq!(zero.to_string(), "the handle is 0, which stands for no value");
    for raw in [usize::MAX, 0x00ff_ffff, 1 << (usize::BITS / 2)] {
        let error = Handle::from_raw(raw).get::<u32>().expect_err("nobody made it");
        assert_eq!(error.to_string(), format!("{raw:#x} is no handle: no value was ever kept under it"));
        assert_eq!(Handle::from_raw(raw).delete(), Err(error));
    }
}

#[test]
fn value_comes_back_through_a_number_and_through_a_pointer() {
    let handle = Handle::new(String::from("kept"));
    assert_ne!(handle.as_raw(), 0);
    assert_eq!(*Handle::from_raw(handle.as_raw()).get::<String>().expect("it is kept"), "kept");
    assert_eq!(*Handle::from_ptr(handle.as_ptr()).get::<String>().expect("it is kept"), "kept");
    assert_eq!(handle.delete(), Ok(()));
}

#[test]
fn stale_handle_is_an_error_also_when_its_slot_is_used_again() {
    let old: Vec<_> = (0..100).map(Handle::new::<usize>).collect();
    old.iter().for_each(|handle| assert_eq!(handle.delete(), Ok(())));
    let new: Vec<_> = (0..100).map(Handle::new::<usize>).collect();
    for handle in old {
        assert!(!new.contains(&handle));
        let error = handle.get::<usize>().expect_err("it was deleted");
        let raw = handle.as_raw();
        assert_eq!(error.to_string(), format!("the handle {raw:#x} is stale: it was deleted, or its value taken"));
        assert_eq!(handle.delete(), Err(error));
    }
    new.into_iter().for_each(|handle| assert_eq!(handle.delete(), Ok(())));
}

#[test]
fn wrong_type_names_both_and_leaves_the_value() {
    let handle = Handle::new(7_u32);
    let error = handle.take::<String>().expect_err("it is a number");
    assert!(error.is_wrong_type());
    let text = error.to_string();
    assert!(text.contains("`u32`") && text.contains("`alloc::string::String`"), "{text}");
    assert_eq!(handle.take::<u32>().map(|value| *value), Ok(7));
}

/// Counts how often it is dropped; deletes another handle when it is.
struct Counted(Arc<AtomicUsize>, Option<Handle>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if let Some(other) = self.1 {
            assert_eq!(other.delete(), Ok(()));
        }
    }
}

#[test]
fn value_is_dropped_once_after_the_last_who_has_it() {
    let drops = Arc::new(AtomicUsize::new(0));
    let handle = Handle::new(Counted(Arc::clone(&drops), None));
    let value = handle.get::<Counted>().expect("it is kept");
    assert_eq!(handle.delete(), Ok(()));
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(value);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn destructor_of_a_value_may_use_handles() {
    let drops = Arc::new(AtomicUsize::new(0));
    let mut chain = None;
    for _ in 0..40 {
        chain = Some(Handle::new(Counted(Arc::clone(&drops), chain)));
    }
    assert_eq!(chain.expect("the last one").delete(), Ok(()));
    assert_eq!(drops.load(Ordering::Relaxed), 40);
}

#[test]
fn of_many_threads_that_take_one_handle_one_gets_it() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 500;
    let barrier = Barrier::new(THREADS);
    let taken = AtomicUsize::new(0);
    let handles: Vec<_> = (0..ROUNDS).map(Handle::new).collect();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for (number, handle) in handles.iter().enumerate() {
                    // Others come and go in the same slots meanwhile.
                    let own = Handle::new(u8::MAX);
                    if let Ok(value) = handle.take::<usize>() {
                        assert_eq!(*value, number);
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                    assert_eq!(own.take::<u8>().map(|value| *value), Ok(u8::MAX));
                }
            });
        }
    });
    assert_eq!(taken.load(Ordering::Relaxed), ROUNDS);
}
