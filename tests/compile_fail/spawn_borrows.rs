//! Without a scope a green thread may outlive whatever it borrows.
//! error: error[E0373]: closure may outlive the current function, but it borrows `text`

fn main() {
    let text = String::from("borrowed");
    let _ = greenbridge::spawn(|| text.len()).join();
}
