//! A green thread of a scope runs on whatever OS thread comes.
//! error: `Rc<i32>` cannot be sent between threads safely

use std::rc::Rc;

fn main() {
    let number = Rc::new(5);
    greenbridge::scope(|s| {
        s.spawn(move || *number);
    });
}
