//! The example `stack_use` measures every library that is here, and the table in `docs/stack-use.md` has the same rows in the same
//! order.
//!
//! What could break it: a library that fails under the meter, or a table that is not what the example prints.

mod support;

use support::{Process, example};

/// The first column of the table in `text`, headings left out.
fn rows(text: &str) -> Vec<String> {
    let first = |line: &str| Some(line.strip_prefix("| ")?.split(" |").next()?.trim_matches('*').to_owned());
    text.lines().filter_map(first).filter(|row| row != "called").collect()
}

#[test]
fn every_row_of_the_book_is_measured() {
    let run = Process::program(&example("stack_use")).run();
    let measured = rows(&run.succeeds().stdout);
    let book = rows(include_str!("../docs/stack-use.md"));
    let mut missing = book.into_iter().filter(|row| !row.starts_with("CPython"));
    for row in &measured {
        // A library that is not installed is left out.
        assert!(missing.any(|expected| expected == *row), "{run}row {row:?} is not in the book, or out of order");
    }
    assert!(measured.len() >= 16, "{run}only {} rows", measured.len());
    let left_out = run.stderr.lines().filter(|line| line.starts_with("left out, because")).count();
    assert_eq!(measured.len() + left_out, 23, "{run}");
}
