//! A handle of a scope's green thread brings a result that may borrow.
//! error: lifetime may not live long enough

fn main() {
    let text = String::from("borrowed");
    let handle = greenbridge::scope(|s| s.spawn(|| text.as_str()));
    drop(handle);
}
