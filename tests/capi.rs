//! A program in C that is linked with the library uses green threads: it starts, spawns, joins, waits and notifies, also from signal handlers,
//! before `main`, at its exit and in a forked child, and is told of each mistake by a code.
//!
//! What could break it: a notification that a signal handler loses, an entry that aborts where it should return, or a start that needs Rust's
//! `main`.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use support::{C_LIBRARY, Linked, Outcome, Process, compile_with_library, succeed};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/capi/capi.c");

static SHARED: LazyLock<PathBuf> = LazyLock::new(|| compile_with_library(Path::new(SOURCE), Linked::Shared));

fn run(scenario: &str) -> Outcome {
    Process::program(&SHARED).arg(scenario).run()
}

/// Under one, two and four processors.
fn runs(scenario: &str) {
    for processors in ["1", "2", "4"] {
        Process::program(&SHARED).env("GREENBRIDGE_PROCESSORS", processors).arg(scenario).run().succeeds();
    }
}

#[test]
fn c_functions_run_as_green_threads_and_their_results_come_back() {
    runs("spawn and join");
}

#[test]
fn arguments_that_are_not_accepted_are_codes() {
    run("refused arguments").succeeds();
}

#[test]
fn setting_that_is_not_accepted_is_named_once_and_final() {
    let outcome = run("refused setting");
    outcome
        .succeeds()
        .says("gb_start: ")
        .says("gb_options::processors is 5000: expected a whole number from 1 to 1024");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}should have said it once");
}

#[test]
fn environment_variable_that_is_not_accepted_is_named_by_the_first_call() {
    let outcome = Process::program(&SHARED).env("GREENBRIDGE_PROCESSORS", "zero").arg("spawn and join").run();
    assert_eq!(outcome.status.code(), Some(1), "{outcome}should have failed");
    outcome.says("GREENBRIDGE_PROCESSORS is \"zero\"").says("a setting is not accepted");
}

#[test]
fn c_functions_wait_for_the_first_of_several_files() {
    runs("several files");
}

#[test]
fn handles_of_c_are_checked() {
    run("handles").succeeds();
}

#[test]
fn event_keeps_one_notification_and_times_out() {
    runs("events");
}

#[test]
fn files_are_waited_for_on_green_threads_and_pthreads() {
    runs("files");
}

#[test]
fn green_threads_and_pthreads_notify_each_other() {
    runs("ping pong");
}

#[test]
fn no_notification_of_a_signal_handler_is_lost() {
    runs("signals");
}

#[test]
fn signal_from_outside_wakes_a_process_in_which_all_wait() {
    run("signal from outside").succeeds();
}

#[test]
fn plain_events_leave_the_deadlock_report_exact() {
    let outcome = run("deadlock");
    assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been a deadlock");
    // Its function has no name that the loader knows, so the file and the place in it are told.
    outcome.says("a Notify").says("spawned at gb_spawn(").says("capi_Shared+0x");
}

#[test]
fn event_for_signal_handlers_is_never_part_of_a_deadlock() {
    run("patience").dies_by(libc::SIGALRM).does_not_say("deadlock");
}

#[test]
fn thousands_of_interleaved_c_functions_share_a_few_os_threads() {
    runs("interleaved");
}

#[test]
fn forked_child_is_told_so_by_every_function_that_needs_the_runtime() {
    run("forked").succeeds();
}

#[test]
fn constructor_and_atexit_function_may_call_in() {
    run("at exit").succeeds().says("called in");
    Process::program(&SHARED).env("CAPI_BEFORE_MAIN", "1").arg("nothing").run().succeeds().says("called in");
}

#[test]
fn library_that_is_not_used_starts_nothing() {
    run("nothing").succeeds();
}

#[test]
fn shared_library_exports_the_functions_of_the_header_alone_and_stays_loaded() {
    let library = C_LIBRARY.join("libgreenbridge.so");
    let symbols = succeed(Command::new("nm").args(["--dynamic", "--defined-only", "--format=posix"]).arg(&library));
    let exported: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(exported.len(), 20, "{exported:?}");
    assert!(exported.iter().all(|symbol| symbol.starts_with("gb_")), "{exported:?}");
    let dynamic = succeed(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&library));
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn static_library_does_the_same() {
    let program = compile_with_library(Path::new(SOURCE), Linked::Static);
    for scenario in ["spawn and join", "signals", "at exit"] {
        Process::program(&program).arg(scenario).run().succeeds();
    }
}

#[test]
fn program_of_the_chapter_prints_its_answer() {
    let chapter =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/embedding-in-c.md")).expect("text");
    let program = chapter.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program in C");
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedding_in_c.c");
    std::fs::write(&source, program).expect("the file can be written");
    let outcome = Process::program(&compile_with_library(&source, Linked::Shared)).run();
    assert_eq!(outcome.succeeds().stdout, "42\n");
}
