//! A file system for SQLite whose files lie in the object store: `sqlite3_vfs` and `sqlite3_io_methods`, in Rust.
//!
//! SQLite calls every function here in the midst of `sqlite3_step` and its like, and each may wait: the store is asked over the network, and
//! the green thread waits for the answer with SQLite's frames on its stack.
//!
//! Writes are kept until SQLite asks for a sync, and then sent in order, adjoining ones together. What was not synced when the process
//! ends is lost, as on a disk; the journal is for that. A database belongs to one connection, so locks have nothing to do.

use crate::store::{Failed, Store};
use libsqlite3_sys::*;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

/// The name under which SQLite knows it.
pub(crate) const NAME: &CStr = c"store";

/// Makes it known to SQLite, for the life of the process.
///
/// # Errors
/// SQLite's code.
pub(crate) fn register(store: Arc<Store>) -> Result<(), c_int> {
    // SAFETY: null asks for the default file system, which stays where it is.
    let Some(default) = (unsafe { sqlite3_vfs_find(ptr::null()).as_ref() }) else { return Err(SQLITE_ERROR) };
    let vfs = Box::leak(Box::new(sqlite3_vfs {
        iVersion: 1,
        szOsFile: size_of::<File>() as c_int,
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: ptr::from_ref(Box::leak(Box::new(store))).cast_mut().cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        // Extensions, chance, sleep and the time of day are the default's.
        ..*default
    }));
    // SAFETY: it and all it refers to is never freed.
    match unsafe { sqlite3_vfs_register(vfs, 0) } {
        SQLITE_OK => Ok(()),
        error => Err(error),
    }
}

/// # Safety
/// `vfs` is the one that [`register`] has made.
unsafe fn store<'a>(vfs: *mut sqlite3_vfs) -> &'a Arc<Store> {
    // SAFETY: by contract.
    unsafe { &*(*vfs).pAppData.cast::<Arc<Store>>() }
}

/// # Safety
/// `name` is a C string.
unsafe fn text(name: *const c_char) -> String {
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

/// A file. SQLite gives it memory and lends it to one function at a time; [`open`] fills it, [`close`] empties it.
#[repr(C)]
struct File {
    base: sqlite3_file,
    state: *mut State,
}

struct State {
    store: Arc<Store>,
    name: String,
    /// Asked for once: nobody else writes this file.
    size: u64,
    /// Written and not synced, in order.
    pending: Vec<(u64, Vec<u8>)>,
}

/// # Safety
/// `file` has been opened by this file system, and is lent to the caller alone.
unsafe fn state<'a>(file: *mut sqlite3_file) -> &'a mut State {
    // SAFETY: by contract; `open` has put the box there.
    unsafe { &mut *(*file.cast::<File>()).state }
}

impl State {
    /// Fills `buffer` from `offset` on. Returns how much of it the file has.
    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Failed> {
        let end = offset + buffer.len() as u64;
        let stored = self.store.read(&self.name, offset, buffer.len())?;
        buffer[..stored.len()].copy_from_slice(&stored);
        buffer[stored.len()..].fill(0);
        for (at, bytes) in &self.pending {
            let (from, to) = ((*at).max(offset), (at + bytes.len() as u64).min(end));
            if from < to {
                let source = &bytes[(from - at) as usize..(to - at) as usize];
                buffer[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
        Ok(self.size.clamp(offset, end).saturating_sub(offset) as usize)
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        match self.pending.last_mut() {
            Some((at, last)) if *at + last.len() as u64 == offset => last.extend_from_slice(bytes),
            _ => self.pending.push((offset, bytes.to_vec())),
        }
        self.size = self.size.max(offset + bytes.len() as u64);
    }

    fn sync(&mut self) -> Result<(), Failed> {
        for (offset, bytes) in std::mem::take(&mut self.pending) {
            self.store.write(&self.name, offset, bytes)?;
        }
        Ok(())
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

fn code(result: Result<(), Failed>, error: c_int) -> c_int {
    if result.is_ok() { SQLITE_OK } else { error }
}

#[greenbridge::export(fallback = SQLITE_CANTOPEN)]
unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes memory of `szOsFile` bytes. Without methods it does not call `close` after an error.
    unsafe { (*file).pMethods = ptr::null() };
    if name.is_null() {
        // A temporary file: the store is no place for those.
        return SQLITE_CANTOPEN;
    }
    // SAFETY: SQLite passes the vfs that was registered, and a C string.
    let (store, name) = unsafe { (store(vfs), text(name)) };
    let size = match store.size(&name) {
        Ok(Some(size)) => size,
        Ok(None) if flags & SQLITE_OPEN_CREATE != 0 => 0,
        Ok(None) | Err(Failed) => return SQLITE_CANTOPEN,
    };
    let state = State { store: Arc::clone(store), name, size, pending: Vec::new() };
    let filled = File { base: sqlite3_file { pMethods: &METHODS }, state: Box::into_raw(Box::new(state)) };
    // SAFETY: as above; `out_flags` is null or an int.
    unsafe {
        file.cast::<File>().write(filled);
        if let Some(out_flags) = out_flags.as_mut() {
            *out_flags = flags;
        }
    }
    SQLITE_OK
}

#[greenbridge::export(fallback = SQLITE_IOERR_CLOSE)]
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, and the box is the one from `open`.
    let mut state = unsafe { Box::from_raw((*file.cast::<File>()).state) };
    code(state.sync(), SQLITE_IOERR_CLOSE)
}

#[greenbridge::export(fallback = SQLITE_IOERR_READ)]
unsafe extern "C" fn read(file: *mut sqlite3_file, buffer: *mut c_void, amount: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes an open file and a buffer of that many bytes, and neither is used by anybody else meanwhile.
    let (state, buffer) =
        unsafe { (state(file), std::slice::from_raw_parts_mut(buffer.cast::<u8>(), amount as usize)) };
    match state.read(buffer, offset as u64) {
        Ok(read) if read == buffer.len() => SQLITE_OK,
        Ok(_) => SQLITE_IOERR_SHORT_READ,
        Err(Failed) => SQLITE_IOERR_READ,
    }
}

#[greenbridge::export(fallback = SQLITE_IOERR_WRITE)]
unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: as in `read`.
    let (state, bytes) = unsafe { (state(file), std::slice::from_raw_parts(bytes.cast::<u8>(), amount as usize)) };
    state.write(bytes, offset as u64);
    SQLITE_OK
}

#[greenbridge::export(fallback = SQLITE_IOERR_TRUNCATE)]
unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: as in `read`.
    let state = unsafe { state(file) };
    let truncated = state.sync().and_then(|()| state.store.truncate(&state.name, size as u64));
    state.size = size as u64;
    code(truncated, SQLITE_IOERR_TRUNCATE)
}

#[greenbridge::export(fallback = SQLITE_IOERR_FSYNC)]
unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: as in `read`.
    code(unsafe { state(file) }.sync(), SQLITE_IOERR_FSYNC)
}

#[greenbridge::export(fallback = SQLITE_IOERR_FSTAT)]
unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    // SAFETY: as in `read`; `size` is SQLite's.
    unsafe { *size = state(file).size as sqlite3_int64 };
    SQLITE_OK
}

#[greenbridge::export(fallback = SQLITE_IOERR_DELETE)]
unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, _sync_folder: c_int) -> c_int {
    // SAFETY: as in `open`.
    code(unsafe { store(vfs).delete(&text(name)) }, SQLITE_IOERR_DELETE)
}

#[greenbridge::export(fallback = SQLITE_IOERR_ACCESS)]
unsafe extern "C" fn access(vfs: *mut sqlite3_vfs, name: *const c_char, _flags: c_int, result: *mut c_int) -> c_int {
    // SAFETY: as in `open`; `result` is SQLite's.
    let size = unsafe { store(vfs).size(&text(name)) };
    let Ok(size) = size else { return SQLITE_IOERR_ACCESS };
    // SAFETY: as above.
    unsafe { *result = c_int::from(size.is_some_and(|size| size > 0)) };
    SQLITE_OK
}

/// A name is as full as it will ever be. None of those below touches the store, and so none is exported: they wait for nothing.
unsafe extern "C" fn full_pathname(_: *mut sqlite3_vfs, name: *const c_char, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: a C string, and `room` bytes for the copy.
    unsafe {
        let length = CStr::from_ptr(name).to_bytes_with_nul().len();
        if length > room as usize {
            return SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name, out, length);
    }
    SQLITE_OK
}

unsafe extern "C" fn lock(_: *mut sqlite3_file, _level: c_int) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_: *mut sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: SQLite's int.
    unsafe { *result = 0 };
    SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut sqlite3_file, _operation: c_int, _argument: *mut c_void) -> c_int {
    SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(_: *mut sqlite3_file) -> c_int {
    0
}
