//! `greenbridge-top --once` prints what a running process does, and says what is wrong if there is none.
//!
//! What could break it: a line of the protocol that the two sides understand differently.

use greenbridge::channel::bounded;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

fn top(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_greenbridge-top")).args(arguments).output().expect("the program runs")
}

#[test]
fn a_running_process_is_shown() {
    let path = std::env::temp_dir().join(format!("greenbridge-top-{}.sock", std::process::id()));
    let own = std::env::current_exe().expect("this test has a path");
    let mut child = Command::new(own)
        .args(["--ignored", "--exact", "waits", "--nocapture"])
        .env("GREENBRIDGE_OBSERVE", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child runs");
    // The pipe is kept until the child has ended, which still writes to it.
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.contains("it is up")), "the child ended early");
    let shown = top(&[path.to_str().expect("text"), "--once"]);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.status.success(), "{text}{}", String::from_utf8_lossy(&shown.stderr));
    for words in
        ["spawned_total", "3 green threads, spawned at ", "each waits for a message at", "processor 0: ", "once::waits"]
    {
        assert!(text.contains(words), "{words:?} is missing:\n{text}");
    }
    child.stdin.take().expect("a pipe").write_all(b"\n").expect("the child still reads");
    assert!(child.wait().expect("it can be waited for").success());
    drop(lines);
    let _ = std::fs::remove_file(path);
}

#[test]
#[ignore = "child process"]
fn waits() {
    // SAFETY: nothing here touches a thread-local across a wait.
    unsafe { greenbridge::Builder::new().start() }.expect("the runtime starts");
    let (sender, receiver) = bounded::<()>(0);
    let (ready, is_ready) = bounded(3);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (receiver, ready) = (receiver.clone(), ready.clone());
            greenbridge::spawn(move || {
                ready.send(()).expect("there is room");
                std::hint::black_box(receiver.recv()).is_err()
            })
        })
        .collect();
    (0..3).for_each(|_| is_ready.recv().expect("each says so"));
    while !greenbridge::dump().groups.iter().any(|group| group.count == 3 && group.waits_for.is_some()) {}
    println!("it is up");
    std::io::stdin().read_line(&mut String::new()).expect("the parent writes");
    drop(sender);
    assert!(threads.into_iter().all(|thread| thread.join().expect("no panic")));
}

#[test]
fn what_is_wrong_is_said_and_where() {
    let nobody = top(&["/no/such.sock", "--once"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("/no/such.sock"));
    let usage = top(&[]);
    assert_eq!(usage.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&usage.stderr).contains("usage: greenbridge-top PATH"));
}
