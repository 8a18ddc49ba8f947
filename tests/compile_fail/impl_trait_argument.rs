//! error: C cannot choose type parameters: an export is a function with fixed types

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
extern "C" fn on_row(row: impl Fn() -> i32) -> i32 {
    row()
}

fn main() {}
