//! Greenbridge as a library for C, and programs in C and C++ that are linked with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILT: &str = env!("CARGO_TARGET_TMPDIR");

/// The folder with `libgreenbridge.so` and `libgreenbridge.a`, as cargo-c would build them, and without it.
pub(crate) static C_LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(BUILT).join("c_library");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(ROOT).args(["rustc", "--release", "--offline", "--quiet", "-p", "greenbridge", "--lib"]);
    cargo.args(["--features", "capi", "--crate-type", "cdylib,staticlib", "--target-dir"]).arg(&target);
    cargo.args(["--", "--cfg", "cargo_c", "-Clink-arg=-Wl,-z,nodelete"]).env_remove("CARGO_TARGET_DIR");
    succeed(&mut cargo);
    target.join("release")
});

/// How a program is linked with the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linked {
    Shared,
    Static,
}

/// Compiles a C program with all warnings as errors, and links it with the library.
pub(crate) fn compile_with_library(source: &Path, linked: Linked) -> PathBuf {
    let name = source.file_stem().expect("a source has a name").to_string_lossy();
    let program = Path::new(BUILT).join(format!("{name}_{linked:?}"));
    let library = &*C_LIBRARY;
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread", "-I"]);
    cc.arg(Path::new(ROOT).join("bridge/include")).arg(source).arg("-o").arg(&program);
    match linked {
        Linked::Shared => {
            cc.arg("-L").arg(library).arg("-lgreenbridge").arg(format!("-Wl,-rpath,{}", library.display()))
        }
        Linked::Static => cc.arg(library.join("libgreenbridge.a")).args(["-lgcc_s", "-lm", "-ldl"]),
    };
    succeed(&mut cc);
    program
}

/// Runs a command that must succeed, and returns what it prints.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?} failed:\n{printed}{errors}");
    printed
}

/// Says that a test has not been made, because a tool is missing, past the harness, which shows only what failing tests print.
pub(crate) fn passed_over(tool: &str, unseen: &str) {
    let _ = writeln!(std::io::stderr(), "passed over: there is no {tool} here, so nobody has seen that {unseen}");
}
