//! A green local is a static: a constant has no place for its number.
//! error: error[E0716]: temporary value dropped while borrowed

const NUMBER: greenbridge::GreenLocal<u32> = greenbridge::GreenLocal::new(|| 5);

fn main() {
    NUMBER.with(|_| ());
}
