//! What the rows read off the process: the gauges of `c/gauge.h`, and which OS threads ran.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::fs;

unsafe extern "C" {
    safe fn gauge_now_ns() -> i64;
    safe fn gauge_cpu_ns() -> i64;
    safe fn gauge_switches() -> i64;
    safe fn gauge_threads() -> i64;
    safe fn gauge_memory() -> i64;
    fn gauge_cold_start(
        program: *const c_char,
        row: *const c_char,
        tries: c_int,
        process_us: *mut f64,
        runtime_us: *mut f64,
    ) -> c_int;
}

/// The monotonic clock, in nanoseconds.
pub(crate) fn now_ns() -> i64 {
    gauge_now_ns()
}

/// The CPU time of this process, in nanoseconds.
pub(crate) fn cpu_ns() -> i64 {
    gauge_cpu_ns()
}

/// The voluntary context switches of all threads so far.
pub(crate) fn switches() -> i64 {
    gauge_switches()
}

/// The OS threads that this process has now.
pub(crate) fn threads() -> i64 {
    gauge_threads()
}

/// Resident memory and page tables, in bytes.
pub(crate) fn memory() -> i64 {
    gauge_memory()
}

/// Starts this very program from cold with `row`, `tries` times, and returns two medians in microseconds: from before
/// its start to its first green thread, and from before the start of its runtime to that.
pub(crate) fn cold_start(row: &CStr, tries: usize) -> (f64, f64) {
    let (mut process, mut runtime) = (0.0, 0.0);
    let tries = tries.min(10_000) as c_int;
    // SAFETY: all pointers outlive the call, and both strings end with a zero.
    let rc = unsafe { gauge_cold_start(c"/proc/self/exe".as_ptr(), row.as_ptr(), tries, &mut process, &mut runtime) };
    assert_eq!(rc, 0, "the program could not start itself and read its two numbers");
    (process, runtime)
}

/// What the kernel has counted for each OS thread of this process: its time on a CPU, its time waiting for one, and how
/// often it was put on one. A thread whose counts stand still has not executed an instruction, hence made no system call.
#[derive(Debug)]
pub(crate) struct RunCounts(BTreeMap<String, String>);

impl RunCounts {
    /// Reads the counts; `None` if this kernel keeps none.
    pub(crate) fn read() -> Option<RunCounts> {
        let threads = fs::read_dir("/proc/self/task").ok()?;
        let counts = threads.filter_map(|thread| {
            let thread = thread.ok()?;
            let counts = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            Some((thread.file_name().to_string_lossy().into_owned(), counts))
        });
        Some(RunCounts(counts.collect())).filter(|counts| !counts.0.is_empty())
    }

    /// How many threads have run since `earlier`.
    pub(crate) fn ran_since(&self, earlier: &RunCounts) -> usize {
        self.0.iter().filter(|(thread, counts)| earlier.0.get(*thread) != Some(*counts)).count()
    }
}
