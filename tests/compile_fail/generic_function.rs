//! error: C cannot choose type parameters: an export is a function with fixed types

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
extern "C" fn on_row<'a, T>(row: &'a T) -> i32 {
    0
}

fn main() {}
