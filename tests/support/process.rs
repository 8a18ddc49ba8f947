//! A process with a deadline, and assertions on how it ended.
//!
//! What can hang, abort or exhaust the process runs here. A child that misses its deadline is killed with everything it
//! forked, after the state of its threads was written down: a hang is a failure that says where.

#![allow(clippy::disallowed_methods, reason = "the test looks again at a child process, on an OS thread")]

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);

/// How many times longer a child may take: tools that look for faults make it slower.
fn patience() -> u32 {
    std::env::var("GREENBRIDGE_TEST_PATIENCE").ok().and_then(|number| number.parse().ok()).unwrap_or(1)
}
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The settings of the runtime. A child gets those that its test gives it, and none of the caller's.
const SETTINGS: [&str; 10] = [
    "GREENBRIDGE_PROCESSORS",
    "GREENBRIDGE_STACK_SIZE",
    "GREENBRIDGE_MAX_THREADS",
    "GREENBRIDGE_SPARE_IDLE_MS",
    "GREENBRIDGE_THREAD_NAME",
    "GREENBRIDGE_DEADLOCK_DETECTION",
    "GREENBRIDGE_DUMP_ON_SIGQUIT",
    "GREENBRIDGE_OBSERVE",
    "GREENBRIDGE_TEST_SEED",
    "GREENBRIDGE_TEST_RUNS",
];

/// Runs the `#[ignore]`d test `name` of this very binary in a process of its own.
pub(crate) fn child(name: &str) -> Outcome {
    Process::child(name).run()
}

/// The same under each of the given numbers of processors; every run must succeed.
pub(crate) fn child_on_processors(name: &str, processors: &[usize]) {
    for &count in processors {
        Process::child(name).env("GREENBRIDGE_PROCESSORS", &count.to_string()).run().succeeds();
    }
}

/// A process about to be run.
#[derive(Debug)]
pub(crate) struct Process {
    command: Command,
    what: String,
    deadline: Duration,
    is_test: bool,
}

impl Process {
    /// The `#[ignore]`d test `name` of this binary.
    pub(crate) fn child(name: &str) -> Self {
        let own = std::env::current_exe().expect("this test binary has a path");
        let mut process = Self::program(&own);
        process.command.args(["--ignored", "--exact", name, "--nocapture", "--test-threads=1"]);
        process.what = format!("child `{name}`");
        process.is_test = true;
        process
    }

    /// Any other program.
    pub(crate) fn program(path: &Path) -> Self {
        let mut command = Command::new(path);
        for setting in SETTINGS {
            command.env_remove(setting);
        }
        command.env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        Self { command, what: path.display().to_string(), deadline: DEADLINE, is_test: false }
    }

    /// Sets an environment variable.
    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        self.os_env(name, OsStr::new(value))
    }

    /// Sets an environment variable to what need not be text.
    pub(crate) fn os_env(mut self, name: &str, value: &OsStr) -> Self {
        self.what += &format!(" {name}={}", value.display());
        self.command.env(name, value);
        self
    }

    /// Loads a shared library in front of all others.
    pub(crate) fn preload(self, library: &Path) -> Self {
        self.env("LD_PRELOAD", library.to_str().expect("the path is UTF-8"))
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.what += &format!(" {argument}");
        self.command.arg(argument);
        self
    }

    /// Gives it more time than the 60 seconds that every process has.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it misses its deadline.
    pub(crate) fn run(mut self) -> Outcome {
        self.deadline *= patience();
        let mut running = self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let stdout = read_to_end(running.stdout.take());
        let stderr = read_to_end(running.stderr.take());
        let pid = running.id();
        let since = Instant::now();
        let mut hung = None;
        while !has_ended(pid) {
            if hung.is_none() && since.elapsed() > self.deadline {
                hung = Some(threads_of(pid));
                kill_group(pid);
            }
            thread::sleep(LOOK_AGAIN);
        }
        // A forked grandchild that still holds the pipes would keep the readers waiting. It is killed before the child is
        // waited for, after which its number may be another process's.
        kill_group(pid);
        let status = running.wait().expect("the child can be waited for");
        let outcome = Outcome {
            what: self.what,
            is_test: self.is_test,
            status,
            stdout: stdout.join().expect("the reader ends"),
            stderr: stderr.join().expect("the reader ends"),
        };
        if let Some(threads) = hung {
            panic!("{outcome}hung for {:?} and was killed; its threads were\n{threads}", self.deadline);
        }
        outcome
    }
}

/// How a process ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    what: String,
    is_test: bool,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// It ended with success; a child test did run, and passed.
    #[track_caller]
    pub(crate) fn succeeds(&self) -> &Self {
        assert!(self.status.success(), "{self}should have succeeded");
        // A name that no test has is no failure for libtest.
        assert!(!self.is_test || self.stdout.contains("result: ok. 1 passed"), "{self}should have been one test");
        self
    }

    /// It aborted.
    #[track_caller]
    pub(crate) fn aborts(&self) -> &Self {
        self.dies_by(libc::SIGABRT)
    }

    /// A signal ended it.
    #[track_caller]
    pub(crate) fn dies_by(&self, signal: i32) -> &Self {
        assert_eq!(self.status.signal(), Some(signal), "{self}should have died by signal {signal}");
        self
    }

    /// Its standard error holds `words`.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "{self}should have said {words:?}");
        self
    }

    /// Its standard error does not hold `words`.
    #[track_caller]
    pub(crate) fn does_not_say(&self, words: &str) -> &Self {
        assert!(!self.stderr.contains(words), "{self}should not have said {words:?}");
        self
    }

    /// Its standard output holds `words`.
    #[track_caller]
    pub(crate) fn prints(&self, words: &str) -> &Self {
        assert!(self.stdout.contains(words), "{self}should have printed {words:?}");
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, status, stdout, stderr, .. } = self;
        write!(f, "{what}: {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---\n{what} ")
    }
}

fn read_to_end(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut pipe = pipe.expect("the pipe was asked for");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("the pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether the child has ended; leaves it to be waited for.
fn has_ended(pid: u32) -> bool {
    // SAFETY: all bytes zero is a valid value of this structure.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: writes to the structure that it is given.
    let looked = unsafe { libc::waitid(libc::P_PID, pid, &mut info, flags) };
    assert_eq!(looked, 0, "the child can be waited for");
    // SAFETY: written by `waitid`, or zero.
    unsafe { info.si_pid() != 0 }
}

fn kill_group(pid: u32) {
    // SAFETY: a plain system call. The child was made the leader of a group of its own, so nobody else is in it.
    unsafe { libc::kill(-pid.cast_signed(), libc::SIGKILL) };
}

/// Name, state and place of sleep of each thread: what a reader needs first when a child hangs.
pub(crate) fn threads_of(pid: u32) -> String {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return "gone".to_owned();
    };
    let read = |path: &Path, file: &str| fs::read_to_string(path.join(file)).unwrap_or_default().trim().to_owned();
    let mut lines = String::new();
    for task in tasks.flatten().map(|task| task.path()).take(40) {
        let status = read(&task, "status");
        let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or("?").trim().to_owned();
        let system_call = read(&task, "syscall");
        lines += &format!("  {} {state} {} {system_call}\n", read(&task, "comm"), read(&task, "wchan"));
    }
    lines
}
