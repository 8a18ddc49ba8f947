//! error: `Rc<i32>` cannot be sent between threads safely

use greenbridge::sync::Mutex;
use std::rc::Rc;

static LOCK: Mutex<Option<Rc<i32>>> = Mutex::new(None);

fn main() {
    drop(LOCK.lock());
}
