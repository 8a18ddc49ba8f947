//! Handles of C's own: pointers that are checked when they come back.

use super::codes::{Code, GB_EINVAL};
use super::entry::entry_without_runtime;
use crate::Handle;
use std::ffi::{c_int, c_void};

/// An integer that stands for a pointer, for where a pointer might outlive what it points to. 0
/// is never a handle.
pub type gb_handle = usize;

/// What such a handle stands for.
#[derive(Debug)]
struct Kept(*mut c_void);

// SAFETY: Rust does nothing with the pointer but hand it back.
unsafe impl Send for Kept {}
// SAFETY: as above.
unsafe impl Sync for Kept {}

/// Makes a handle that stands for value, which may be NULL. *out is the handle, or 0 on failure.
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: none.
/// Before the start, after fork, during exit: works, and starts nothing.
/// Errors: GB_EINVAL (out is NULL).
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_handle_new(value: *mut c_void, out: *mut gb_handle) -> c_int {
    entry_without_runtime(|| {
        if out.is_null() {
            return Err(Code(GB_EINVAL));
        }
        // SAFETY: by the header's contract; first, in case there is no memory for the handle.
        unsafe { out.write(0) };
        let handle = Handle::new(Kept(value)).as_raw();
        // SAFETY: as above.
        unsafe { out.write(handle) };
        Ok(())
    })
}

/// *out is the pointer that the handle stands for, or NULL on failure.
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: none.
/// Before the start, after fork, during exit: as gb_handle_new().
/// Errors: GB_EINVAL (out is NULL), GB_EHANDLE (0, never made, deleted, or a handle of Rust
/// code's).
#[inline(never)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_handle_get(handle: gb_handle, out: *mut *mut c_void) -> c_int {
    entry_without_runtime(|| {
        if out.is_null() {
            return Err(Code(GB_EINVAL));
        }
        // SAFETY: by the header's contract.
        unsafe { out.write(core::ptr::null_mut()) };
        let kept = Handle::from_raw(handle).get::<Kept>()?;
        // SAFETY: as above.
        unsafe { out.write(kept.0) };
        Ok(())
    })
}

/// Deletes the handle; what it stands for is left alone. A handle of Rust code's is deleted with
/// its value.
///
/// Threads: any, not a signal handler. Blocks: no. Callbacks: none; a value of Rust code's runs
/// its destructor.
/// Before the start, after fork, during exit: as gb_handle_new().
/// Errors: GB_EHANDLE (0, never made, deleted before).
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn gb_handle_delete(handle: gb_handle) -> c_int {
    entry_without_runtime(|| Ok(Handle::from_raw(handle).delete()?))
}
