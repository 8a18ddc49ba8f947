//! error: write the type that C expects in place of `!`

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

#[greenbridge::export]
extern "C" fn leave() -> ! {
    std::process::exit(0)
}

fn main() {}
