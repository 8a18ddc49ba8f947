//! A value of a green local goes when its green thread ends.
//! error: lifetime may not live long enough

greenbridge::green_local! {
    static TEXT: String = String::from("gone with its green thread");
}

fn main() {
    let kept: &'static str = TEXT.with(|text| text.as_str());
    println!("{kept}");
}
