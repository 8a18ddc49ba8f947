//! The book holds together: its list of chapters is the same for GitHub (`docs/README.md`) and for mdBook (`docs/SUMMARY.md`), every
//! chapter is in it, every link between chapters leads to something, and every chapter with a program in Rust is tested.
//!
//! What could break it: a chapter that is added to one list, a heading that is worded anew while another chapter links to it, a plot
//! that is not drawn any more.
//!
//! `cargo test --test book write_the_summary -- --ignored` writes `docs/SUMMARY.md` anew.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn read(file: &str) -> String {
    let path = docs().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of `docs/` that are chapters.
fn chapters() -> BTreeSet<String> {
    let files = fs::read_dir(docs()).expect("there is a book");
    let names = files.map(|file| file.expect("it can be listed").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".md") && name != "README.md" && name != "SUMMARY.md").collect()
}

/// What `docs/SUMMARY.md` must be: the list of `docs/README.md` in mdBook's form.
fn summary() -> String {
    let mut summary = String::from("# Summary\n\n[The book of Greenbridge](README.md)\n");
    for line in read("README.md").lines() {
        if let Some(part) = line.strip_prefix("**").and_then(|line| line.strip_suffix("**")) {
            summary += &format!("\n# {part}\n\n");
        } else if let Some((name, question)) = row(line) {
            summary += &format!("- [{question}]({name})\n");
        }
    }
    summary
}

/// `| [name](name) | question |`.
fn row(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("| [")?.split_once("](")?;
    Some((name, rest.split_once(" | ")?.1.strip_suffix(" |")?))
}

#[test]
fn both_lists_of_chapters_are_the_same() {
    let expected = summary();
    assert!(read("SUMMARY.md") == expected, "docs/SUMMARY.md should be (this file's head has a command):\n{expected}");
}

#[test]
#[ignore = "writes docs/SUMMARY.md"]
fn write_the_summary() {
    fs::write(docs().join("SUMMARY.md"), summary()).expect("it can be written");
}

#[test]
fn every_chapter_is_in_the_list_once() {
    let list = read("README.md");
    let listed: Vec<_> = list.lines().filter_map(row).map(|(name, _)| name.to_owned()).collect();
    let once: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), once.len(), "a chapter is listed twice");
    assert_eq!(once, chapters(), "left: what docs/README.md lists; right: what lies in docs/");
}

#[test]
fn every_link_leads_somewhere() {
    let mut headings = HashMap::new();
    let mut broken = Vec::new();
    let mut links = 0;
    for chapter in chapters().into_iter().chain(["README.md".into(), "SUMMARY.md".into(), "../README.md".into()]) {
        for link in links_of(&read(&chapter)) {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(&chapter).parent().unwrap_or(Path::new(""));
            let target = if file.is_empty() { PathBuf::from(&chapter) } else { folder.join(file) };
            if !docs().join(&target).exists() {
                broken.push(format!("{chapter}: {link}: there is no such file"));
            } else if !heading.is_empty() {
                let name = target.to_string_lossy().into_owned();
                let known = headings.entry(name.clone()).or_insert_with(|| headings_of(&read(&name)));
                if !known.contains(heading) {
                    broken.push(format!("{chapter}: {link}: there is no such heading"));
                }
            }
        }
    }
    assert!(links > 50, "only {links} links: is the book read as it should be?");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_chapter_with_a_program_is_tested() {
    let tested = read("../bridge/src/lib.rs");
    let is_missing = |name: &String| {
        read(name).lines().any(|line| line.starts_with("```rust")) && !tested.contains(&format!("docs/{name}"))
    };
    let missing: Vec<_> = chapters().into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "not in the module `book` of bridge/src/lib.rs: {missing:?}");
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_block = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    })
}

/// The targets of `[text](target)`.
fn links_of(text: &str) -> Vec<String> {
    // A link may be broken over two lines, and what stands in code font is none.
    let prose = prose(text).collect::<Vec<_>>().join(" ");
    let outside_of_code = prose.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let targets = outside_of_code.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.trim().to_owned()).collect()
}

/// The anchors of the headings, as GitHub and mdBook make them.
fn headings_of(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept =
            heading.to_lowercase().chars().filter(|&c| c.is_alphanumeric() || " -_".contains(c)).collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn links_and_headings_are_read_as_they_are_written() {
    let text =
        "# Why `so`?\nSee [a](b.md#c),\n[d\ne](f.md) and `[g](h.md)`.\n```\n[i](j.md)\n# no heading\n```\n## Two words";
    assert_eq!(links_of(text), ["b.md#c", "f.md"]);
    assert_eq!(headings_of(text).into_iter().collect::<Vec<_>>(), ["two-words", "why-so"]);
}
