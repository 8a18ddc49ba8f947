//! error: call to unsafe function `greenbridge::Start::on_first_entry` is unsafe

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::on_first_entry();

fn main() {}
