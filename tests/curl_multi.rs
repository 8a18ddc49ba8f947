//! The example `curl_multi`: hundreds of transfers by libcurl, driven on green threads, bring each byte as it was sent, on a few OS threads; a stuck one
//! can be cancelled.
//!
//! What could break it: a socket of libcurl's whose event is lost, a time that it asked for and is not told of, or a write callback that goes on on
//! another OS thread.
//!
//! Passed over where libcurl is not there.

mod support;

use support::{Process, example, pass_over};

#[test]
fn many_transfers_bring_what_was_sent() {
    for processors in ["1", "2", "8"] {
        let run = Process::program(&example("curl_multi")).env("GREENBRIDGE_PROCESSORS", processors).run();
        if run.stderr.starts_with("left out: ") {
            pass_over("libcurl is missing (Debian: libcurl4-openssl-dev, pkg-config)");
            return;
        }
        let lines: Vec<_> = run.succeeds().stdout.lines().collect();
        assert_eq!(lines[0], "200 transfers, 40000000 bytes, each byte as it should be");
        assert_eq!(lines[1], "a stuck transfer that is cancelled: cancelled, after 100000 bytes");
        assert!(lines[2].starts_with("a server that is not there: Couldn't connect"), "{run}");
        let threads: usize = lines[3].strip_prefix("OS threads: ").and_then(|rest| rest.parse().ok()).expect(lines[3]);
        assert!(threads < 50, "{run}should have needed fewer OS threads");
    }
}
