//! A setting that cannot be had is an error of the start that names where the value came from, the value, and what is
//! accepted; nothing is replaced in silence.
//!
//! What could break it: a value that is clamped, a variable that is ignored because it cannot be read, or a second start
//! whose settings change nothing.

mod support;

use greenbridge::Builder;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use support::{Process, child, start_with, thread_names};

#[test]
fn a_bad_variable_is_named_with_its_value_and_what_is_accepted() {
    let bad = [
        (
            "GREENBRIDGE_PROCESSORS",
            ["0", "many", "", "-1", "1025", "4.5", " 4", "99999999999999999999"],
            "from 1 to 1024",
        ),
        ("GREENBRIDGE_STACK_SIZE", ["0", "large", "", "-1", "16383", "1G", "256k", "1025M"], "16384 (16K)"),
        ("GREENBRIDGE_THREAD_STACK_SIZE", ["0", "large", "", "-1", "65535", "63K", "1G", "1025M"], "65536 (64K)"),
        ("GREENBRIDGE_MAX_THREADS", ["0", "all", "", "-1", "1000001", "1e3", "+8", "0x10"], "from 1 to 1000000"),
        ("GREENBRIDGE_SPARE_IDLE_MS", ["soon", "", "-1", "1s", "86400001", "0.5", "1_000", " "], "from 0 to 86400000"),
        ("GREENBRIDGE_DEADLOCK_DETECTION", ["yes", "1", "", "ON", "no", "0", "true", " off"], "`on` or `off`"),
        ("GREENBRIDGE_DUMP_ON_SIGQUIT", ["yes", "1", "", "ON", "no", "0", "true", " off"], "`on` or `off`"),
    ];
    for (variable, values, accepted) in bad {
        for value in values {
            let refused = Process::child("start_and_print_the_error").env(variable, value).run();
            refused.succeeds().prints(variable).prints(&format!("{value:?}")).prints(accepted);
        }
    }
    let refused = Process::child("start_and_print_the_error").env("GREENBRIDGE_THREAD_NAME", "longer than that").run();
    refused.succeeds().prints("GREENBRIDGE_THREAD_NAME").prints("\"longer than that\"").prints("1 to 11 bytes");
    let no_text = OsStr::from_bytes(b"\xff4");
    let refused = Process::child("start_and_print_the_error").os_env("GREENBRIDGE_PROCESSORS", no_text).run();
    refused.succeeds().prints("GREENBRIDGE_PROCESSORS").prints("from 1 to 1024");
}

#[test]
#[ignore = "child process"]
fn start_and_print_the_error() {
    println!("{}", error_of(Builder::new()));
}

/// Why it does not start. Nothing is left of a start that failed: the settings are checked first.
fn error_of(builder: Builder) -> String {
    // SAFETY: docs/safety.md; nothing is started.
    unsafe { builder.start() }.expect_err("the setting is not accepted").to_string()
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    let contradiction = Process::child("start_and_print_the_error");
    let refused = contradiction.env("GREENBRIDGE_PROCESSORS", "8").env("GREENBRIDGE_MAX_THREADS", "4").run();
    refused.succeeds().prints("GREENBRIDGE_MAX_THREADS is \"4\"").prints("at least 8").prints("GREENBRIDGE_PROCESSORS");
}

#[test]
fn a_bad_setting_of_the_program_is_named_with_its_value_and_what_is_accepted() {
    for number in 0..BAD.len() {
        Process::child("start_with_a_bad_setting").env("NUMBER", &number.to_string()).run().succeeds();
    }
}

const BAD: [(Builder, [&str; 3]); 10] = [
    (Builder::new().processors(0), ["Builder::processors", "0", "from 1 to 1024"]),
    (Builder::new().processors(usize::MAX), ["Builder::processors", "18446744073709551615", "from 1 to 1024"]),
    (Builder::new().stack_size(0), ["Builder::stack_size", "0", "16384"]),
    (Builder::new().stack_size(usize::MAX), ["Builder::stack_size", "18446744073709551615", "1073741824"]),
    (Builder::new().thread_stack_size(1), ["Builder::thread_stack_size", "1", "65536 (64K) to 1073741824"]),
    (Builder::new().max_threads(0), ["Builder::max_threads", "0", "from 1 to 1000000"]),
    (Builder::new().processors(4).max_threads(3), ["Builder::max_threads", "3", "at least 4"]),
    (Builder::new().spare_idle(Duration::MAX), ["Builder::spare_idle", "18446744073709551615", "86400000"]),
    (Builder::new().thread_name(""), ["Builder::thread_name", "\"\"", "1 to 11 bytes"]),
    (Builder::new().thread_name("a\0b"), ["Builder::thread_name", "\"a\\0b\"", "without a NUL"]),
];

#[test]
#[ignore = "child process"]
fn start_with_a_bad_setting() {
    let number: usize = std::env::var("NUMBER").expect("it is set").parse().expect("it is a number");
    let (builder, words) = BAD[number];
    let error = error_of(builder);
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in {error:?}");
    }
}

#[test]
fn the_program_wins_over_the_environment_and_both_over_the_default() {
    Process::child("workers_are_named").env("NAME", "greenbridge").run().succeeds();
    let named = Process::child("workers_are_named").env("GREENBRIDGE_THREAD_NAME", "by-env").env("NAME", "by-env");
    named.run().succeeds();
    let named = Process::child("workers_are_named_by_rust").env("GREENBRIDGE_THREAD_NAME", "far too long for a name");
    named.run().succeeds();
}

#[test]
#[ignore = "child process"]
fn workers_are_named() {
    support::start();
    a_worker_is_named(&std::env::var("NAME").expect("it is set"));
}

#[test]
#[ignore = "child process"]
fn workers_are_named_by_rust() {
    start_with(Builder::new().thread_name("by-rust"));
    a_worker_is_named("by-rust");
}

fn a_worker_is_named(prefix: &str) {
    greenbridge::run(|| ());
    let names = thread_names();
    assert!(names.iter().any(|name| name.starts_with(&format!("{prefix}-"))), "{prefix} is not among {names:?}");
}

#[test]
fn os_threads_have_the_stack_that_was_asked_for() {
    child("stack_of_16_mib").succeeds();
    Process::child("stack_of_an_os_thread").env("GREENBRIDGE_THREAD_STACK_SIZE", "16M").run().succeeds();
}

#[test]
#[ignore = "child process"]
fn stack_of_16_mib() {
    start_with(Builder::new().thread_stack_size(16 << 20));
    use_four_mib();
}

#[test]
#[ignore = "child process"]
fn stack_of_an_os_thread() {
    support::start();
    use_four_mib();
}

/// A green thread's stack has 256 KiB, and an OS thread's 2 MiB unless more is asked for.
fn use_four_mib() {
    let sum = greenbridge::run(|| greenbridge::call_on_thread_stack(|| deep(64)));
    assert_eq!(sum, (1..=64).sum::<u64>());
}

/// Takes 64 KiB for each level, or some times that.
#[inline(never)]
fn deep(levels: u64) -> u64 {
    let frame = std::hint::black_box([levels; 8192]);
    if levels == 1 { frame[0] } else { frame[8191] + deep(levels - 1) }
}

#[test]
fn every_accepted_setting_starts() {
    let at_the_ends = [
        ("GREENBRIDGE_PROCESSORS", "1"),
        ("GREENBRIDGE_PROCESSORS", "1024"),
        ("GREENBRIDGE_STACK_SIZE", "16K"),
        ("GREENBRIDGE_STACK_SIZE", "1024M"),
        ("GREENBRIDGE_STACK_SIZE", "100000"),
        ("GREENBRIDGE_THREAD_STACK_SIZE", "64K"),
        ("GREENBRIDGE_THREAD_STACK_SIZE", "1024M"),
        ("GREENBRIDGE_MAX_THREADS", "1"),
        ("GREENBRIDGE_MAX_THREADS", "1000000"),
        ("GREENBRIDGE_SPARE_IDLE_MS", "0"),
        ("GREENBRIDGE_SPARE_IDLE_MS", "86400000"),
    ];
    for (variable, value) in at_the_ends {
        Process::child("start_and_work").env(variable, value).run().succeeds();
    }
}

#[test]
#[ignore = "child process"]
fn start_and_work() {
    support::run(|| {
        let threads: Vec<_> = (0..100_u64).map(|n| greenbridge::spawn(move || n)).collect();
        let sum: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, (0..100).sum::<u64>());
    });
}

#[test]
fn a_second_start_is_an_error_and_leaves_the_first_one_alone() {
    child("start_twice").succeeds();
}

#[test]
#[ignore = "child process"]
fn start_twice() {
    support::start();
    for _ in 0..2 {
        let error = error_of(Builder::new().processors(3));
        assert!(error.contains("already") && error.contains("once"), "{error}");
    }
    assert!(greenbridge::run(|| error_of(Builder::new()).contains("already")));
    assert_eq!(greenbridge::run(|| 4), 4);
}
