//! The function of a `LazyLock` is called again if it panics, so it cannot give away what it owns.
//! error: expected a closure that implements the `Fn` trait, but this closure only implements `FnOnce`

use greenbridge::sync::LazyLock;

fn main() {
    let text = String::from("once");
    let lazy = LazyLock::new(move || text);
    assert_eq!(*lazy, "once");
}
