//! The example `c_ares`: hundreds of lookups by c-ares, driven on green threads, find each address, also where a question was lost, on a few OS
//! threads; a stuck one can be cancelled.
//!
//! What could break it: a socket of c-ares' whose event is lost, or a time that it asked for and is not told of.
//!
//! Passed over where c-ares is not there.

mod support;

use support::{Process, example, pass_over};

#[test]
fn many_lookups_find_each_address() {
    for processors in ["1", "2", "8"] {
        let run = Process::program(&example("c_ares")).env("GREENBRIDGE_PROCESSORS", processors).run();
        if run.stderr.starts_with("left out: ") {
            pass_over("c-ares is missing (Debian: libc-ares-dev, pkg-config)");
            return;
        }
        let lines: Vec<_> = run.succeeds().stdout.lines().collect();
        // On a busy machine an answer may come too late, and the question be asked again.
        assert!(lines[0].starts_with("200 names, each at its address; "), "{run}");
        assert_eq!(lines[1], "a name that there is not: Domain name not found");
        assert_eq!(lines[2], "a stuck lookup that is cancelled: DNS query cancelled");
        let threads: usize = lines[3].strip_prefix("OS threads: ").and_then(|rest| rest.parse().ok()).expect(lines[3]);
        assert!(threads < 50, "{run}should have needed fewer OS threads");
    }
}
