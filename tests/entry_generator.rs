//! C that calls back for each item can be read as an iterator: a green thread is in C, and its callback hands each item over and waits
//! until it is taken. Such iterators nest, may be made on one side of a callback and used on the other, and may be given up.
//!
//! What could break it: a callback that goes on before its item was taken, one that stays when nobody takes any more, or two walks that
//! meet on one OS thread.

mod support;

use greenbridge::channel::{IntoIter, Sender, bounded};
use greenbridge::{JoinHandle, Start, call, spawn};
use std::ffi::{c_long, c_void};
use std::sync::Mutex;
use support::{Callback, child_on_processors, for_c, run};

const GREENBRIDGE: Start = Start::by_rust();

unsafe extern "C" {
    fn entry_generator_walk(f: Callback<c_long>, context: *mut c_void, last: c_long) -> c_long;
}

fn walk<T: Sync>(f: extern "C" fn(&T, c_long) -> c_long, context: &T, last: c_long) -> c_long {
    let (f, context) = for_c(f, context);
    // SAFETY: C hands the pointer on to `f` and returns after it, while `context` is borrowed.
    call(|| unsafe { entry_generator_walk(f, context, last) })
}

#[greenbridge::export(fallback = 1)]
extern "C" fn hand_over(items: &Sender<c_long>, number: c_long) -> c_long {
    c_long::from(items.send(number).is_err())
}

/// The numbers that C walks over, and what becomes of the walk.
fn numbers(last: c_long) -> (IntoIter<c_long>, JoinHandle<c_long>) {
    let (items, taken) = bounded(0);
    (taken.into_iter(), spawn(move || walk(hand_over, &items, last)))
}

#[test]
fn a_walk_of_c_is_an_iterator_in_rust() {
    child_on_processors("walks_are_iterated_over", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn walks_are_iterated_over() {
    run(|| {
        let (all, walked) = numbers(1_000);
        assert_eq!(all.sum::<c_long>(), 500_500);
        assert_eq!(walked.join().expect("no panic"), 1_000);
        // Two at the same pace.
        let ((left, left_walked), (right, right_walked)) = (numbers(300), numbers(200));
        assert_eq!(left.zip(right).map(|(a, b)| a * b).sum::<c_long>(), (1..=200).map(|n| n * n).sum());
        assert_eq!(right_walked.join().expect("no panic"), 200);
        // One that was given up in the middle ends: one item more was taken than there was a partner for.
        assert_eq!(left_walked.join().expect("no panic"), 201);
    });
}

#[test]
fn an_iterator_may_be_made_and_used_on_either_side_of_a_callback() {
    child_on_processors("iterators_cross_callbacks", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn iterators_cross_callbacks() {
    run(|| {
        let many = (0..20).map(|_| spawn(across_callbacks));
        for thread in many.collect::<Vec<_>>() {
            thread.join().expect("no panic");
        }
    });
}

fn across_callbacks() {
    // Made outside, used inside, by a callback of another walk.
    let (outer, walked) = numbers(100);
    let outer = Mutex::new(outer);
    assert_eq!(walk(takes_the_same, &outer, 100), 100);
    assert_eq!(walked.join().expect("no panic"), 100);
    // Made inside, used outside.
    let made = Mutex::new(None);
    assert_eq!(walk(makes_one, &made, 1), 1);
    let (inner, walked) = made.into_inner().expect("no panic").expect("it was made");
    assert_eq!(inner.sum::<c_long>(), 55);
    assert_eq!(walked.join().expect("no panic"), 10);
    // Made and used inside, at each step.
    assert_eq!(walk(sums_up, &(), 20), 20);
}

#[greenbridge::export(fallback = 1)]
extern "C" fn takes_the_same(outer: &Mutex<IntoIter<c_long>>, number: c_long) -> c_long {
    c_long::from(outer.lock().expect("no panic").next() != Some(number))
}

#[greenbridge::export(fallback = 1)]
extern "C" fn makes_one(place: &Mutex<Option<(IntoIter<c_long>, JoinHandle<c_long>)>>, _: c_long) -> c_long {
    *place.lock().expect("no panic") = Some(numbers(10));
    0
}

#[greenbridge::export(fallback = 1)]
extern "C" fn sums_up(_: &(), number: c_long) -> c_long {
    let (all, walked) = numbers(number);
    let sum = all.sum::<c_long>();
    c_long::from(sum != number * (number + 1) / 2 || walked.join().expect("no panic") != number)
}
