//! A guard that writes can be downgraded where it was sent, while others read here: what it guards must be `Sync`, too.
//! error: `Cell<i32>` cannot be shared between threads safely

use greenbridge::sync::RwLock;
use std::cell::Cell;

fn sent<T: Send>(_: T) {}

fn main() {
    let lock = RwLock::new(Cell::new(1_i32));
    sent(lock.write());
}
