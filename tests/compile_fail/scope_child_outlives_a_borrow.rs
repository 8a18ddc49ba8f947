//! A green thread of a scope borrows what ends before the scope does.
//! error: error[E0373]
//! error: error[E0597]: `inside` does not live long enough

fn main() {
    greenbridge::scope(|s| {
        let inside = String::from("gone when the closure returns");
        s.spawn(|| inside.len());
    });
    greenbridge::scope(|s| {
        let inside = String::from("gone when the closure returns");
        let borrowed = &inside;
        s.spawn(move || borrowed.len());
    });
}
