//! A value of a green local travels with its green thread.
//! error: `Rc<i32>` cannot be sent between threads safely

use std::rc::Rc;

greenbridge::green_local! {
    static NUMBER: Rc<i32> = Rc::new(5);
}

fn main() {
    NUMBER.with(|_| ());
}
