//! A guard belongs to the OS thread that its green thread is pinned to.
//! error: cannot be sent between threads safely
//! error: PinGuard

fn main() {
    let pinned = greenbridge::pin();
    greenbridge::spawn(move || drop(pinned));
}
