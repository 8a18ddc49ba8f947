//! What `cargo cinstall` installs is a library as C programmers expect it: found through pkg-config, linked shared and static, from C99 and C++17,
//! without a warning; with a soname, nothing exported but `gb_`, and never unloaded.
//!
//! What could break it: a symbol of Rust's that gets out, a private library that the `.pc` file forgets, or a library that `dlclose` takes away
//! from under its own threads. The test needs cargo-c, and is passed over where that is missing.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use support::{Process, passed_over, succeed};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILT: &str = env!("CARGO_TARGET_TMPDIR");

/// A prefix that the library has been installed to; `None` without cargo-c.
static PREFIX: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let missing = |tool: &str| {
        passed_over(tool, "the library can be installed");
        None
    };
    if !Command::new(&cargo).args(["cinstall", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return missing("cargo-c (`cargo install cargo-c --locked`)");
    }
    if Command::new("pkg-config").arg("--version").output().is_err() {
        return missing("pkg-config");
    }
    let prefix = Path::new(BUILT).join("installed");
    let _ = fs::remove_dir_all(&prefix);
    let mut install = Command::new(cargo);
    install.current_dir(ROOT).args(["cinstall", "-p", "greenbridge", "--release", "--offline", "--libdir"]);
    install
        .arg(prefix.join("lib"))
        .arg("--prefix")
        .arg(&prefix)
        .arg("--target-dir")
        .arg(Path::new(BUILT).join("cargo_c"));
    succeed(install.env_remove("CARGO_TARGET_DIR"));
    Some(prefix)
});

/// What pkg-config says about the installed library.
fn pkg_config(prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(arguments).arg("greenbridge");
    succeed(&mut command).split_whitespace().map(str::to_owned).collect()
}

/// Compiles a program and links it with the installed library; returns it, ready to be run.
fn compile(prefix: &Path, compiler: &str, standard: &str, source: &str, linked_static: &[&str]) -> Process {
    let name =
        format!("installed_{}_{}_{}", standard.replace('+', "p"), source.replace(['/', '.'], "_"), linked_static.len());
    let program = Path::new(BUILT).join(name);
    let mut command = Command::new(compiler);
    command.arg(format!("-std={standard}")).args(["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread"]);
    command.args(pkg_config(prefix, &["--cflags"])).arg(Path::new(ROOT).join("tests/fixtures").join(source));
    command.arg("-o").arg(&program);
    if linked_static.is_empty() {
        command.args(pkg_config(prefix, &["--libs"]));
    } else {
        let is_all_static = linked_static == ALL_STATIC;
        let libraries = pkg_config(prefix, &["--libs", "--static"]).into_iter().map(|flag| match flag.as_str() {
            // The archive by its name, so that the linker does not take the shared library beside it.
            "-lgreenbridge" => "-l:libgreenbridge.a".to_owned(),
            // The unwinder, of which the two have different names.
            "-lgcc_s" if is_all_static => "-lgcc_eh".to_owned(),
            _ => flag,
        });
        command.args(libraries).args(linked_static);
    }
    succeed(&mut command);
    Process::program(&program).os_env("LD_LIBRARY_PATH", prefix.join("lib").as_os_str())
}

const SHARED: &[&str] = &[];
const STATIC: &[&str] = &["-static-libgcc"];
/// Nothing of the program is loaded: the C library is in it as well.
const ALL_STATIC: &[&str] = &["-static", "-static-libgcc"];

#[test]
fn programs_in_c99_are_linked_shared_and_static() {
    let Some(prefix) = &*PREFIX else { return };
    for linked in [SHARED, STATIC, ALL_STATIC] {
        compile(prefix, "cc", "c99", "capi/capi.c", linked).arg("spawn and join").run().succeeds();
    }
    compile(prefix, "cc", "c99", "capi/capi.c", SHARED).arg("signals").run().succeeds();
}

#[test]
fn programs_in_cpp17_are_linked_shared_and_static() {
    let Some(prefix) = &*PREFIX else { return };
    if Command::new("c++").arg("--version").output().is_err() {
        return passed_over("c++", "C++ programs can use the library");
    }
    for linked in [SHARED, STATIC] {
        compile(prefix, "c++", "c++17", "capi/capi.cpp", linked).run().succeeds().prints("285");
    }
}

#[test]
fn shared_library_has_a_soname_and_stays_loaded() {
    let Some(prefix) = &*PREFIX else { return };
    let library = prefix.join("lib/libgreenbridge.so");
    let dynamic = succeed(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&library));
    assert!(dynamic.contains("Library soname: [libgreenbridge.so.0.1]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    assert!(prefix.join("lib/libgreenbridge.so.0.1").exists(), "the name that programs are linked to is there");
    assert!(prefix.join("include/greenbridge.h").exists(), "the header is where C programmers look");
}

#[test]
fn only_the_functions_of_the_header_are_exported() {
    let Some(prefix) = &*PREFIX else { return };
    let library = prefix.join("lib/libgreenbridge.so");
    let symbols = succeed(Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(&library));
    let exported: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let header = fs::read_to_string(prefix.join("include/greenbridge.h")).expect("the header is installed");
    for symbol in &exported {
        assert!(symbol.starts_with("gb_") && header.contains(&format!("{symbol}(")), "{symbol} is exported");
    }
    assert_eq!(exported.len(), 20, "{exported:?}");
}

#[test]
fn version_is_the_same_everywhere() {
    let Some(prefix) = &*PREFIX else { return };
    assert_eq!(pkg_config(prefix, &["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    let private = pkg_config(prefix, &["--libs", "--static"]);
    for library in ["-lgcc_s", "-lpthread", "-ldl", "-lm"] {
        assert!(private.iter().any(|flag| OsStr::new(flag) == library), "{private:?} lacks {library}");
    }
}
