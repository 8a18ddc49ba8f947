//! A channel takes what it carries to other threads.
//! error: `Rc<()>` cannot be sent between threads safely

use std::rc::Rc;

fn main() {
    let (messages, _received) = greenbridge::channel::unbounded::<Rc<()>>();
    greenbridge::spawn(move || drop(messages));
}
