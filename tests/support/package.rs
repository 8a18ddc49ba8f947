//! C and C++ halves that are compiled when a test runs, against packages of the system. Where a package is missing, the test is
//! passed over, and says so on standard output, which libtest does not capture when it is written to in this way.

use super::fixture::compile;
use std::ffi::{CString, c_void};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

/// The variable that tells a child which library its parent has compiled.
const LIBRARY: &str = "GREENBRIDGE_TEST_LIBRARY";

/// Compiles `tests/fixtures/<path>` into a shared library that uses `package`, as pkg-config knows it. `None` if it does not know it;
/// `debian` names what has to be installed then.
pub(crate) fn compile_against(package: &str, debian: &str, path: &str) -> Option<PathBuf> {
    let asked = Command::new("pkg-config").args(["--cflags", "--libs", package]).output();
    let Some(found) = asked.ok().filter(|output| output.status.success()) else {
        pass_over(&format!("{package} is not installed (Debian: {debian})"));
        return None;
    };
    let flags = String::from_utf8(found.stdout).expect("flags are text");
    let mut all = vec!["-shared", "-fPIC", "-pthread"];
    all.extend(flags.split_whitespace());
    Some(compile("CC", "cc", path, ".so", &all))
}

/// Compiles `tests/fixtures/<path>`, which is C++17, into a shared library. `None` if there is no compiler for it.
pub(crate) fn compile_cpp_library(path: &str) -> Option<PathBuf> {
    cpp_compiler()?;
    Some(compile("CXX", "c++", path, ".so", &["-std=c++17", "-shared", "-fPIC", "-pthread"]))
}

/// The compiler for C++. `None`, and said, if there is none.
pub(crate) fn cpp_compiler() -> Option<String> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".into());
    if Command::new(&compiler).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Some(compiler);
    }
    pass_over(&format!("there is no compiler `{compiler}` for C++ (Debian: g++)"));
    None
}

/// Says that the test which runs on this thread is passed over, and why.
#[allow(clippy::disallowed_methods, reason = "libtest names the OS thread after the test")]
pub(crate) fn pass_over(why: &str) {
    let current = std::thread::current();
    let name = current.name().unwrap_or("a test");
    writeln!(io::stdout(), "{name}: passed over: {why}").expect("standard output is open");
}

/// The child side: what the parent compiled, loaded for as long as the process lives.
#[derive(Debug)]
pub(crate) struct Library(*mut c_void);

impl Library {
    /// The variable and its value that a parent gives to its child.
    pub(crate) fn variable(library: &Path) -> (&'static str, &str) {
        (LIBRARY, library.to_str().expect("the path is UTF-8"))
    }

    /// Loads what the parent has named; its symbols, and those of what it needs, are there for everybody.
    pub(crate) fn load() -> Self {
        let path = CString::new(env::var(LIBRARY).expect("the parent names a library")).expect("no NUL");
        // SAFETY: the path is a string; the library's constructors do nothing to this process.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        assert!(!library.is_null(), "{path:?} cannot be loaded");
        Self(library)
    }

    /// The function `name`.
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function.
    pub(crate) unsafe fn function<F: Copy>(&self, name: &str) -> F {
        let symbol = CString::new(name).expect("no NUL");
        // SAFETY: the handle is of a library that is loaded, and the name is a string.
        let address = unsafe { libc::dlsym(self.0, symbol.as_ptr()) };
        assert!(!address.is_null(), "the library has no `{name}`");
        assert_eq!(size_of::<F>(), size_of_val(&address));
        // SAFETY: both are pointers, and the caller vouches for the type.
        unsafe { std::mem::transmute_copy(&address) }
    }
}
