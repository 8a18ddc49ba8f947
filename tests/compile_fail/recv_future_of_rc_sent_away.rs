//! A receive that waits carries the message to whatever thread polls it.
//! error: `Rc<()>` cannot be sent between threads safely

use std::rc::Rc;

fn sent<T: Send>(_: T) {}

fn main() {
    let (_messages, received) = greenbridge::channel::unbounded::<Rc<()>>();
    sent(received.recv_async());
}
