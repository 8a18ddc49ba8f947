//! error: a runtime that Rust starts gets its settings from `greenbridge::Builder`

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust().processors(4);

fn main() {}
