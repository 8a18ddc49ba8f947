//! A select has branches of certain kinds, and says which.
//! error: `receive` is no branch of `select!`: expected `recv`, `send`, `join`, `future`, `after`, `at` or `default`

fn main() {
    let (_sender, receiver) = greenbridge::channel::bounded::<i32>(1);
    greenbridge::select! {
        receive(receiver) -> _ => {}
    }
}
