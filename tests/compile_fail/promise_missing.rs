//! error: this crate exports functions to C but makes no promise about thread-locals
//! error: const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();
//! error: const GREENBRIDGE: greenbridge::Start = unsafe { greenbridge::Start::on_first_entry() };

#[greenbridge::export]
#[unsafe(no_mangle)]
pub extern "C" fn on_row(row: i32) -> i32 {
    row
}

fn main() {}
