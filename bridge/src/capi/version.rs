//! The version: of the header at compile time, of the library at run time.

/// The major version of this header. A library of another major version does not fit.
pub const GB_VERSION_MAJOR: u32 = 0;
/// The minor version. A library with a larger one fits; while the major version is 0, it must be
/// the same.
pub const GB_VERSION_MINOR: u32 = 1;
/// The patch level.
pub const GB_VERSION_PATCH: u32 = 0;
/// The version of this header as one number, to compare with gb_version().
pub const GB_VERSION: u32 = GB_VERSION_MAJOR * 10000 + GB_VERSION_MINOR * 100 + GB_VERSION_PATCH;

/// The version of the library that is loaded, as one number: 10000 * major + 100 * minor + patch.
///
/// Threads: any, also a signal handler. Blocks: no. Callbacks: none.
/// Before the start, after fork, during exit: works, and starts nothing.
/// Errors: none.
#[unsafe(no_mangle)]
pub extern "C" fn gb_version() -> u32 {
    GB_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_has_the_version_of_the_package() {
        let package = concat!(env!("CARGO_PKG_VERSION"));
        assert_eq!(format!("{GB_VERSION_MAJOR}.{GB_VERSION_MINOR}.{GB_VERSION_PATCH}"), package);
    }
}
