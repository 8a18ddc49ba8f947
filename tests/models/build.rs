//! Copies each protocol file for the models, once as it ships and once per mutant, and writes the tests that run the
//! models.
//!
//! A copy differs from the shipped file in two ways, both within a line, so that a line number in a report is the
//! shipped one: constructors are not `const` (loom's are not), and unit tests are left out (they run outside a model).
//!
//! To add a protocol: one line in [`PROTOCOLS`], its table `mutants/<name>.rs`, its models `tests/<name>.rs`. A protocol that is
//! built on another one imports its neighbour, `super::<other>`: a line in [`BESIDE`] for each such file.
//! Models of a protocol that is built on a whole other one include that as it ships: `<other>/module.rs`.

use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "mutants/mod.rs"]
mod mutants;

use mutants::Mutant;

/// The protocols: name, shipped file, mutants.
const PROTOCOLS: &[(&str, &str, &[Mutant])] = &[
    ("gate", "bridge/src/gate.rs", mutants::gate::MUTANTS),
    ("state", "runtime/src/green/state.rs", mutants::state::MUTANTS),
    ("status", "runtime/src/scheduler/status.rs", mutants::status::MUTANTS),
    ("inbox", "runtime/src/scheduler/inbox.rs", mutants::inbox::MUTANTS),
    ("idle", "runtime/src/scheduler/idle.rs", mutants::idle::MUTANTS),
    ("queue", "runtime/src/wait/queue.rs", mutants::queue::MUTANTS),
    ("front", "runtime/src/wait/queue.rs", mutants::front::MUTANTS),
    ("mutex", "runtime/src/sync/mutex/raw.rs", mutants::mutex::MUTANTS),
    ("channel", "runtime/src/sync/channel/shared.rs", mutants::channel::MUTANTS),
    ("keeper", "runtime/src/driver/keeper.rs", mutants::keeper::MUTANTS),
    ("select", "runtime/src/wait/select.rs", mutants::select::MUTANTS),
    ("semaphore", "runtime/src/sync/permits.rs", mutants::semaphore::MUTANTS),
    ("readiness", "runtime/src/driver/readiness.rs", mutants::readiness::MUTANTS),
    ("parker", "runtime/src/scheduler/parker.rs", mutants::parker::MUTANTS),
    ("owed", "bridge/src/capi/owed.rs", mutants::owed::MUTANTS),
];

/// The files that a protocol needs beside it: the protocol, the module, the shipped file. A mutant may be of either file.
const BESIDE: &[(&str, &str, &str)] = &[
    ("queue", "commit", "runtime/src/wait/commit.rs"),
    ("front", "commit", "runtime/src/wait/commit.rs"),
    ("select", "commit", "runtime/src/wait/commit.rs"),
    ("select", "queue", "runtime/src/wait/queue.rs"),
];

fn main() {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=mutants");

    for &(protocol, shipped, mutants) in PROTOCOLS {
        let beside = BESIDE.iter().filter(|(of, ..)| *of == protocol).map(|&(_, module, shipped)| (module, shipped));
        let files: Vec<Shipped> = [("protocol", shipped)]
            .into_iter()
            .chain(beside)
            .map(|(module, shipped)| Shipped::read(&package, module, shipped))
            .collect();
        let folder = out.join(protocol);
        fs::create_dir_all(&folder).expect("OUT_DIR can be written");

        let copies_as_shipped = write_copies(&folder, "shipped", &files);
        let mut tests = format!("mod shipped {{\n{copies_as_shipped}models! {{ #[test] protocol }}\n}}\n");
        for mutant in mutants {
            let Mutant { name, model, panics_with, .. } = mutant;
            let copy = write_copies(&folder, name, &mutate(&files, mutant));
            tests += &format!(
                r#"
#[allow(dead_code, reason = "a mutant is for one model")]
mod {name} {{
{copy}models! {{ protocol }}
#[test]
#[should_panic(expected = {panics_with:?})]
fn is_caught() {{
    {model}();
}}
}}
"#
            );
        }
        fs::write(out.join(format!("{protocol}.rs")), tests).expect("OUT_DIR can be written");
        // For the models of a protocol that is built on this one: it as it ships, under its own name.
        let as_module = copies_as_shipped.replace("mod protocol;", &format!("pub mod {protocol};"));
        fs::write(folder.join("module.rs"), as_module).expect("OUT_DIR can be written");
    }
}

/// A file as it ships.
#[derive(Clone)]
struct Shipped {
    /// What the models call it.
    module: &'static str,
    path: &'static str,
    text: String,
}

impl Shipped {
    fn read(package: &Path, module: &'static str, path: &'static str) -> Self {
        let file = package.join("../..").join(path);
        println!("cargo::rerun-if-changed={}", file.display());
        let text =
            fs::read_to_string(&file).unwrap_or_else(|e| panic!("cannot read the protocol {}: {e}", file.display()));
        Self { module, path, text }
    }
}

/// The shipped files with the mutant's fault in one of them.
fn mutate(files: &[Shipped], mutant: &Mutant) -> Vec<Shipped> {
    let Mutant { name, text: old, becomes: new, .. } = mutant;
    let found: usize = files.iter().map(|file| file.text.matches(old).count()).sum();
    let paths: Vec<_> = files.iter().map(|file| file.path).collect();
    let shipped = paths.join(", ");
    assert!(found == 1, "mutant `{name}`: its text occurs {found} times in {shipped}, not once:\n{old}");
    assert!(!mutant.panics_with.is_empty(), "mutant `{name}` of {shipped}: say how the model fails");
    let (before, after) = (old.matches('\n').count(), new.matches('\n').count());
    assert!(
        before == after,
        "mutant `{name}` of {shipped} turns {before} line breaks into {after}: line numbers would disagree"
    );
    files.iter().map(|file| Shipped { text: file.text.replace(old, new), ..file.clone() }).collect()
}

/// Writes copies that loom can run, and returns what declares them as modules.
fn write_copies(folder: &Path, name: &str, files: &[Shipped]) -> String {
    files.iter().map(|file| write_copy(folder, name, file)).collect()
}

fn write_copy(folder: &Path, name: &str, file: &Shipped) -> String {
    let copy = file.text.replace("const fn new(", "fn new(").replace("#[cfg(test)]", "#[cfg(any())]");
    let module = file.module;
    let path = folder.join(format!("{name}.{module}.rs"));
    fs::write(&path, copy).expect("OUT_DIR can be written");
    format!(
        r#"#[path = {path:?}]
#[allow(unused, unreachable_pub, clippy::all, reason = "each model uses a part, and a mutant may drop a use")]
mod {module};
"#
    )
}
