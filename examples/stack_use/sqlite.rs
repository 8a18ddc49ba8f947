//! SQLite in memory: a few statements, from an ordinary one to one whose parse tree is as deep as SQLite allows.

use libsqlite3_sys as ffi;
use std::ffi::{CString, c_int};
use std::ptr::null_mut;

/// A database in memory.
pub(crate) struct Database(*mut ffi::sqlite3);

// SAFETY: SQLite is compiled with mutexes, and a connection may be used from any thread.
unsafe impl Send for Database {}

impl Database {
    /// Opens one, with a table to ask about.
    pub(crate) fn open() -> Result<Self, c_int> {
        let mut database = null_mut();
        // SAFETY: the name is a string, and the pointer is written.
        let result = unsafe { ffi::sqlite3_open(c":memory:".as_ptr(), &mut database) };
        let database = Self(database);
        database.checked(result)?;
        database.run(
            "CREATE TABLE parts(id INTEGER PRIMARY KEY, name TEXT, weight REAL); CREATE INDEX by_name ON parts(name);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO parts SELECT i, 'part ' || (i % 97), i * 0.5 FROM n;",
        )?;
        Ok(database)
    }

    /// Runs all of `statements`.
    pub(crate) fn run(&self, statements: &str) -> Result<(), c_int> {
        let text = CString::new(statements).map_err(|_| ffi::SQLITE_MISUSE)?;
        let mut rest = text.as_ptr();
        // SAFETY: the connection is open, and `rest` points into the text; each statement that is prepared is finalized.
        unsafe {
            while *rest != 0 {
                let mut statement = null_mut();
                self.checked(ffi::sqlite3_prepare_v2(self.0, rest, -1, &mut statement, &mut rest))?;
                while ffi::sqlite3_step(statement) == ffi::SQLITE_ROW {}
                self.checked(ffi::sqlite3_finalize(statement))?;
            }
        }
        Ok(())
    }

    /// A join with a subquery, grouped and sorted.
    pub(crate) fn ask(&self) -> Result<(), c_int> {
        self.run(
            "SELECT a.name, count(*), sum(b.weight) FROM parts a JOIN parts b ON a.name = b.name
             WHERE a.weight > (SELECT avg(weight) FROM parts) GROUP BY a.name HAVING count(*) > 3 ORDER BY 3 DESC;",
        )
    }

    /// An expression as deep as SQLite takes one.
    pub(crate) fn ask_deeply(&self) -> Result<(), c_int> {
        self.run(&format!("SELECT id{} FROM parts WHERE id < 10;", " + id".repeat(990)))
    }

    fn checked(&self, result: c_int) -> Result<(), c_int> {
        if result == ffi::SQLITE_OK { Ok(()) } else { Err(result) }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: opened, or null; nothing of it is in use.
        unsafe { ffi::sqlite3_close(self.0) };
    }
}
