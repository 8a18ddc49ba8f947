//! Programs and libraries that a test builds when it runs: crates of their own kind (a `cdylib`, fat LTO), C programs that
//! own `main`, and shared libraries to preload.
//!
//! The sources lie in `tests/fixtures/`. A crate is copied before it is built, so that its lock file, taken over from the
//! workspace, never lands in the source tree; nothing is downloaded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BUILT: &str = env!("CARGO_TARGET_TMPDIR");

/// Two tests of one binary that want the same file build it one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Builds the crate `tests/fixtures/<name>` in release mode; returns the folder where its programs and libraries lie.
///
/// `{root}` in its manifest stands for the folder of the workspace.
pub(crate) fn build_crate(name: &str) -> PathBuf {
    let _alone = ONE_AT_A_TIME.lock();
    let target = Path::new(BUILT).join("fixtures");
    let copy = target.join("sources").join(name);
    copy_folder(&source(name), &copy);
    let manifest = copy.join("Cargo.toml");
    let text = fs::read_to_string(source(name).join("manifest.toml")).expect("the fixture has a manifest");
    fs::write(&manifest, text.replace("{root}", ROOT)).expect("the manifest can be written");
    fs::copy(Path::new(ROOT).join("Cargo.lock"), copy.join("Cargo.lock")).expect("the workspace has a lock file");

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(ROOT).args(["build", "--release", "--offline", "--quiet", "--manifest-path"]).arg(&manifest);
    cargo.arg("--target-dir").arg(&target).env_remove("CARGO_TARGET_DIR");
    succeed(&mut cargo);
    target.join("release")
}

/// Builds the workspace's member in `folder` in release mode; returns the folder where its libraries lie.
pub(crate) fn build_member(folder: &str) -> PathBuf {
    let _alone = ONE_AT_A_TIME.lock();
    let target = Path::new(BUILT).join("fixtures");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(ROOT).args(["build", "--release", "--offline", "--quiet", "--manifest-path"]);
    cargo.arg(Path::new(ROOT).join(folder).join("Cargo.toml")).arg("--target-dir").arg(&target);
    succeed(cargo.env_remove("CARGO_TARGET_DIR"));
    target.join("release")
}

/// Compiles the C program `tests/fixtures/<path>` and links it to nothing but the C library.
pub(crate) fn compile_program(path: &str) -> PathBuf {
    compile("CC", "cc", path, "", &["-pthread", "-ldl"])
}

/// Compiles `tests/fixtures/<path>` into a shared library.
pub(crate) fn compile_shared_library(path: &str) -> PathBuf {
    compile("CC", "cc", path, ".so", &["-shared", "-fPIC", "-pthread", "-ldl"])
}

/// Compiles `tests/fixtures/<path>` with the compiler that the variable `chosen` names, or else `usual`.
pub(super) fn compile(chosen: &str, usual: &str, path: &str, ending: &str, flags: &[&str]) -> PathBuf {
    let _alone = ONE_AT_A_TIME.lock();
    let out = Path::new(BUILT).join(format!("{}{ending}", path.replace(['/', '.'], "_")));
    let compiler = std::env::var_os(chosen).unwrap_or_else(|| usual.into());
    // Made beside its place and then moved there: another test binary may be running the old one.
    let fresh = out.with_extension(std::process::id().to_string());
    let mut cc = Command::new(compiler);
    succeed(cc.args(["-O2", "-Wall", "-Wextra", "-Werror"]).arg(source(path)).args(flags).arg("-o").arg(&fresh));
    fs::rename(&fresh, &out).expect("the folder is the same");
    out
}

/// The program of an example, which Cargo builds beside the tests: `<target>/<profile>/examples`, the test being in `.../deps`.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the test lies in the folder of its profile");
    let example = profile.join("examples").join(name);
    assert!(example.exists(), "{} is missing: `cargo test` builds it, `cargo test --test` does not", example.display());
    example
}

fn source(path: &str) -> PathBuf {
    Path::new(ROOT).join("tests/fixtures").join(path)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder can be made");
    for entry in fs::read_dir(from).expect("the fixture exists").flatten() {
        let copy = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &copy);
        } else if fs::read(entry.path()).ok() != fs::read(&copy).ok() {
            fs::copy(entry.path(), &copy).expect("the file can be copied");
        }
    }
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{errors}");
}
