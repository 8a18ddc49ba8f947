//! error: a panic of an export never unwinds into C, so its ABI is `extern "C"`

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
pub extern "C-unwind" fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
