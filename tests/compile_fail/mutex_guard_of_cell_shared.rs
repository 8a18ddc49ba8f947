//! error: `Cell<i32>` cannot be shared between threads safely

use greenbridge::sync::{Mutex, MutexGuard, OwnedMutexGuard};
use std::cell::Cell;

fn assert_sync<T: Sync>() {}

fn main() {
    assert_sync::<Mutex<Cell<i32>>>();
    assert_sync::<MutexGuard<'_, Cell<i32>>>();
    assert_sync::<OwnedMutexGuard<Cell<i32>>>();
}
