//! The function of a `LazyLock` is called again if it panics, so it cannot give away what it owns.
//! error: cannot move out of `text`, a captured variable in an `Fn` closure

use greenbridge::sync::LazyLock;

fn main() {
    let text = String::from("once");
    let lazy = LazyLock::new(move || text);
    assert_eq!(*lazy, "once");
}
