//! Puts tables and plots into the book.

use crate::figures::Figures;
use crate::rows::GROUPS;
use crate::{plots, table};
use std::fs;
use std::path::Path;

/// Writes all tables between their markers, and all plots.
///
/// # Errors
/// A marker is missing, or a file cannot be written.
pub(crate) fn write(docs: &Path, figures: &Figures) -> Result<(), String> {
    let page = docs.join("benchmarks.md");
    let mut text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    text = put(&text, "machine", &table::machine(figures))?;
    for group in GROUPS {
        text = put(&text, group.id, &table::group(figures, group))?;
    }
    text = put(&text, "failures", &table::failures(figures))?;
    fs::write(&page, text).map_err(|error| format!("{}: {error}", page.display()))?;
    let folder = docs.join("plots");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    plots::draw(&folder, figures)
}

/// Replaces what stands between `<!-- record: id -->` and the next `<!-- end -->`.
fn put(text: &str, id: &str, table: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- record: {id} -->\n"), "<!-- end -->");
    let (before, rest) =
        text.split_once(&begin).ok_or_else(|| format!("docs/benchmarks.md has no marker {begin:?}"))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| format!("docs/benchmarks.md has no {end} behind {begin:?}"))?;
    Ok(format!("{before}{begin}{table}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_markers_changes() {
        let text = "a\n<!-- record: x -->\nold\n<!-- end -->\nb\n<!-- record: y -->\nstays\n<!-- end -->\n";
        let put = put(text, "x", "new\n").expect("the markers are there");
        assert_eq!(put, text.replace("old", "new"));
        assert!(super::put(text, "z", "").is_err());
    }

    #[test]
    fn the_book_has_a_place_for_every_table() {
        let page = fs::read_to_string(crate::root().join("docs/benchmarks.md")).expect("the chapter is there");
        for id in GROUPS.iter().map(|group| group.id).chain(["machine", "failures"]) {
            assert!(put(&page, id, "").is_ok(), "no place for {id}");
        }
    }
}
