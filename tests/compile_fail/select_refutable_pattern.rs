//! A pattern of a select must match whatever the branch brings.
//! error: non-exhaustive patterns

fn main() {
    let (_sender, receiver) = greenbridge::channel::bounded::<i32>(1);
    greenbridge::select! {
        recv(receiver) -> Ok(_) => {}
    }
}
