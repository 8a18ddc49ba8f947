//! A branch of a select says what its result is called.
//! error: expected `recv(receiver) -> message => ...`
//! error: expected `send(sender, value) -> result => ...`

fn main() {
    let (sender, receiver) = greenbridge::channel::bounded::<i32>(1);
    greenbridge::select! {
        recv(receiver) => {}
    }
    greenbridge::select! {
        send(sender) -> _ => {}
    }
}
