//! C may enter before `main`, while it loads or unloads a library, at the end of a thread, and during `exit`, on whatever thread: each
//! entry works, and the process goes on, or ends as it should. In a constructor that `dlopen` runs, or a destructor that `dlclose`
//! runs, an entry may not wait for an OS thread that begins: that needs the loader's lock, which is held there, and the wait is an error.
//!
//! What could break it: a start that itself waits for an OS thread to begin; a part of the standard library, or of the
//! runtime, that `exit` or the end of a thread has already destroyed; a thread that waits for what `exit` has stopped.

mod support;

use std::path::PathBuf;
use std::sync::LazyLock;
use support::{Outcome, Process, build_crate, compile_program, compile_shared_library};

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| compile_program("entries.c"));
static LOADED: LazyLock<PathBuf> = LazyLock::new(|| compile_shared_library("enters_when_loaded.c"));
static WAITS: LazyLock<PathBuf> = LazyLock::new(|| compile_shared_library("waits_when_loaded.c"));
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| build_crate("c_host").join("libc_host.so"));

fn program(scenario: &str) -> Process {
    Process::program(&PROGRAM).preload(&LIBRARY).arg(scenario)
}

fn run(scenario: &str) -> Outcome {
    program(scenario).run()
}

#[test]
fn a_constructor_may_make_the_first_entry_before_main() {
    program("main").env("ENTER_BEFORE_MAIN", "1").run().succeeds().says("entered before main");
}

#[test]
fn a_library_may_make_the_first_entry_while_it_is_loaded_and_enter_while_it_is_unloaded() {
    let loaded = LOADED.to_str().expect("UTF-8");
    for scenario in ["load", "load on a thread"] {
        // The first entry of all, and not.
        let first = program(scenario).arg(loaded).run();
        first.succeeds().says("entered in a constructor").says("entered in a destructor");
        let later = program(scenario).arg(loaded).env("ENTER_BEFORE_MAIN", "1").run();
        later.succeeds().says("entered in a constructor").says("entered in a destructor");
    }
}

#[test]
fn a_wait_that_the_loaders_lock_would_make_endless_is_an_error() {
    let loaded = WAITS.to_str().expect("UTF-8");
    for scenario in ["load", "load on a thread"] {
        // The start makes the first worker, and that cannot begin.
        let child = program(scenario).arg(loaded).run();
        child.succeeds().says("`host_sum` returns its fallback").says("holds up an OS thread").says("dlopen");
        child.says("the wait was refused");
    }
    // An export without a fallback names itself and the cause.
    let child = program("load").arg(loaded).env("WAIT_WITHOUT_FALLBACK", "1").run();
    child.aborts().says("`host_wait`").says("enter when dlopen has returned");
}

#[test]
fn threads_that_enter_while_another_exits_do_not_hold_it_up() {
    for _ in 0..10 {
        run("threads enter during exit").succeeds().says("entered at exit");
    }
}

#[test]
fn a_static_destructor_may_enter() {
    run("static destructor").succeeds().says("entered at exit");
}

#[test]
fn a_green_thread_may_exit_the_process_from_c() {
    run("exit on a green thread").succeeds().says("entered at exit");
    run("quick_exit on a green thread").succeeds().says("entered at exit");
}

#[test]
fn a_destructor_at_the_end_of_a_thread_of_c_may_enter() {
    let child = run("end of a thread");
    child.succeeds();
    // One by a pthread key and one by a thread_local object of C++, on each of eighty threads.
    assert_eq!(child.stderr.matches("entered at exit").count(), 160, "{child}");
}
