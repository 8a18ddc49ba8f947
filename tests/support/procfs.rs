//! What `/proc/self` says about the threads and the memory of this process.

#![allow(clippy::disallowed_methods, reason = "the test looks again, on an OS thread")]

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

/// The kernel's number of the OS thread that runs this.
pub(crate) fn gettid() -> i32 {
    // SAFETY: no arguments, no memory.
    unsafe { libc::gettid() }
}

/// How many OS threads this process has.
pub(crate) fn thread_count() -> usize {
    tasks().len()
}

/// The names of all OS threads of this process.
pub(crate) fn thread_names() -> Vec<String> {
    let names = tasks().into_iter().map(|tid| fs::read_to_string(format!("/proc/self/task/{tid}/comm")));
    names.flatten().map(|name| name.trim_end().to_owned()).collect()
}

/// How much memory of this process is resident.
pub(crate) fn resident_bytes() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("statm can be read");
    let resident = pages.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    // SAFETY: asks for a constant.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    resident.expect("statm has a second field") * usize::try_from(page).expect("a page has a size")
}

/// Per OS thread but the caller's: how often it was switched away, of its own will or not.
///
/// Two equal snapshots prove that none of these threads ran in between, so that none made a system call: a sleeping
/// thread must be switched in for that, and out again. `None` if one is not asleep now.
pub(crate) fn switches_of_other_threads() -> Option<BTreeMap<i32, Vec<String>>> {
    let mut switches = BTreeMap::new();
    for tid in tasks().into_iter().filter(|&tid| tid != gettid()) {
        let status = fs::read_to_string(format!("/proc/self/task/{tid}/status")).ok()?;
        let field = |name: &str| status.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        if !field("State:")?.contains('S') {
            return None;
        }
        switches.insert(tid, vec![field("voluntary_ctxt_switches:")?, field("nonvoluntary_ctxt_switches:")?]);
    }
    Some(switches)
}

/// Looks again and again, on an OS thread, until `holds`: for what nobody announces. The deadline of the child process
/// ends a wait that is in vain.
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until all other OS threads have come to rest, and returns what [`switches_of_other_threads`] says then.
pub(crate) fn others_come_to_rest() -> BTreeMap<i32, Vec<String>> {
    let mut last = None;
    wait_until(|| {
        pause(Duration::from_millis(200));
        let now = switches_of_other_threads();
        let at_rest = now.is_some() && now == last;
        last = now;
        at_rest
    });
    last.expect("they are at rest")
}

/// The same, and then sees that none of them runs for `time`.
#[track_caller]
pub(crate) fn nobody_runs_for(time: Duration) {
    let at_rest = others_come_to_rest();
    pause(time);
    assert_eq!(switches_of_other_threads(), Some(at_rest), "an OS thread was woken for nothing");
}

/// Lets time pass on this OS thread, to see that nothing happens.
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

fn tasks() -> Vec<i32> {
    let entries = fs::read_dir("/proc/self/task").expect("/proc is there");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
