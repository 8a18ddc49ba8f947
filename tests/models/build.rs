//! Copies each protocol file for the models, once as it ships and once per mutant, and writes the tests that run the
//! models.
//!
//! A copy differs from the shipped file in two ways, both within a line, so that a line number in a report is the
//! shipped one: constructors are not `const` (loom's are not), and unit tests are left out (they run outside a model).
//!
//! A protocol that is built on another one is compiled with that as it ships: its models include `<other>/module.rs`.
//!
//! To add a protocol: one line in [`PROTOCOLS`], its table `mutants/<name>.rs`, its models `tests/<name>.rs`.

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
    ("semaphore", "runtime/src/sync/permits.rs", mutants::semaphore::MUTANTS),
];

fn main() {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=mutants");

    for &(protocol, shipped, mutants) in PROTOCOLS {
        let path = package.join("../..").join(shipped);
        println!("cargo::rerun-if-changed={}", path.display());
        let text =
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read the protocol {}: {e}", path.display()));
        let folder = out.join(protocol);
        fs::create_dir_all(&folder).expect("OUT_DIR can be written");

        let copy = write_copy(&folder, "shipped", &text);
        let mut tests = format!("mod shipped {{\n{copy}models! {{ #[test] protocol }}\n}}\n");
        for mutant in mutants {
            let Mutant { name, model, panics_with, .. } = mutant;
            let copy = write_copy(&folder, name, &mutate(shipped, &text, mutant));
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
        let as_module = write_copy(&folder, "shipped", &text).replace("mod protocol;", &format!("pub mod {protocol};"));
        fs::write(folder.join("module.rs"), as_module).expect("OUT_DIR can be written");
    }
}

/// The shipped text with the mutant's fault in it.
fn mutate(shipped: &str, text: &str, mutant: &Mutant) -> String {
    let Mutant { name, text: old, becomes: new, .. } = mutant;
    let found = text.matches(old).count();
    assert!(found == 1, "mutant `{name}`: its text occurs {found} times in {shipped}, not once:\n{old}");
    assert!(!mutant.panics_with.is_empty(), "mutant `{name}` of {shipped}: say how the model fails");
    let (before, after) = (old.matches('\n').count(), new.matches('\n').count());
    assert!(
        before == after,
        "mutant `{name}` of {shipped} turns {before} line breaks into {after}: line numbers would disagree"
    );
    text.replace(old, new)
}

/// Writes a copy that loom can run, and returns what declares it as the module `protocol`.
fn write_copy(folder: &Path, name: &str, text: &str) -> String {
    let copy = text.replace("const fn new(", "fn new(").replace("#[cfg(test)]", "#[cfg(any())]");
    let path = folder.join(format!("{name}.rs"));
    fs::write(&path, copy).expect("OUT_DIR can be written");
    format!(
        r#"#[path = {path:?}]
#[allow(unused, unreachable_pub, clippy::all, reason = "each model uses a part, and a mutant may drop a use")]
mod protocol;
"#
    )
}
