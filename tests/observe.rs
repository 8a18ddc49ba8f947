//! A socket lets others look in: metrics and dumps as JSON, one line each; it is the user's own, costs nothing while nobody is connected, and
//! hides no deadlock.
//!
//! What could break it: a file with other rights, a socket that somebody still uses and that is taken away, a client that stops reading,
//! an OS thread that is taken for one that could wake somebody.

mod support;

use greenbridge::channel::bounded;
use greenbridge::dump::Dump;
use greenbridge::{Builder, spawn};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use support::{Process, alone, others_come_to_rest, start, start_with, wait_until};

/// A folder of this test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("greenbridge-observe-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("the folder can be made");
        Self(path)
    }

    fn socket(&self) -> String {
        self.0.join("observe.{pid}.sock").display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the child `name` with a socket in a folder of its own.
fn observed(name: &str) -> support::Outcome {
    let folder = Folder::new(name);
    Process::child(name).env("GREENBRIDGE_OBSERVE", &folder.socket()).run()
}

/// The path of this process's socket.
fn own_path() -> PathBuf {
    let path = std::env::var("GREENBRIDGE_OBSERVE").expect("the parent has set it");
    path.replace("{pid}", &std::process::id().to_string()).into()
}

/// Somebody who looks in.
struct Client(BufReader<UnixStream>);

impl Client {
    fn connect(path: &Path) -> Self {
        let mut client = Self(BufReader::new(UnixStream::connect(path).expect("somebody listens")));
        let hello = client.line();
        assert_eq!(hello["process"], json!(std::process::id()), "{hello}");
        assert!(hello["greenbridge"].is_string() && hello["program"].is_string(), "{hello}");
        client
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it is still connected");
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("text");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, line: &str) -> Value {
        self.send(line);
        self.line()
    }
}

#[test]
fn metrics_and_dumps_come_as_lines_of_json() {
    observed("asks_for_everything").succeeds();
}

#[test]
#[ignore = "child process"]
fn asks_for_everything() {
    start();
    let file = fs::symlink_metadata(own_path()).expect("the socket is there");
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let (sender, receiver) = bounded::<()>(0);
    let waits = spawn(move || receiver.recv().is_err());
    let mut client = Client::connect(&own_path());
    let metrics = client.ask(r#"{"request":"metrics"}"#);
    let figures = metrics["metrics"].as_array().expect("a list");
    let spawned = figures.iter().find(|figure| figure["name"] == "greenbridge_spawned_total").expect("it is listed");
    assert!(spawned["is_counter"] == json!(true) && spawned["value"].as_u64() >= Some(1), "{spawned}");
    assert!(figures.iter().any(|figure| figure["name"] == "greenbridge_green_threads{state=\"parked\"}"), "{metrics}");
    wait_until(|| {
        let answer = client.ask(r#"{"request":"dump"}"#);
        let dump: Dump = serde_json::from_value(answer["dump"].clone()).expect("a dump");
        assert_eq!(dump.process, std::process::id());
        dump.to_string().contains("waits for a message at tests/observe.rs:")
    });
    // Two at a time, and each is told what is wrong with its own request.
    let mut other = Client::connect(&own_path());
    assert!(other.ask(r#"{"request":"memory"}"#)["error"].as_str().is_some_and(|error| error.contains("memory")));
    assert!(other.ask("nonsense")["error"].is_string());
    assert!(client.ask(r#"{"request":"metrics"}"#)["metrics"].is_array());
    drop(sender);
    assert!(waits.join().expect("no panic"));
}

#[test]
fn a_watch_goes_on_until_it_is_ended() {
    observed("watches").succeeds();
}

#[test]
#[ignore = "child process"]
fn watches() {
    start();
    let mut client = Client::connect(&own_path());
    client.send(r#"{"request":"watch","every_ms":10,"dump":true}"#);
    for _ in 0..5 {
        assert!(client.line()["metrics"].is_array());
        assert!(client.line()["dump"].is_object());
    }
    client.send(r#"{"request":"unwatch"}"#);
    client.send("the end");
    while client.line()["error"].is_null() {}
    // One that asks and never reads is left behind, and holds up nobody.
    let mut deaf = Client::connect(&own_path());
    (0..200).for_each(|_| deaf.send(r#"{"request":"dump"}"#));
    assert!(client.ask(r#"{"request":"metrics"}"#)["metrics"].is_array());
}

#[test]
fn a_path_that_cannot_be_had_is_named_and_a_stale_one_is_replaced() {
    let folder = Folder::new("paths");
    let path = folder.0.join("there.sock");
    let text = path.display().to_string();
    let refused = |reason: &str| {
        let outcome = Process::child("prints_why_it_does_not_start").env("GREENBRIDGE_OBSERVE", &text).run();
        outcome.succeeds().prints("open the socket for observers").prints(&text).prints(reason);
        outcome.prints("GREENBRIDGE_OBSERVE gives another path");
    };
    fs::write(&path, "kept").expect("the file can be written");
    refused("a file that is no socket");
    assert_eq!(fs::read_to_string(&path).expect("it is still there"), "kept");
    fs::remove_file(&path).expect("it is there");
    let listener = UnixListener::bind(&path).expect("the path is free");
    refused("a process listens there");
    drop(listener);
    // Nobody listens now, and the file is still there.
    assert!(path.exists());
    Process::child("asks_at_a_fixed_path").env("GREENBRIDGE_OBSERVE", &text).run().succeeds();
    let nowhere = folder.0.join("no/such/folder.sock").display().to_string();
    let outcome = Process::child("prints_why_it_does_not_start").env("GREENBRIDGE_OBSERVE", &nowhere).run();
    outcome.succeeds().prints(&nowhere).prints("No such file");
}

#[test]
#[ignore = "child process"]
fn prints_why_it_does_not_start() {
    // SAFETY: docs/safety.md; nothing is started.
    let error = unsafe { Builder::new().start() }.expect_err("the socket cannot be had");
    println!("{error}");
}

#[test]
#[ignore = "child process"]
fn asks_at_a_fixed_path() {
    start();
    assert!(Client::connect(&own_path()).ask(r#"{"request":"metrics"}"#)["metrics"].is_array());
}

#[test]
fn a_deadlock_is_found_with_somebody_connected() {
    observed("waits_for_ever").succeeds().says("greenbridge: deadlock: all green threads wait");
}

#[test]
#[ignore = "child process"]
fn waits_for_ever() {
    let status = alone(|| {
        start_with(Builder::new().processors(2));
        let mut client = Client::connect(&own_path());
        assert!(client.ask(r#"{"request":"metrics"}"#)["metrics"].is_array());
        let (sender, receiver) = bounded::<()>(0);
        let _ = spawn(move || receiver.recv().is_err()).join();
        drop((sender, client));
    });
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 2, "it ended with wait status {status:#x}");
}

#[test]
fn nobody_runs_while_nobody_is_connected() {
    observed("rests").succeeds();
}

#[test]
#[ignore = "child process"]
fn rests() {
    start();
    drop(Client::connect(&own_path()));
    assert_eq!(greenbridge::run(|| 6 * 7), 42);
    // The monitor rests when it has looked for a deadlock.
    others_come_to_rest();
}
