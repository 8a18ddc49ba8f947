//! Readers share the value.
//! error: `Cell<i32>` cannot be shared between threads safely

use greenbridge::sync::RwLock;
use std::cell::Cell;
use std::sync::Arc;

fn main() {
    let lock = Arc::new(RwLock::new(Cell::new(1_i32)));
    greenbridge::spawn(move || drop(lock.read()));
}
