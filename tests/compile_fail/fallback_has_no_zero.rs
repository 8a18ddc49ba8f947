//! error: `Point` has no zero that C could be given if this export panics
//! error: declare what C gets: `#[greenbridge::export(fallback = VALUE)]`

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[repr(C)]
struct Point {
    x: i32,
}

#[greenbridge::export]
extern "C" fn middle() -> Point {
    Point { x: 0 }
}

fn main() {}
