//! The tests of this package are those of `tests/` that have C in them, built without the crates that the others need: under a sanitizer all
//! of a program is built anew, and SQLite alone would take longer than all of this. `.ci/sanitizers` runs them, `docs/safety.md` says what
//! that can see.
