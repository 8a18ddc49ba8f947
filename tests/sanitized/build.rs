//! Compiles the C halves of the tests, with the sanitizers that `GREENBRIDGE_TEST_SANITIZE` names, such as `address,undefined`, and offers them to
//! each test of this package.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=GREENBRIDGE_TEST_SANITIZE");
    let out = std::env::var("OUT_DIR").expect("Cargo sets it");
    let mut sources: Vec<_> = fs::read_dir("..")?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    sources.sort();
    for source in sources {
        println!("cargo:rerun-if-changed={}", source.display());
        let name = source.file_stem().expect("a source has a name").to_string_lossy().into_owned();
        compile(&source, &name);
        // As an argument of the tests: a library beside a library target would be linked with that alone.
        println!("cargo:rustc-link-arg-tests={out}/lib{name}.a");
    }
    Ok(())
}

fn compile(source: &Path, name: &str) {
    let mut build = cc::Build::new();
    build.file(source).opt_level(1).debug(true).cargo_metadata(false).warnings(true).extra_warnings(true);
    build.flag("-fno-omit-frame-pointer").flag_if_supported("-fstack-clash-protection");
    if let Ok(sanitizers) = std::env::var("GREENBRIDGE_TEST_SANITIZE") {
        build.flag(format!("-fsanitize={sanitizers}")).flag("-fno-sanitize-recover=all");
    }
    build.compile(name);
}
