//! Where a green thread comes from, in one word: the place in a Rust source that spawned it, or the C function that `gb_spawn` was given.
//!
//! ```text
//!   63                          1 0
//!   address of a `Location`      0       aligned, so the lowest bit is free
//!   address of a C function      1       shifted by one: the upper half of the address space is the kernel's
//! ```
//! A function of C has no place that the library could know, but a name, which the dynamic loader tells when a report is written.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::panic::Location;
use core::ptr;
use std::ffi::CStr;

/// The word.
#[derive(Clone, Copy)]
pub(crate) struct Origin(*const Location<'static>);

/// The lowest bit, for C.
const IN_C: usize = 1;

const _: () = assert!(align_of::<Location<'static>>() > IN_C);

// SAFETY: a static and immutable place, or a number.
unsafe impl Send for Origin {}
// SAFETY: as above.
unsafe impl Sync for Origin {}

impl Origin {
    /// A place in Rust.
    pub(crate) fn at(place: &'static Location<'static>) -> Self {
        Self(ptr::from_ref(place))
    }

    /// The address of a function in C.
    pub(crate) fn function(address: usize) -> Self {
        Self(ptr::without_provenance(address << 1 | IN_C))
    }

    /// What the word holds.
    fn read(self) -> Spawned {
        if self.0.addr() & IN_C == 0 {
            // SAFETY: by `at`, the only other maker.
            Spawned::At(unsafe { &*self.0 })
        } else {
            Spawned::ToRun(self.0.addr() >> 1)
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Spawned {
    At(&'static Location<'static>),
    ToRun(usize),
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.read().hash(state);
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.read() {
            Spawned::At(place) => place.fmt(f),
            Spawned::ToRun(function) => write_function(f, function),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The name of the function, if it is exported; in any case the file and the offset in it, as `addr2line` wants them.
fn write_function(f: &mut fmt::Formatter<'_>, address: usize) -> fmt::Result {
    // SAFETY: four addresses; zero is a value of each.
    let mut found: libc::Dl_info = unsafe { core::mem::zeroed() };
    // SAFETY: fills the addresses in, or fails.
    if unsafe { libc::dladdr(ptr::without_provenance(address), &raw mut found) } == 0 || found.dli_fname.is_null() {
        return write!(f, "gb_spawn({address:#x})");
    }
    // SAFETY: C strings of the loader's, which last as long as the file is loaded; a function of it is on a green thread's stack.
    let text = |text| unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let (file, offset) = (text(found.dli_fname), address - found.dli_fbase.addr());
    if found.dli_sname.is_null() {
        write!(f, "gb_spawn({file}+{offset:#x})")
    } else {
        write!(f, "gb_spawn({}) in {file}+{offset:#x}", text(found.dli_sname))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_shown_as_its_location() {
        let here = Location::caller();
        assert_eq!(Origin::at(here).to_string(), here.to_string());
        assert_ne!(Origin::at(here), Origin::at(Location::caller()));
    }

    #[test]
    fn function_of_a_library_is_shown_by_name() {
        let getpid: unsafe extern "C" fn() -> libc::pid_t = libc::getpid;
        let origin = Origin::function(getpid as usize);
        assert_eq!(origin, Origin::function(getpid as usize));
        let text = origin.to_string();
        assert!(text.starts_with("gb_spawn(") && text.contains("getpid"), "{text}");
        assert_eq!(Origin::function(8).to_string(), "gb_spawn(0x8)");
    }
}
