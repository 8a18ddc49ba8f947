//! The attribute adds no `unsafe` around the body.
//! error: is unsafe and requires unsafe

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

unsafe fn dangerous() {}

#[greenbridge::export]
extern "C" fn on_row() {
    dangerous()
}

fn main() {}
