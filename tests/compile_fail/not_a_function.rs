//! error: goes on a function with a body

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
struct Row;

fn main() {}
