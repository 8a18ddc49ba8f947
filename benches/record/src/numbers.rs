//! How numbers are written.

/// Three digits, and thousands apart.
pub(crate) fn short(value: f64) -> String {
    if value.abs() >= 999.5 {
        let digits = format!("{value:.0}");
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && digit.is_ascii_digit() && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
                text.push(',');
            }
            text.push(digit);
        }
        return text;
    }
    if value == 0.0 {
        return "0".into();
    }
    let decimals = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (3.866, "3.87"),
            (26.44, "26.4"),
            (128.4, "128"),
            (38_853.2, "38,853"),
            (1_234_567.0, "1,234,567"),
            (-4096.0, "-4,096"),
            (0.0431, "0.0431"),
            (999.7, "1,000"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
