//! Many keys at once, in two ways: for the comparison that the host prints.

use crate::vault;
use greenbridge::{block_on, spawn};
use std::ffi::c_uint;

/// A green thread for each key.
pub(crate) fn on_green_threads(count: c_uint) -> c_uint {
    let fetching: Vec<_> =
        (0..count).map(|number| spawn(move || block_on(vault::fetch(&format!("key {number}"))))).collect();
    fetching.into_iter().map(|fetched| c_uint::from(fetched.join().is_ok())).sum()
}

/// An OS thread for each key; those that the system does not give do not count.
pub(crate) fn on_os_threads(count: c_uint) -> c_uint {
    let fetching: Vec<_> = (0..count)
        .map_while(|number| {
            let fetch = move || vault::fetch_on_os_thread(&format!("key {number}"));
            std::thread::Builder::new().spawn(fetch).ok()
        })
        .collect();
    fetching.into_iter().map(|fetched| c_uint::from(fetched.join().is_ok())).sum()
}
