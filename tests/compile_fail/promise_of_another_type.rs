//! error: this crate exports functions to C but makes no promise about thread-locals
//! error: but found `bool`

const GREENBRIDGE: bool = true;

#[greenbridge::export]
extern "C" fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
