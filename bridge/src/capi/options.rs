//! Structures whose first field is their size, so that a program and a library of different versions understand each other.
//!
//! New fields are only ever added at the end, and zero in a field means that nothing was said. So a structure that is shorter than ours
//! lacks fields, which are then zero. One that is longer has fields that we do not know: they must be zero.

use super::codes::{Code, GB_EINVAL};
use core::ptr;

/// A structure that C may hand in or out.
///
/// # Safety
/// 1. It is `repr(C)`, and its first field is its size, a `usize`.
/// 2. All bytes zero are a value of it, as is any other pattern.
pub(super) unsafe trait Sized0: Copy {
    /// The size that it had in the first version.
    const FIRST: usize;
}

/// The longest structure that is believed: a size beyond it is an uninitialised field.
const LONGEST: usize = 4096;

/// Reads what C has handed in; `None` if that is NULL.
///
/// # Safety
/// `theirs` is NULL or points to a structure that is as long as its first field says.
pub(super) unsafe fn read<T: Sized0>(theirs: *const T) -> Result<Option<T>, Code> {
    if theirs.is_null() {
        return Ok(None);
    }
    // SAFETY: by contract the size is there.
    let size = unsafe { theirs.cast::<usize>().read() };
    if !(T::FIRST..=LONGEST).contains(&size) {
        return Err(Code(GB_EINVAL));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes are there; zero bytes are a `T`, and so is what C wrote over them.
    let ours = unsafe {
        let mut ours = core::mem::zeroed::<T>();
        ptr::copy_nonoverlapping(theirs.cast::<u8>(), (&raw mut ours).cast(), known);
        ours
    };
    // SAFETY: as above.
    let unknown = unsafe { core::slice::from_raw_parts(theirs.cast::<u8>().add(known), size - known) };
    if unknown.iter().any(|&byte| byte != 0) {
        return Err(Code(GB_EINVAL));
    }
    Ok(Some(ours))
}

/// Writes to what C has handed in to be filled: the fields that it has. Those that only it knows become zero.
///
/// # Safety
/// `theirs` is NULL or points to a structure that is as long as its first field says, and is C's to give.
pub(super) unsafe fn write<T: Sized0>(ours: T, theirs: *mut T) -> Result<(), Code> {
    if theirs.is_null() {
        return Err(Code(GB_EINVAL));
    }
    // SAFETY: by contract the size is there.
    let size = unsafe { theirs.cast::<usize>().read() };
    if !(T::FIRST..=LONGEST).contains(&size) {
        return Err(Code(GB_EINVAL));
    }
    // SAFETY: `size` bytes are there, of which the first `usize`, the size, stays.
    unsafe {
        ptr::write_bytes(theirs.cast::<u8>().add(size_of::<usize>()), 0, size - size_of::<usize>());
        let fields = size.min(size_of::<T>()) - size_of::<usize>();
        let from = (&raw const ours).cast::<u8>().add(size_of::<usize>());
        ptr::copy_nonoverlapping(from, theirs.cast::<u8>().add(size_of::<usize>()), fields);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Second {
        size: usize,
        first: u64,
        second: u64,
    }

    // SAFETY: 1. it is; 2. integers.
    unsafe impl Sized0 for Second {
        const FIRST: usize = 16;
    }

    fn read_words(words: &[u64; 5]) -> Result<Option<Second>, Code> {
        // SAFETY: as long as the sizes that the tests give.
        unsafe { read(words.as_ptr().cast()) }
    }

    #[test]
    fn structure_of_an_older_program_lacks_the_new_field() {
        let read = read_words(&[16, 7, 8, 9, 9]);
        assert_eq!(read, Ok(Some(Second { size: 16, first: 7, second: 0 })));
    }

    #[test]
    fn structure_of_a_newer_program_is_read_if_it_says_nothing_new() {
        assert_eq!(read_words(&[32, 7, 8, 0, 9]), Ok(Some(Second { size: 32, first: 7, second: 8 })));
        assert_eq!(read_words(&[32, 7, 8, 1, 9]), Err(Code(GB_EINVAL)));
    }

    #[test]
    fn size_that_was_not_set_is_refused() {
        for size in [0, 1, 15, 4097, u64::MAX] {
            assert_eq!(read_words(&[size, 7, 8, 9, 9]), Err(Code(GB_EINVAL)));
        }
        // SAFETY: NULL.
        assert_eq!(unsafe { read::<Second>(ptr::null()) }, Ok(None));
    }

    #[test]
    fn what_is_filled_is_what_the_program_has_room_for() {
        let ours = Second { size: 24, first: 1, second: 2 };
        for (size, filled) in [(16, [16, 1, 9, 9, 9]), (24, [24, 1, 2, 9, 9]), (32, [32, 1, 2, 0, 9])] {
            let mut words: [u64; 5] = [size, 9, 9, 9, 9];
            // SAFETY: long enough.
            assert_eq!(unsafe { write(ours, words.as_mut_ptr().cast()) }, Ok(()));
            assert_eq!(words, filled);
        }
    }
}
