//! Compiles the C halves of the examples (`examples/<name>/*.c`) and of the tests (`tests/<name>.c`), each into a static
//! library of its own. A library without a library target beside it is offered to every program of the package, and the
//! linker takes from it only what a program refers to: a test without C takes nothing.
//!
//! The C is built with -O2 in every profile. `-fstack-clash-protection` makes it touch each page of a large frame, so that
//! it cannot jump over the guard of a stack.
//!
//! Cargo runs this script again when a C file changes. It cannot be told of files that do not exist yet without being run
//! on every change of a test as well: touch this file after adding a C file.

use std::path::{Path, PathBuf};
use std::{fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    for example in entries("examples")? {
        if example.is_dir() {
            compile_all("example", &example)?;
        }
    }
    compile_all("test", Path::new("tests"))
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
