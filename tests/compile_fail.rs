//! What must not compile does not, and the error says what to write instead.
//!
//! Each file in `tests/compile_fail/` is a program with one mistake. The lines of its head that begin with `//! error:` are what
//! its errors must contain; a file that compiles, or fails in other words, fails the test. Only those lines are compared, so
//! that a new compiler may word the rest as it likes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn each_mistake_is_refused_with_its_advice() -> io::Result<()> {
    let cases = cases()?;
    assert!(!cases.is_empty(), "no cases found");
    let package = write_package(&cases)?;
    let failures: Vec<String> = cases.iter().filter_map(|case| check(&package, case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn cases() -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(Path::new(ROOT).join("tests/compile_fail"))?;
    let mut cases = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    cases.sort();
    Ok(cases)
}

/// Writes a package outside the workspace with one program per case, and with the workspace's lock file, so that nothing
/// is downloaded.
fn write_package(cases: &[PathBuf]) -> io::Result<PathBuf> {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    fs::create_dir_all(&package)?;
    let mut manifest = format!(
        "[package]\nname = \"cases\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ngreenbridge = {{ path = {:?} }}\n",
        Path::new(ROOT).join("bridge")
    );
    for case in cases {
        manifest.push_str(&format!("\n[[bin]]\nname = {:?}\npath = {case:?}\n", name(case)));
    }
    fs::write(package.join("Cargo.toml"), manifest)?;
    fs::copy(Path::new(ROOT).join("Cargo.lock"), package.join("Cargo.lock"))?;
    Ok(package)
}

fn check(package: &Path, case: &Path) -> Result<(), String> {
    let source = fs::read_to_string(case).map_err(|error| format!("{}: {error}", case.display()))?;
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--color=never", "--bin", name(case)])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let expected: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("//! error: ")).collect();
    assert!(!expected.is_empty(), "{}: no line begins with `//! error:`", case.display());
    if output.status.success() {
        return Err(format!("{}: compiles", case.display()));
    }
    match expected.iter().find(|text| !errors.contains(**text)) {
        Some(text) => Err(format!("{}: no error contains {text:?}:\n{errors}", case.display())),
        None => Ok(()),
    }
}

fn name(case: &Path) -> &str {
    case.file_stem().and_then(|stem| stem.to_str()).expect("the cases have names in ASCII")
}
