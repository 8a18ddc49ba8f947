//! error: `lock` does not live long enough

use greenbridge::sync::{Mutex, MutexGuard};

fn main() {
    let part = {
        let lock = Mutex::new((1, 2));
        MutexGuard::map(lock.lock(), |pair| &mut pair.0)
    };
    drop(part);
}
