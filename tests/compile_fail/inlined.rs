//! error: an export is never inlined: leave this attribute out

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
#[inline(always)]
extern "C" fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
