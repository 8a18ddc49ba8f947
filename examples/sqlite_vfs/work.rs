//! What each connection does, the same in every way of the comparison, and its check against an ordinary file.

use crate::connection::{Connection, Error};
use crate::server::Server;
use crate::support::AnyError;
use crate::vfs;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

/// Accounts in each database, and what is in each at first.
const ACCOUNTS: u32 = 100;
const BALANCE: u32 = 1_000;

/// The name of the database of connection `n`.
pub(crate) fn name(n: usize) -> String {
    format!("db-{n}")
}

/// Opens the database of connection `n` in the store.
pub(crate) fn open(n: usize) -> Result<Connection, Error> {
    let connection = Connection::open(&name(n), Some(vfs::NAME))?;
    // A sort or a large statement must not ask for a temporary file.
    connection.execute(&["PRAGMA temp_store = MEMORY"])?;
    Ok(connection)
}

/// One unit of work: a look at an account, and a transfer between two, with its journal.
pub(crate) fn unit(connection: &Connection, n: usize) -> Result<Vec<Vec<String>>, Error> {
    let (from, to) = (n as u32 % ACCOUNTS + 1, (n as u32 + 41) % ACCOUNTS + 1);
    connection.execute(&[
        "BEGIN IMMEDIATE",
        &format!("UPDATE account SET balance = balance - 10 WHERE id = {from}"),
        &format!("UPDATE account SET balance = balance + 10 WHERE id = {to}"),
        "COMMIT",
    ])?;
    connection.query(&format!("SELECT id, balance FROM account WHERE id IN ({from}, {to}) ORDER BY id"))
}

/// Makes the database that every connection starts with, as an ordinary file, and returns its bytes.
pub(crate) fn template(path: &Path) -> Result<Arc<Vec<u8>>, AnyError> {
    remove(path)?;
    let connection = Connection::open(&path.to_string_lossy(), None)?;
    connection.execute(&[
        "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note TEXT NOT NULL)",
        &format!(
            "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {ACCOUNTS})
             INSERT INTO account SELECT id, {BALANCE}, printf('%.100c', '-') FROM n"
        ),
    ])?;
    drop(connection);
    Ok(Arc::new(fs::read(path)?))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Checks that a database in the store answers as the same in an ordinary file, and that it survives a store that goes down between the
/// writes of a transaction.
pub(crate) fn check(server: &Server, folder: &Path) -> Result<(), AnyError> {
    let path = folder.join(format!("sqlite_vfs-{}-ordinary.db", std::process::id()));
    server.put(name(0), template(&path)?);
    let (ordinary, stored) = (Connection::open(&path.to_string_lossy(), None)?, open(0)?);
    let whole = "SELECT count(*), sum(balance), sum(balance * id), sum(length(note)) FROM account";
    for n in 0..5 {
        let (expected, answer) = (unit(&ordinary, n)?, unit(&stored, n)?);
        agree(&expected, &answer)?;
    }
    let before = ordinary.query(whole)?;
    agree(&before, &stored.query(whole)?)?;

    // The journal is written, and one page of the database; then nothing more, and the program loses the connection.
    let statements = ["BEGIN IMMEDIATE", "UPDATE account SET balance = balance + 1, note = upper(note)", "COMMIT"];
    server.fail_writes(&name(0), 1);
    if stored.execute(&statements).is_ok() {
        return Err("a store that is down has committed".into());
    }
    drop(stored);
    if !server.has("db-0-journal") {
        return Err("the transaction has left no journal, so nothing was put to the test".into());
    }
    server.heal(&name(0));
    let stored = open(0)?;
    agree(&before, &stored.query(whole)?)?;
    agree(&[vec!["ok".into()]], &stored.query("PRAGMA integrity_check")?)?;
    drop(ordinary);
    Ok(remove(&path)?)
}

fn agree(expected: &[Vec<String>], answer: &[Vec<String>]) -> Result<(), String> {
    if expected == answer {
        Ok(())
    } else {
        Err(format!("the store answers {answer:?}, an ordinary file {expected:?}"))
    }
}
