//! error: expected a whole number from 1 to 1024

const GREENBRIDGE: greenbridge::Start = unsafe { greenbridge::Start::on_first_entry() }.processors(0);

fn main() {}
