//! error: expected `#[greenbridge::export]` or `#[greenbridge::export(fallback = VALUE)]`

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export(default = 3)]
extern "C" fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
