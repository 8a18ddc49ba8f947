//! error: C has no `self`: take a pointer as an ordinary parameter

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

struct Rows(i32);

impl Rows {
    #[greenbridge::export]
    extern "C" fn on_row(&self) -> i32 {
        self.0
    }
}

fn main() {}
