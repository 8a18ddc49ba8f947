//! Names for addresses: function, file and line, functions that were inlined too (crate `backtrace`, by the debug information of the loaded objects).
//!
//! A function of C has a name if the object's symbol table has it, and a file and a line if it was compiled with `-g`.

use super::model::{Frame, Stack};
use backtrace::Symbol;
use std::collections::HashMap;
use std::path::Path;

/// What has been looked up.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    known: HashMap<u64, Vec<Named>>,
}

#[derive(Debug, Clone)]
struct Named {
    frame: Frame,
    /// Whether its name is written as Rust writes them.
    is_rust: bool,
}

/// Whose frames they are that lie under and over the user's on each stack.
const RUNTIME: [&str; 9] = [
    "greenbridge_runtime::",
    "greenbridge::",
    "corosensei::",
    "core::",
    "std::",
    "alloc::",
    "__rust_",
    "stack_init_trampoline",
    "stack_call_trampoline",
];

/// The ways to call C begin with this.
const WAY_TO_CALL: &str = "greenbridge_runtime::scheduler::in_c::";

impl Symbols {
    /// The backtrace with names.
    pub(super) fn stack(&mut self, addresses: &[u64], is_complete: bool) -> Stack {
        let named: Vec<Named> =
            addresses.iter().enumerate().flat_map(|(n, &address)| self.of(address, n == 0).to_vec()).collect();
        let in_c = in_c(&named);
        Stack { frames: named.into_iter().map(|named| named.frame).collect(), is_complete, in_c }
    }

    /// The innermost address is one of an instruction, the others are return addresses, and the instruction before is meant.
    fn of(&mut self, address: u64, is_innermost: bool) -> &[Named] {
        let meant = if is_innermost { address } else { address - 1 };
        self.known.entry(meant).or_insert_with(|| look_up(address, meant))
    }
}

fn look_up(address: u64, meant: u64) -> Vec<Named> {
    let mut found = Vec::new();
    // The crate takes every address for one to return to, and looks up the byte before.
    let place = core::ptr::without_provenance_mut(meant as usize + 1);
    backtrace::resolve(place, |symbol| found.push(Named::of(address, symbol)));
    // The last is the function that the others are inlined into.
    if let Some((_, inlined)) = found.split_last_mut() {
        inlined.iter_mut().for_each(|named| named.frame.is_inlined = true);
    }
    if found.is_empty() {
        let frame =
            Frame { function: format!("{address:#x}"), at: None, address, is_inlined: false, is_runtime: false };
        found.push(Named { frame, is_rust: false });
    }
    found
}

impl Named {
    fn of(address: u64, symbol: &Symbol) -> Self {
        let name = symbol.name();
        // The alternate form leaves out the hash.
        let function = name.as_ref().map_or_else(|| format!("{address:#x}"), |name| format!("{name:#}"));
        let is_rust = name.as_ref().is_some_and(|name| name.as_str().is_some_and(|raw| raw != function));
        let at = symbol.filename().map(|file| {
            let file = shown(file);
            symbol.lineno().map_or_else(|| file.clone(), |line| format!("{file}:{line}"))
        });
        let plain = function.trim_start_matches(['<', '&']);
        let is_runtime = RUNTIME.iter().any(|prefix| plain.starts_with(prefix));
        Self { frame: Frame { function, at, address, is_inlined: false, is_runtime }, is_rust }
    }
}

/// A path relative to the working directory, if it is below.
fn shown(file: &Path) -> String {
    let below = std::env::current_dir().ok().and_then(|folder| file.strip_prefix(folder).ok().map(Path::to_owned));
    below.as_deref().unwrap_or(file).display().to_string()
}

/// The C function that the outermost way to call has entered, and where that was called.
fn in_c(named: &[Named]) -> Option<String> {
    let way = named.iter().rposition(|named| named.frame.function.starts_with(WAY_TO_CALL))?;
    let caller = named[way..].iter().find(|named| !named.frame.is_runtime)?;
    // Not what Rust itself calls, to wait: C is the outermost that is not Rust.
    let function = named[..way].iter().rev().find(|named| !named.is_rust && !named.frame.is_runtime);
    let function = function.map_or("C", |named| &named.frame.function);
    let place =
        caller.frame.at.as_ref().map_or_else(|| format!("by {}", caller.frame.function), |at| format!("at {at}"));
    Some(format!("{function}, called {place}"))
}
