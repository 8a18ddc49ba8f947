//! A guard of a part borrows the lock as the guard of the whole did.
//! error: `lock` does not live long enough

use greenbridge::sync::{RwLock, RwLockReadGuard};

fn main() {
    let part = {
        let lock = RwLock::new((1, 2));
        RwLockReadGuard::map(lock.read(), |value| &value.0)
    };
    assert_eq!(*part, 1);
}
