//! How much stack do well-known libraries take? Each row is measured with the stack meter, on a green thread with 8 MiB of stack:
//! the first time, when the loader still looks for functions and tables are set up, and again.
//!
//! ```text
//! $ cargo run --release --example stack_use
//! | called | first | again |
//! |---|---|---|
//! | printf of a number and a text | 2.1 KiB | 2.1 KiB |
//! | printf of doubles | 4.9 KiB | 4.9 KiB |
//! | printf of the largest long double | 32.7 KiB | 32.7 KiB |
//! ...
//! ```
//! `docs/stack-use.md` has the figures, and says what to make of them. A library that is not installed is left out.

mod lua;
mod sqlite;

use greenbridge::stack_meter::measure;
use greenbridge::{Builder, call, run};
use regex::Regex;
use sqlite::Database;
use std::backtrace::Backtrace;
use std::error::Error;
use std::ffi::c_int;
use std::hint::black_box;

unsafe extern "C" {
    safe fn stack_use_print_number() -> c_int;
    safe fn stack_use_print_double() -> c_int;
    safe fn stack_use_print_long_double() -> c_int;
    safe fn stack_use_resolve() -> c_int;
    safe fn stack_use_find_user() -> c_int;
    safe fn stack_use_local_time() -> c_int;
    safe fn stack_use_sort() -> c_int;
    safe fn stack_use_match() -> c_int;
    safe fn stack_use_match_back_reference() -> c_int;
    safe fn stack_use_compress() -> c_int;
    safe fn stack_use_make_rsa_certificate() -> c_int;
    safe fn stack_use_make_elliptic_certificate() -> c_int;
    safe fn stack_use_shake_hands() -> c_int;
}

/// What C says if the library is not here.
const MISSING: c_int = -2;

fn main() -> Result<(), Box<dyn Error>> {
    // SAFETY: no function here touches a thread-local across a wait; nothing waits.
    unsafe { Builder::new().stack_size(8 << 20).start()? };
    println!("| called | first | again |\n|---|---|---|");
    run(|| {
        c_library()?;
        libraries()?;
        sqlite()?;
        row("Lua 5.4: sort, gsub and format", lua::work)?;
        row("Lua 5.4: gsub in gsub, to its limit of 200", lua::recurse)?;
        rust()
    })
    .map_err(Into::into)
}

fn c_library() -> Result<(), String> {
    c_row("printf of a number and a text", stack_use_print_number)?;
    c_row("printf of doubles", stack_use_print_double)?;
    c_row("printf of the largest long double", stack_use_print_long_double)?;
    c_row("getaddrinfo of a host in /etc/hosts", stack_use_resolve)?;
    c_row("getpwuid_r", stack_use_find_user)?;
    c_row("localtime_r and strftime", stack_use_local_time)?;
    c_row("qsort of 100,000 numbers", stack_use_sort)?;
    c_row("regcomp and regexec over 16 KiB", stack_use_match)?;
    c_row("the same with a reference back", stack_use_match_back_reference)
}

fn libraries() -> Result<(), String> {
    c_row("zlib: compress and uncompress", stack_use_compress)?;
    c_row("OpenSSL: RSA key and certificate", stack_use_make_rsa_certificate)?;
    c_row("OpenSSL: handshake with it", stack_use_shake_hands)?;
    c_row("OpenSSL: P-256 key and certificate", stack_use_make_elliptic_certificate)?;
    c_row("OpenSSL: handshake with that", stack_use_shake_hands)
}

fn sqlite() -> Result<(), String> {
    let code = |result: Result<(), c_int>| result.err().unwrap_or(0);
    row("SQLite: open, create, insert 2,000 rows", || Database::open().err().unwrap_or(0))?;
    let database = Database::open().map_err(|code| format!("SQLite says {code}"))?;
    row("SQLite: join, group, sort", || code(database.ask()))?;
    row("SQLite: a sum of 990 terms, a tree as deep", || code(database.ask_deeply()))
}

fn rust() -> Result<(), String> {
    row("Rust: format of doubles", || c_int::from(format!("{:?} {:e}", f64::MAX, 0.1).is_empty()))?;
    row("Rust: the crate regex over 16 KiB", || {
        let text = "a".repeat(16 << 10) + "b1.2.3.4c";
        let found =
            Regex::new(r"(?:[0-9]{1,3}[.]){3}[0-9]{1,3}").ok().and_then(|regex| regex.find(&text).map(|m| m.start()));
        found.map_or(-1, |start| c_int::from(start != (16 << 10) + 1))
    })?;
    row("Rust: a panic that is caught", || {
        let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(black_box(1))));
        c_int::from(caught.is_ok())
    })?;
    row("Rust: a backtrace with names", || c_int::from(Backtrace::force_capture().to_string().is_empty()))
}

/// Measures `f` twice, as a C call, and prints what it took. Nothing is printed if the library is not here.
fn row(what: &str, mut f: impl FnMut() -> c_int) -> Result<(), String> {
    let mut bytes = [0; 2];
    for bytes in &mut bytes {
        let (result, stack_use) = measure(|| call(&mut f)).map_err(|error| error.to_string())?;
        match result {
            0 => *bytes = stack_use.bytes(),
            MISSING => {
                eprintln!("left out, because the library is not installed: {what}");
                return Ok(());
            }
            code => return Err(format!("{what}: failed with {code}")),
        }
    }
    println!("| {what} | {} | {} |", kib(bytes[0]), kib(bytes[1]));
    Ok(())
}

/// The same for a function of C.
fn c_row(what: &str, f: extern "C" fn() -> c_int) -> Result<(), String> {
    row(what, || f())
}

/// In KiB with one digit behind the point.
fn kib(bytes: usize) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}
