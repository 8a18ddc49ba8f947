//! The promise stands beside the export instead of in the crate root.
//! error: this crate exports functions to C but makes no promise about thread-locals

mod inner {
    const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

    #[greenbridge::export]
    extern "C" fn on_row(row: i32) -> i32 {
        row
    }
}

fn main() {}
