//! Unix addresses: std's on the outside, socket2's on the inside.

use socket2::SockAddr;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// The address at `path`. std checks it: its length, and that nothing in it would make it another address.
pub(super) fn at_path(path: &Path) -> io::Result<SockAddr> {
    to_system(&SocketAddr::from_pathname(path)?)
}

/// std's address, for the system.
pub(super) fn to_system(address: &SocketAddr) -> io::Result<SockAddr> {
    if let Some(path) = address.as_pathname() {
        return SockAddr::unix(path);
    }
    match address.as_abstract_name() {
        Some(name) => SockAddr::unix(OsString::from_vec([b"\0", name].concat())),
        None => SockAddr::unix(""),
    }
}

/// The system's address, for the user.
pub(super) fn from_system(address: &SockAddr) -> io::Result<SocketAddr> {
    if let Some(path) = address.as_pathname() {
        return SocketAddr::from_pathname(path);
    }
    match address.as_abstract_namespace() {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_comes_back() -> io::Result<()> {
        let path = SocketAddr::from_pathname("/run/some.socket")?;
        let name = SocketAddr::from_abstract_name(b"some\0name")?;
        let unnamed = SocketAddr::from_pathname("")?;
        assert!(unnamed.is_unnamed());
        for address in [path, name, unnamed] {
            let back = from_system(&to_system(&address)?)?;
            assert_eq!(back.as_pathname(), address.as_pathname());
            assert_eq!(back.as_abstract_name(), address.as_abstract_name());
            assert_eq!(back.is_unnamed(), address.is_unnamed());
        }
        Ok(())
    }

    #[test]
    fn a_path_is_never_taken_for_an_abstract_name() {
        assert!(at_path(Path::new("\0name")).is_err());
        assert!(at_path(Path::new(&"x".repeat(200))).is_err());
    }
}
