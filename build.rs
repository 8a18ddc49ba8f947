//! Compiles the C halves of the examples (`examples/<name>/*.c`) and of the tests (`tests/<name>.c`), each into a static
//! library of its own. A library without a library target beside it is offered to every program of the package, and the
//! linker takes from it only what a program refers to: a test without C takes nothing.
//!
//! The C is built with -O2 in every profile. `-fstack-clash-protection` makes it touch each page of a large frame, so that
//! it cannot jump over the guard of a stack.
//!
//! The C half of an example that is about a library which may be missing is compiled if pkg-config finds that library, and the cfg `has_<library>` tells
//! the Rust half.
//!
//! Cargo runs this script again when a C file changes. It cannot be told of files that do not exist yet without being run
//! on every change of a test as well: touch this file after adding a C file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// The folders of examples that need a library of the system, and its name for pkg-config.
const LIBRARIES: [(&str, &str); 2] = [("examples/c_ares", "libcares"), ("examples/curl_multi", "libcurl")];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    for example in entries("examples")? {
        let needed = LIBRARIES.iter().find(|(folder, _)| Path::new(folder) == example);
        if example.is_dir() && needed.is_none_or(|(_, library)| find_library(library)) {
            compile_all("example", &example)?;
            needed.into_iter().for_each(|(_, library)| link(library));
        }
    }
    compile_all("test", Path::new("tests"))
}

/// Whether pkg-config finds `library`. The Rust half of what needs it is told.
fn find_library(library: &str) -> bool {
    println!("cargo:rustc-check-cfg=cfg(has_{library})");
    let found = !pkg_config(&["--libs", library]).is_empty();
    if found {
        println!("cargo:rustc-cfg=has_{library}");
    }
    found
}

/// Offers `library` to every program of the package; the linker takes it where C that was compiled before refers to it.
fn link(library: &str) {
    for flag in pkg_config(&["--libs", library]) {
        match flag.split_at_checked(2) {
            Some(("-l", name)) => println!("cargo:rustc-link-lib={name}"),
            Some(("-L", folder)) => println!("cargo:rustc-link-search={folder}"),
            _ => println!("cargo:rustc-link-arg={flag}"),
        }
    }
}

/// The words that pkg-config prints; none if it fails or is not there.
fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("pkg-config").args(arguments).output();
    let output = output.ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Compiles every C file that lies in `folder` itself.
fn compile_all(kind: &str, folder: &Path) -> io::Result<()> {
    for source in entries(folder)? {
        if source.extension().is_some_and(|extension| extension == "c") {
            compile(kind, &source);
        }
    }
    Ok(())
}

/// Compiles `source` into the library `<kind>_<folder>_<name>`.
fn compile(kind: &str, source: &Path) {
    println!("cargo:rerun-if-changed={}", source.display());
    let name =
        source.with_extension("").iter().skip(1).map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("_");
    let mut build = cc::Build::new();
    // Lua's headers, from the build script of `mlua-sys`.
    build.includes(std::env::var_os("DEP_LUA_INCLUDE"));
    build
        .file(source)
        .opt_level(2)
        .flag_if_supported("-fstack-clash-protection")
        .warnings(true)
        .extra_warnings(true)
        .compile(&format!("{kind}_{name}"));
}

/// What lies in `folder`, in the order of the names, so that two builds give the linker the same line.
fn entries(folder: impl AsRef<Path>) -> io::Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
