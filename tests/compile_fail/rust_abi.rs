//! error: C cannot call a function of Rust's own ABI: write `extern "C" fn`

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
pub fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
