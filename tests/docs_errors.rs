//! The chapter about errors explains every message that the library can give, word for word, and no other.
//!
//! What could break it: a message that is changed in the source and not in the chapter, a new one, or one that is gone.
//!
//! A *message* is a text of three words or more in the code of the library, outside of its tests: what a panic, an error or a report says.
//! Attributes are not read, but for those that the compiler shows. The chapter gives messages in its `text` blocks, one a line, put together
//! from what the source has; `…` stands for what a message fills in.

use std::path::Path;
use std::{fs, io};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CHAPTER: &str = "docs/errors.md";
const SOURCES: [&str; 3] = ["runtime/src", "bridge/src", "bridge/macros/src"];

/// Texts that nobody is shown: what a message of somebody else's is known by, and Rust that a macro makes.
const NO_MESSAGES: [&str; 5] =
    ["there is no reactor running", "::__private", "move || -> RESULT", "HEAD PARAMETERS", "ATTRIBUTES "];

#[test]
fn the_chapter_has_every_message_of_the_source_and_no_other() -> io::Result<()> {
    let messages = messages_of_the_source()?;
    assert!(messages.len() > 150, "only {} messages: is the source read as it should be?", messages.len());
    let chapter = fs::read_to_string(Path::new(ROOT).join(CHAPTER))?;
    let lines = blocks(&chapter);

    let is_explained = |text: &str| lines.iter().any(|line| line.contains(text));
    let missing: Vec<_> = messages.iter().filter(|message| !is_explained(&message.text)).collect();
    let list = missing.iter().map(|message| format!("{}: {}\n", message.place, message.text)).collect::<String>();
    assert!(
        missing.is_empty(),
        "{CHAPTER} does not explain these; give each a line in a `text` block, and its cause:\n{list}"
    );

    let mut texts: Vec<_> = messages.into_iter().map(|message| message.text).collect();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let gone: Vec<_> = lines.iter().filter(|line| !is_made_of(line, &texts)).collect();
    assert!(gone.is_empty(), "{CHAPTER} has what the source does not say:\n{gone:#?}");
    Ok(())
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let source = r##"
        // "a comment is no message"
        #[must_use = "an attribute is no message"]
        #[diagnostic::on_unimplemented(note = "but this one is shown")]
        fn f() -> char { panic!("a text with {value:?}, {{braces}} and \
            a second line\nand another one"); '"' }
        const RAW: &str = r#"a raw text with "quotes""#;
        #[cfg(test)]
        mod tests { const T: &str = "this one is for tests"; }
    "##;
    let texts: Vec<_> = messages(source).into_iter().map(|(_, text)| text).collect();
    let expected = [
        "but this one is shown",
        "a text with …, {braces} and a second line",
        "and another one",
        "a raw text with \"quotes\"",
    ];
    assert_eq!(texts, expected);
    assert!(is_made_of("bridge: but this one is shown (…)", &["but this one is shown".to_owned()]));
    assert!(!is_made_of("but this one is not shown", &["but this one is shown".to_owned()]));
}

struct Message {
    text: String,
    place: String,
}

fn messages_of_the_source() -> io::Result<Vec<Message>> {
    let mut found = Vec::new();
    for folder in SOURCES {
        collect(&Path::new(ROOT).join(folder), &mut found)?;
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<Message>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") && !has_no_messages(&path) {
            let source = fs::read_to_string(&path)?;
            let place = path.strip_prefix(ROOT).expect("it lies below the root").display();
            found.extend(
                messages(&source).into_iter().map(|(line, text)| Message { text, place: format!("{place}:{line}") }),
            );
        }
    }
    Ok(())
}

/// Files whose texts are what was asked for, and no messages: figures with their help, timelines, reports, the names of C functions.
const ASKED_FOR: [&str; 5] =
    ["metrics/figures.rs", "trace/json.rs", "trace/line_up.rs", "src/report.rs", "green/origin.rs"];

/// Whether a file is a module of unit tests, or has texts that are no messages.
fn has_no_messages(path: &Path) -> bool {
    ["tests.rs", "stack/child.rs"].iter().chain(&ASKED_FOR).any(|end| path.ends_with(end))
}

/// Whether a text is a line of an example in a macro's documentation.
fn is_example(text: &str) -> bool {
    ["let ", "use ", "# use "].iter().any(|start| text.starts_with(start))
}

/// The messages of one file, with their lines.
fn messages(source: &str) -> Vec<(usize, String)> {
    let code = &source[..start_of_tests(source)];
    let mut found = Vec::new();
    for Literal { line, text, before } in literals(code) {
        if is_unseen_attribute(&before) {
            continue;
        }
        for part in filled(&text).split('\n') {
            let part = part.trim();
            let words = part.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 1).count();
            if words >= 3
                && part.contains(' ')
                && !is_example(part)
                && !NO_MESSAGES.iter().any(|text| part.contains(text))
            {
                found.push((line, part.to_owned()));
            }
        }
    }
    found
}

/// Where the module of a file begins that has its unit tests.
fn start_of_tests(source: &str) -> usize {
    let is_module = |behind: &str| {
        let line = behind.trim_start().lines().next().unwrap_or_default();
        line.starts_with("mod ") && line.contains('{')
    };
    let mark = "#[cfg(test)]";
    let starts = source.match_indices(mark).map(|(at, _)| at);
    starts.into_iter().find(|at| is_module(&source[at + mark.len()..])).unwrap_or(source.len())
}

/// Whether a literal behind this belongs to an attribute that nobody is shown.
fn is_unseen_attribute(before: &str) -> bool {
    let name = before
        .trim_end()
        .strip_suffix('=')
        .map(|before| before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next());
    matches!(name, Some(Some("reason" | "must_use" | "feature" | "doc" | "link_section")))
}

struct Literal {
    line: usize,
    /// As it is written, without its quotes.
    text: String,
    /// The code before it.
    before: String,
}

/// All text literals of `code`, comments left out.
fn literals(code: &str) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut before = String::new();
    let mut at = 0;
    while let Some(next) = code[at..].chars().next() {
        let rest = &code[at..];
        let start = at;
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some((hashes, text)) = raw(rest, &before) {
            at += 2 * (hashes + 1) + 1 + text.len();
            found.push(Literal {
                line: line_of(code, start),
                text: text.replace('\\', "\\\\"),
                before: before.clone(),
            });
            before.push_str("\"\"");
        } else if next == '"' {
            let length = quoted(&rest[1..]);
            at += length + 2;
            found.push(Literal {
                line: line_of(code, start),
                text: rest[1..=length].to_owned(),
                before: tail(&before),
            });
            before.push_str("\"\"");
        } else if let Some(length) = character(rest) {
            at += length;
            before.push_str("' '");
        } else {
            at += next.len_utf8();
            before.push(next);
        }
    }
    found
}

fn tail(before: &str) -> String {
    before.chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// A raw literal: how many hashes it has, and its text.
fn raw<'a>(rest: &'a str, before: &str) -> Option<(usize, &'a str)> {
    let is_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let behind = rest.strip_prefix('r').filter(|_| !is_name)?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let text = behind[hashes..].strip_prefix('"')?;
    let end = text.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some((hashes, &text[..end]))
}

/// The length of what stands before the closing quote.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().find(|&(_, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(end, _)| end)
}

/// The length of a character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let end = if let Some(escaped) = inner.strip_prefix('\\') {
        2 + escaped[1..].find('\'')?
    } else {
        inner.chars().next()?.len_utf8()
    };
    inner[end..].starts_with('\'').then_some(end + 2)
}

/// A literal as it is shown, with `…` for what is filled in.
fn filled(literal: &str) -> String {
    let mut shown = String::new();
    let mut characters = literal.chars().peekable();
    while let Some(next) = characters.next() {
        match next {
            '\\' => match characters.next() {
                Some('\n') => while characters.next_if(|c| c.is_whitespace()).is_some() {},
                Some('n') => shown.push('\n'),
                Some(other) => shown.push(other),
                None => {}
            },
            '{' if characters.next_if_eq(&'{').is_some() => shown.push('{'),
            '}' if characters.next_if_eq(&'}').is_some() => shown.push('}'),
            '{' => {
                while characters.next().is_some_and(|c| c != '}') {}
                shown.push('…');
            }
            other => shown.push(other),
        }
    }
    shown
}

/// The lines of the `text` blocks of the chapter.
fn blocks(chapter: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut is_text = false;
    for line in chapter.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            is_text = kind == "text";
        } else if is_text {
            lines.push(line.trim());
        }
    }
    lines
}

/// Whether nothing but names and numbers is left of `line` without these texts, the longest of which come first.
fn is_made_of(line: &str, texts: &[String]) -> bool {
    let left = texts.iter().fold(line.to_owned(), |line, text| line.replace(text, " "));
    left.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 1).count() < 3
}
