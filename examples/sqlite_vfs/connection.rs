//! A connection to an SQLite database: as much of one as the example needs, each call of C made by `call_interleaved`.
//!
//! # What the example vouches for, and why it holds
//! `call_interleaved` lets other green threads call SQLite on this OS thread while a callback of this call waits. So SQLite must not keep
//! anything over a callback that belongs to the OS thread:
//! * **Locks.** A connection opened with `SQLITE_OPEN_NOMUTEX` has none of its own. SQLite's static ones (memory statistics, the list of
//!   file systems) are held for a few instructions, never over a call of `xRead` and its like.
//! * **Sharing.** The shared cache is off (the default), and a connection is used by one green thread at a time: it is `Send`, not `Sync`.
//! * **Thread-locals, signal masks, locale, `longjmp`.** SQLite uses none. `errno` is saved and restored at each switch.

use libsqlite3_sys::*;
use std::ffi::{CStr, CString, c_int};
use std::fmt;
use std::ptr;

/// What SQLite said.
#[derive(Debug)]
pub(crate) struct Error {
    code: c_int,
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLite's code {})", self.message, self.code)
    }
}

impl std::error::Error for Error {}

pub(crate) struct Connection(*mut sqlite3);

// SAFETY: without a mutex a connection may still go from thread to thread, as long as one uses it at a time; it is not `Sync`.
unsafe impl Send for Connection {}

/// Calls SQLite.
fn call<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: the module's documentation says why SQLite, used as it is here, bears it.
    unsafe { greenbridge::call_interleaved(f) }
}

impl Connection {
    /// Opens the database `name` of the file system `vfs`, and makes it if there is none.
    pub(crate) fn open(name: &str, vfs: Option<&CStr>) -> Result<Self, Error> {
        let path =
            CString::new(name).map_err(|_| Error { code: SQLITE_CANTOPEN, message: "a name has no NUL".into() })?;
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
        let mut connection = Self(ptr::null_mut());
        let vfs = vfs.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: strings that live that long, and a place for the handle.
        let code = call(|| unsafe { sqlite3_open_v2(path.as_ptr(), &mut connection.0, flags, vfs) });
        connection.check(code)?;
        Ok(connection)
    }

    /// Executes one statement, and returns its rows: each value as text, NULL as the empty one.
    pub(crate) fn query(&self, sql: &str) -> Result<Vec<Vec<String>>, Error> {
        let mut statement = Statement(ptr::null_mut());
        // SAFETY: the connection is open, the text is as long as is said, and nobody asks for what follows the statement.
        self.check(call(|| unsafe {
            sqlite3_prepare_v2(self.0, sql.as_ptr().cast(), sql.len() as c_int, &mut statement.0, ptr::null_mut())
        }))?;
        let mut rows = Vec::new();
        loop {
            // SAFETY: a statement of this connection.
            match call(|| unsafe { sqlite3_step(statement.0) }) {
                SQLITE_ROW => rows.push(statement.row()),
                SQLITE_DONE => return Ok(rows),
                code => return Err(self.error(code)),
            }
        }
    }

    /// Executes several statements until one fails.
    pub(crate) fn execute(&self, statements: &[&str]) -> Result<(), Error> {
        statements.iter().try_for_each(|sql| self.query(sql).map(drop))
    }

    fn check(&self, code: c_int) -> Result<(), Error> {
        if code == SQLITE_OK { Ok(()) } else { Err(self.error(code)) }
    }

    fn error(&self, code: c_int) -> Error {
        // SAFETY: also for null; the text is good until the next call.
        let message = unsafe { CStr::from_ptr(sqlite3_errmsg(self.0)) }.to_string_lossy().into_owned();
        Error { code, message }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: null, or an open connection without statements, which is closed once.
        call(|| unsafe { sqlite3_close(self.0) });
    }
}

struct Statement(*mut sqlite3_stmt);

impl Statement {
    fn row(&self) -> Vec<String> {
        // SAFETY: the statement has just brought a row.
        (0..unsafe { sqlite3_column_count(self.0) })
            .map(|column| {
                // SAFETY: as above, and it has that column. The text is copied before the next call.
                unsafe {
                    let text = sqlite3_column_text(self.0, column);
                    if text.is_null() {
                        return String::new();
                    }
                    CStr::from_ptr(text.cast()).to_string_lossy().into_owned()
                }
            })
            .collect()
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: null, or a statement that is finalized once.
        call(|| unsafe { sqlite3_finalize(self.0) });
    }
}
