//! Each test that `docs/behaviours.md` names is a test, in the file that it names; and none of the forty is left out.
//!
//! What could break it: a test that is renamed or dropped, while the book still says that it holds something.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn chapter() -> String {
    fs::read_to_string(Path::new(ROOT).join("docs/behaviours.md")).expect("the chapter is there")
}

/// What stands in code font, outside of blocks.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

/// The tests of a file.
fn tests_in(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(ROOT).join("tests").join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let lines: Vec<_> = text.lines().collect();
    let after_attribute = lines.windows(2).filter(|pair| pair[0] == "#[test]");
    let names = after_attribute.filter_map(|pair| pair[1].strip_prefix("fn ")?.split('(').next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_tests_that_the_book_names_are_there() {
    let chapter = chapter();
    let (mut found, mut file) = (0, None);
    for name in names(&chapter) {
        if let Some(stem) = name.strip_suffix(".rs") {
            // Files of the source are told apart by their folders.
            file = (!stem.contains('/')).then_some(name);
        } else if name.matches('_').count() > 2
            && let Some(file) = file
        {
            assert!(tests_in(file).contains(name), "`{name}` is no test in {file}");
            found += 1;
        }
    }
    assert!(found > 60, "only {found} tests are named: is the chapter read as it should be?");
}

#[test]
fn each_of_the_forty_has_a_test_or_a_row_of_the_benchmarks() {
    let chapter = chapter();
    let rows = chapter.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let number: u32 = cells.next()?.parse().ok()?;
        Some((number, cells.nth(2)?.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    assert!(
        rows.iter().map(|(number, _)| *number).eq(1..=40),
        "{:?}",
        rows.iter().map(|row| row.0).collect::<Vec<_>>()
    );
    let benchmarks = fs::read_to_string(Path::new(ROOT).join("docs/benchmarks.md")).expect("the chapter is there");
    for (number, held_by) in rows {
        let names: Vec<_> = names(&held_by).collect();
        assert!(!names.is_empty(), "nothing holds {number}");
        for row in names.iter().filter(|_| held_by.starts_with("row")) {
            assert!(benchmarks.contains(&format!("`{row}`")), "{number}: no row `{row}`");
        }
    }
}
