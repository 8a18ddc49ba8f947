//! error: C cannot await: write an ordinary function, and `greenbridge::block_on(future)` in its body

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
async extern "C" fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
