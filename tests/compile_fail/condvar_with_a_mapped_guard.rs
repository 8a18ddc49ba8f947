//! error: expected `MutexGuard<'_, _>`, found `MappedMutexGuard<'_, {integer}>`

use greenbridge::sync::{Condvar, Mutex, MutexGuard};

fn main() {
    let list = Mutex::new(vec![1]);
    let first = MutexGuard::map(list.lock(), |list| &mut list[0]);
    // Meanwhile somebody else could empty the list.
    drop(Condvar::new().wait(first));
}
