//! `bridge/include/greenbridge.h` is what cbindgen makes of the source, and C and C++ compilers accept it without a word.
//!
//! What could break it: a function that is changed without its declaration, or a header that only one compiler can read.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::passed_over;

const BRIDGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bridge");

/// The files that the header is made of, in the order in which a reader meets what they declare.
const SOURCES: [&str; 9] = ["version", "codes", "start", "thread", "event", "ready", "poll", "handle", "metrics"];

fn header() -> PathBuf {
    Path::new(BRIDGE).join("include/greenbridge.h")
}

#[test]
fn header_in_the_repository_is_that_of_the_source() {
    let config = cbindgen::Config::from_file(Path::new(BRIDGE).join("cbindgen.toml")).expect("the file is cbindgen's");
    let sources = SOURCES.map(|name| Path::new(BRIDGE).join(format!("src/capi/{name}.rs")));
    let builder = sources.iter().fold(cbindgen::Builder::new(), |builder, source| builder.with_src(source));
    let mut made = Vec::new();
    builder.with_config(config).generate().expect("cbindgen reads the source").write(&mut made);
    let made = String::from_utf8(made).expect("the header is text");
    if std::env::var_os("GREENBRIDGE_RENEW_HEADER").is_some() {
        fs::write(header(), made).expect("the header can be written");
        return;
    }
    let kept = fs::read_to_string(header()).unwrap_or_default();
    assert!(
        kept == made,
        "bridge/include/greenbridge.h is not what cbindgen makes of bridge/src/capi/. To renew it, run\n    \
         GREENBRIDGE_RENEW_HEADER=1 cargo test --test capi_header"
    );
}

#[test]
fn every_exported_function_is_declared() {
    let header = fs::read_to_string(header()).expect("the header is there");
    for entry in fs::read_dir(Path::new(BRIDGE).join("src/capi")).expect("the folder is there").flatten() {
        let source = fs::read_to_string(entry.path()).expect("the source is text");
        for line in source.lines().filter(|line| line.contains("extern \"C\" fn gb_")) {
            let name = line.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).expect("a function has a name");
            assert!(header.contains(&format!("{name}(")), "{name} of {} is not in the header", entry.path().display());
        }
    }
}

#[test]
fn every_function_says_who_may_call_it_and_what_it_returns() {
    let header = fs::read_to_string(header()).expect("the header is there");
    let mut functions = 0;
    for comment in header.split("/*").skip(1) {
        let Some((comment, code)) = comment.split_once("*/") else { continue };
        let declaration = code.trim_start().lines().next().unwrap_or_default();
        if !declaration.contains(" gb_") && !declaration.contains("*gb_") || !declaration.contains('(') {
            continue;
        }
        if declaration.starts_with("typedef") || declaration.starts_with('#') {
            continue;
        }
        functions += 1;
        let comment = comment.split_whitespace().filter(|word| *word != "*").collect::<Vec<_>>().join(" ");
        for word in ["Threads:", "Blocks:", "Callbacks:", "fter fork", "uring exit: ", "Errors:"] {
            assert!(comment.contains(word), "{declaration} does not say `{word}`");
        }
    }
    assert_eq!(functions, 20, "the functions are not found as they should be");
}

#[test]
fn c99_and_cpp18_compilers_accept_the_header() {
    for (compiler, standard, language, own) in
        [("cc", "c99", "c", "-Wstrict-prototypes"), ("c++", "c++17", "c++", "-Wold-style-cast")]
    {
        let program = "#include <greenbridge.h>\n#include <greenbridge.h>\nint main(void) { return gb_version() != GB_VERSION; }\n";
        let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("capi_header_{standard}.{language}"));
        fs::write(&source, program).expect("the file can be written");
        let mut command = Command::new(compiler);
        command.args(["-Wall", "-Wextra", "-Wpedantic", own, "-Werror", "-fsyntax-only"]);
        command.arg(format!("-std={standard}")).args(["-x", language]).arg(&source);
        let Ok(output) = command.args(["-I", concat!(env!("CARGO_MANIFEST_DIR"), "/bridge/include")]).output() else {
            passed_over(compiler, "it accepts the header");
            continue;
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{compiler} -std={standard}:\n{errors}");
    }
}
