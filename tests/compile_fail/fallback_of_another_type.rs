//! error: mismatched types

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export(fallback = "none")]
extern "C" fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
