//! What the book names in code font exists: files in all chapters, and in those that walk through the source also functions,
//! types, models and mutants.
//!
//! What could break it: a file that moves, a function that is renamed, a mutant that is dropped, while the book still sends
//! its reader there. A name counts by its form:
//!
//! | in code font | must be |
//! |---|---|
//! | `folder/file.rs` | a file: from the root, in `runtime/src/`, or by its name alone anywhere |
//! | `function()`, `Type::function()` | declared as `fn function`; the `Type`, too |
//! | `Type`, `Type::Variant`, `CONSTANT` | words of the source, comments left out |
//! | `name_with_underscores` | the same: models, mutants, functions |
//!
//! Anything else, such as a command, is not looked at.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the source lies that the book speaks of.
const SOURCES: [&str; 6] = ["runtime", "bridge", "tests", "benches", "examples", "build.rs"];

/// The chapters whose every name is checked.
const WALKS: [&str; 2] = ["docs/life.md", "docs/protocols.md"];

#[test]
fn every_file_that_the_book_names_is_there() -> io::Result<()> {
    let source = Source::read()?;
    let mut chapters = vec![Path::new(ROOT).join("README.md")];
    chapters.extend(files_below(&Path::new(ROOT).join("docs"))?.into_iter().filter(|file| has_ending(file, "md")));
    assert!(chapters.len() > 5, "the chapters are not where they are looked for");
    let mut found = 0;
    let mut missing = Vec::new();
    for chapter in chapters {
        for name in names(&fs::read_to_string(&chapter)?) {
            if is_file_name(&name) {
                found += 1;
                if !source.has_file(&name) {
                    missing.push(format!("{}: `{name}`", chapter.display()));
                }
            }
        }
    }
    assert!(found > 50, "only {found} files are named: is the book read as it should be?");
    assert!(missing.is_empty(), "these files are not there:\n{}", missing.join("\n"));
    Ok(())
}

#[test]
fn every_name_on_the_walks_is_in_the_source() -> io::Result<()> {
    let source = Source::read()?;
    for chapter in WALKS {
        let names: Vec<_> = names(&fs::read_to_string(Path::new(ROOT).join(chapter))?);
        let checked = names.iter().filter(|name| source.knows(name).is_some()).count();
        assert!(checked > 40, "{chapter}: only {checked} names are found: is it read as it should be?");
        let missing: Vec<_> = names.iter().filter(|name| source.knows(name) == Some(false)).collect();
        assert!(missing.is_empty(), "{chapter} names what is not in the source: {missing:?}");
    }
    Ok(())
}

#[test]
fn names_are_told_apart_by_their_form() {
    let source = Source {
        files: [PathBuf::from("runtime/src/wait/park.rs")].into(),
        words: words("pub fn switch(why: Suspended) -> Switched { STOP }").map(str::to_owned).collect(),
        functions: ["switch".to_owned()].into(),
    };
    for (name, known) in [
        ("wait/park.rs", Some(true)),
        ("park.rs", Some(true)),
        ("ark.rs", Some(false)),
        ("switch()", Some(true)),
        ("Suspended::switch()", Some(true)),
        ("Gone::switch()", Some(false)),
        ("gone()", Some(false)),
        ("Suspended", Some(true)),
        ("Suspended::Gone", Some(false)),
        ("STOP", Some(true)),
        ("gone_too", Some(false)),
        ("next", None),
        ("cargo test", None),
        ("crate::primitive", None),
    ] {
        assert_eq!(source.knows(name), known, "{name}");
    }
    let text = "a `b` and `c\n d`\n```rust\nlet e = `f`;\n```\n`g()`, `-- h`\n## Sources\n`i`";
    assert_eq!(names(text), ["b", "c d", "g()", "-- h"]);
}

/// What stands in code font in `chapter`, without its blocks, and without its sources, which are other people's.
fn names(chapter: &str) -> Vec<String> {
    let mut in_block = false;
    let mut prose = String::new();
    for line in chapter.lines().take_while(|line| *line != "## Sources") {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose.split('`').skip(1).step_by(2).map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The source as the book sees it.
struct Source {
    /// Relative to the root.
    files: HashSet<PathBuf>,
    /// All words outside of comments.
    words: HashSet<String>,
    /// What stands behind `fn`.
    functions: HashSet<String>,
}

impl Source {
    fn read() -> io::Result<Self> {
        let mut source = Self { files: HashSet::new(), words: HashSet::new(), functions: HashSet::new() };
        for place in SOURCES {
            for path in files_below(&Path::new(ROOT).join(place))? {
                // Not this file: its own examples are in no other.
                if has_ending(&path, "rs") && !path.ends_with(file!()) {
                    source.add(&fs::read_to_string(&path)?);
                }
                source.files.insert(path.strip_prefix(ROOT).expect("it lies below the root").to_owned());
            }
        }
        Ok(source)
    }

    fn add(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let mut behind_fn = false;
            for word in words(line) {
                if behind_fn {
                    self.functions.insert(word.to_owned());
                }
                behind_fn = word == "fn";
                self.words.insert(word.to_owned());
            }
        }
    }

    fn has_file(&self, name: &str) -> bool {
        let name = Path::new(name);
        self.files.iter().any(|file| file.ends_with(name))
    }

    /// Whether `name` is in the source; `None` if it has not the form of something that would be.
    fn knows(&self, name: &str) -> Option<bool> {
        if is_file_name(name) {
            return Some(self.has_file(name));
        }
        let (path, is_function) = match name.strip_suffix("()") {
            Some(path) => (path, true),
            None => (name, false),
        };
        let parts: Vec<_> = path.split("::").collect();
        let (last, types) = parts.split_last()?;
        let is_type = |part: &str| is_word(part) && part.starts_with(|first: char| first.is_ascii_uppercase());
        if !is_word(last) || !types.iter().all(|part| is_type(part)) {
            return None;
        }
        let types_known = types.iter().all(|part| self.words.contains(*part));
        if is_function {
            Some(types_known && self.functions.contains(*last))
        } else if is_type(last) || last.contains('_') {
            Some(types_known && self.words.contains(*last))
        } else {
            None
        }
    }
}

fn is_file_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_/.".contains(c);
    name.ends_with(".rs") && name.chars().all(is_part)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word_part) && !text.starts_with(|first: char| first.is_ascii_digit())
}

fn is_word_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !is_word_part(c)).filter(|word| !word.is_empty())
}

/// All files in and below `place`, which may be one itself.
fn files_below(place: &Path) -> io::Result<Vec<PathBuf>> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        // Somebody may build inside a package.
        if !path.ends_with("target") {
            files.extend(files_below(&path)?);
        }
    }
    Ok(files)
}

fn has_ending(file: &Path, ending: &str) -> bool {
    file.extension().is_some_and(|found| found == ending)
}
