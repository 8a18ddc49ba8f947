//! Memory of this very process that others write, or free, at the same time.
//!
//! A plain read of it would be a data race, and a fault if it has been unmapped. So the kernel copies it: for this process
//! `process_vm_readv` reads what another process's memory would be read by, and stops at what is not mapped. What comes back are bytes, of some
//! moment or of several; who asked must see for itself what they are worth.
//!
//! Where the system call is not to be had (a sandbox), the file `/proc/self/mem` does the same, one piece at a time.
//!
//! # What it must never do
//! Give bytes a meaning.

use core::mem::MaybeUninit;
use core::slice;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The most pieces that one system call is given.
const AT_ONCE: usize = 256;

/// How this process's memory is read.
#[derive(Debug)]
pub(crate) enum Memory {
    /// By `process_vm_readv`.
    Kernel,
    /// Through `/proc/self/mem`.
    File(File),
    /// As it is: nobody writes.
    Quiet,
}

/// A piece of memory to be copied.
#[derive(Debug)]
pub(crate) struct Piece {
    address: usize,
    into: *mut u8,
    len: usize,
    /// Whether all of it has been copied.
    pub(crate) done: bool,
}

impl Memory {
    /// Finds a way.
    ///
    /// # Errors
    /// There is none: a sandbox forbids both.
    pub(crate) fn shared() -> io::Result<Self> {
        let (seen, mut copy) = (0x600D_u64, 0_u64);
        let address = (&raw const seen).addr();
        for way in [Ok(Self::Kernel), File::open("/proc/self/mem").map(Self::File)] {
            let way = way?;
            if way.read(address, bytes_of(&mut copy)) == size_of_val(&seen) && copy == seen {
                return Ok(way);
            }
        }
        Err(io::Error::last_os_error())
    }

    /// Reads it as it is.
    ///
    /// # Safety
    /// As long as this value is used, what is read through it is there, and nobody writes it.
    pub(crate) unsafe fn quiet() -> Self {
        Self::Quiet
    }

    /// Copies from `address` on, as far as there is memory. Returns how many bytes.
    pub(crate) fn read(&self, address: usize, into: &mut [u8]) -> usize {
        match self {
            Self::Kernel => {
                let (local, remote) = (vector(into.as_ptr().addr(), into.len()), vector(address, into.len()));
                // The pointer, and not only its address, goes to the kernel.
                let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), ..local };
                // SAFETY: `local` is valid for writing; the kernel checks the other side.
                let read =
                    unsafe { libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) };
                usize::try_from(read).unwrap_or(0)
            }
            Self::File(file) => {
                let mut done = 0;
                while let Ok(more @ 1..) = file.read_at(&mut into[done..], (address + done) as u64) {
                    done += more;
                    if done == into.len() {
                        break;
                    }
                }
                done
            }
            Self::Quiet => {
                // SAFETY: by the contract of `quiet`.
                into.copy_from_slice(unsafe {
                    slice::from_raw_parts(core::ptr::with_exposed_provenance(address), into.len())
                });
                into.len()
            }
        }
    }

    /// Copies each of `pieces`, or says that it is not there.
    pub(crate) fn read_each(&self, pieces: &mut [Piece]) {
        let mut rest = pieces;
        while !rest.is_empty() {
            let count = rest.len().min(AT_ONCE);
            let done = match self {
                Self::Kernel => read_vector(&mut rest[..count]),
                _ => self.read_first(&mut rest[0]),
            };
            rest = &mut core::mem::take(&mut rest)[done..];
        }
    }

    fn read_first(&self, piece: &mut Piece) -> usize {
        // SAFETY: `Piece::into` has borrowed it for writing.
        let into = unsafe { slice::from_raw_parts_mut(piece.into, piece.len) };
        piece.done = self.read(piece.address, into) == piece.len;
        1
    }
}

/// Copies as many of the first pieces as one system call does. Returns how many are settled: at least one, which then may be missing.
fn read_vector(pieces: &mut [Piece]) -> usize {
    const NONE: libc::iovec = libc::iovec { iov_base: core::ptr::null_mut(), iov_len: 0 };
    let (mut local, mut remote) = ([NONE; AT_ONCE], [NONE; AT_ONCE]);
    for ((piece, local), remote) in pieces.iter().zip(&mut local).zip(&mut remote) {
        *local = libc::iovec { iov_base: piece.into.cast(), iov_len: piece.len };
        *remote = vector(piece.address, piece.len);
    }
    let count = pieces.len() as libc::c_ulong;
    // SAFETY: each local piece is borrowed for writing; the kernel checks the other side.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), local.as_ptr(), count, remote.as_ptr(), count, 0) };
    let mut left = usize::try_from(read).unwrap_or(0);
    for (number, piece) in pieces.iter_mut().enumerate() {
        piece.done = left >= piece.len;
        if !piece.done {
            return number + 1;
        }
        left -= piece.len;
    }
    pieces.len()
}

fn vector(address: usize, len: usize) -> libc::iovec {
    libc::iovec { iov_base: core::ptr::without_provenance_mut(address), iov_len: len }
}

impl Piece {
    /// The value at `address`, into `copy`.
    pub(crate) fn value<T>(address: usize, copy: &mut MaybeUninit<T>) -> Self {
        Self { address, into: copy.as_mut_ptr().cast(), len: size_of::<T>(), done: false }
    }

    /// The bytes at `address`, into `copy`.
    pub(crate) fn bytes(address: usize, copy: &mut [u8]) -> Self {
        Self { address, into: copy.as_mut_ptr(), len: copy.len(), done: false }
    }
}

fn bytes_of(number: &mut u64) -> &mut [u8] {
    // SAFETY: any eight bytes are a number.
    unsafe { slice::from_raw_parts_mut(core::ptr::from_mut(number).cast(), size_of::<u64>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways() -> [Memory; 2] {
        [Memory::Kernel, Memory::File(File::open("/proc/self/mem").expect("the file of the own memory"))]
    }

    #[test]
    fn what_is_not_there_is_left_out_and_the_rest_is_copied() {
        for memory in ways() {
            let (first, last) = (11_u64, 13_u64);
            let mut copies = [const { MaybeUninit::<u64>::uninit() }; 600];
            let address = |n: usize| match n {
                0 => (&raw const first).addr(),
                599 => (&raw const last).addr(),
                _ if n.is_multiple_of(2) => (&raw const first).addr(),
                _ => 8,
            };
            let mut pieces: Vec<_> =
                copies.iter_mut().enumerate().map(|(n, copy)| Piece::value(address(n), copy)).collect();
            memory.read_each(&mut pieces);
            let done: Vec<bool> = pieces.iter().map(|piece| piece.done).collect();
            assert_eq!(done.iter().filter(|&&done| done).count(), 301, "{memory:?}");
            assert!(done[0] && !done[1] && done[598] && done[599]);
            // SAFETY: both have been copied.
            assert_eq!(unsafe { (copies[598].assume_init(), copies[599].assume_init()) }, (11, 13));
        }
    }

    #[test]
    fn a_copy_ends_where_memory_ends() {
        // SAFETY: a new mapping of two pages, of which the second becomes unreadable.
        let page = unsafe {
            let page = libc::mmap(
                core::ptr::null_mut(),
                8192,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            libc::mprotect(page.byte_add(4096), 4096, libc::PROT_NONE);
            page.addr()
        };
        for memory in ways() {
            let mut copy = vec![1_u8; 8192];
            let read = memory.read(page + 4000, &mut copy[..4000]);
            assert!(read == 96 || matches!(memory, Memory::File(_)), "{memory:?}: {read}");
        }
    }
}
