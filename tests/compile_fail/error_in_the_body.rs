//! The error is about the line in the body, not about the attribute.
//! error: error_in_the_body.rs:9:18
//! error: expected `i32`, found `&str`

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
extern "C" fn on_row(row: i32) -> i32 {
    if row > 0 { "one" } else { row }
}

fn main() {}
