//! What the models look with: plain memory that loom watches, a count of locks, a place to rest.

use std::cell;
use std::sync::Arc;
use std::task::Wake;

/// Plain, non-atomic memory. Loom ends the model when two accesses race, so it stands for whatever a protocol
/// publishes.
#[derive(Debug)]
pub struct Plain<T>(loom::cell::UnsafeCell<T>);

// SAFETY: before it lends a pointer, loom checks that the access happens after every write (and, for a write, after
// every read), and panics if not; so no two accesses that conflict are ever made.
unsafe impl<T: Send> Sync for Plain<T> {}

impl<T: Copy> Plain<T> {
    /// Memory that holds `value`.
    pub fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    /// Reads.
    #[track_caller]
    pub fn get(&self) -> T {
        // SAFETY: loom has checked that no write races; the pointer is used inside the closure only.
        self.0.with(|value| unsafe { *value })
    }

    /// Writes.
    #[track_caller]
    pub fn set(&self, new: T) {
        // SAFETY: loom has checked that no access races; the pointer is used inside the closure only.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}

loom::thread_local! {
    static LOCKS: cell::Cell<usize> = cell::Cell::new(0);
}

pub(crate) fn count_lock() {
    LOCKS.with(|locks| locks.set(locks.get() + 1));
}

/// How often this thread of the model has locked.
pub fn locks() -> usize {
    LOCKS.with(cell::Cell::get)
}

/// The place where one thread of the model rests until another one calls it. A call that comes early is kept, as one
/// token.
///
/// Loom's own `park` has a token too, but an `unpark` also disturbs a thread that waits for something else, a `join`
/// for instance.
#[derive(Debug)]
pub struct Parker {
    called: loom::sync::Mutex<bool>,
    changed: loom::sync::Condvar,
}

impl Parker {
    /// A parker that nobody has called.
    #[allow(clippy::new_without_default, reason = "loom's objects belong to one execution: making one is worth a word")]
    pub fn new() -> Self {
        Self { called: loom::sync::Mutex::new(false), changed: loom::sync::Condvar::new() }
    }

    /// Calls the thread that parks here, now or later.
    pub fn unpark(&self) {
        *self.called.lock().expect("loom's locks are never poisoned") = true;
        self.changed.notify_one();
    }

    /// Rests until called.
    pub fn park(&self) {
        let mut called = self.called.lock().expect("loom's locks are never poisoned");
        while !*called {
            called = self.changed.wait(called).expect("loom's locks are never poisoned");
        }
        *called = false;
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }
}
