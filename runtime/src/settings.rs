//! Every knob of the runtime: where its value comes from, which values are accepted, and what an unset one means.
//!
//! | setting | variable | accepted | default |
//! |---|---|---|---|
//! | `processors` | `GREENBRIDGE_PROCESSORS` | 1 to 1024 | the CPUs this process may use, at most `max_threads` |
//! | `stack_size` | `GREENBRIDGE_STACK_SIZE` | 16 KiB to 1 GiB; bytes, or `256K`, `1M` in the variable | 256 KiB |
//! | `thread_stack_size` | `GREENBRIDGE_THREAD_STACK_SIZE` | 64 KiB to 1 GiB; as above | that of `std`: `RUST_MIN_STACK`, or 2 MiB |
//! | `max_threads` | `GREENBRIDGE_MAX_THREADS` | 1 to 1,000,000, and no fewer than `processors` | 10,000 |
//! | `spare_idle` | `GREENBRIDGE_SPARE_IDLE_MS` | 0 to one day; whole milliseconds in the variable | 10 s |
//! | `thread_name` | `GREENBRIDGE_THREAD_NAME` | 1 to 11 bytes, no NUL | `greenbridge` |
//! | `deadlock_detection` | `GREENBRIDGE_DEADLOCK_DETECTION` | a bool; `on` or `off` in the variable | on |
//! | `dump_on_sigquit` | `GREENBRIDGE_DUMP_ON_SIGQUIT` | a bool; `on` or `off` in the variable | off |
//! | `observe` (feature `observe`) | `GREENBRIDGE_OBSERVE` | a path of 1 to 100 bytes without a NUL; `{pid}` in it stands for the process | no socket |
//!
//! What the program says wins over the environment, and the environment over the default; a variable is read only if
//! the program says nothing. A value that is not accepted is an error that names its source. It is never replaced by
//! another one: a runtime that starts with settings nobody asked for is found out in production.

use std::borrow::Cow;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

const DEFAULT_STACK_SIZE: usize = 256 << 10;
const DEFAULT_MAX_THREADS: usize = 10_000;
const DEFAULT_SPARE_IDLE: Duration = Duration::from_secs(10);
const DEFAULT_THREAD_NAME: &str = "greenbridge";

const MOST_PROCESSORS: usize = 1024;

/// What the program asks of the runtime; whatever it leaves out is found by [`resolve`](Settings::resolve).
///
/// It can be written in a constant, because a library that C starts states its settings in one.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The type that carries the setters, for messages.
    owner: &'static str,
    processors: Option<usize>,
    stack_size: Option<usize>,
    thread_stack_size: Option<usize>,
    max_threads: Option<usize>,
    spare_idle: Option<Duration>,
    thread_name: Option<&'static str>,
    deadlock_detection: Option<bool>,
    dump_on_sigquit: Option<bool>,
    #[cfg(feature = "observe")]
    observe: Option<&'static str>,
    /// For tests: no variable, and no setter of `Builder`'s.
    virtual_time: bool,
}

/// The settings that a runtime is started with: every one decided, each within its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The number of processors, that is, of green threads that run at the same time.
    pub processors: usize,
    /// The usable size of a green thread's stack in bytes, a whole number of pages.
    pub stack_size: usize,
    /// The size of an OS thread's own stack in bytes; `None`: as `std` has it.
    pub thread_stack_size: Option<usize>,
    /// The largest number of workers alive at the same time, spare ones included.
    pub max_threads: usize,
    /// How long a spare worker waits for work before it ends.
    pub spare_idle: Duration,
    /// What the names of the workers begin with.
    pub thread_name: Cow<'static, str>,
    /// Whether a deadlock of the whole process is reported, and ends it.
    pub deadlock_detection: bool,
    /// Whether SIGQUIT writes a dump to stderr.
    pub dump_on_sigquit: bool,
    /// Where observers connect.
    #[cfg(feature = "observe")]
    pub observe: Option<Cow<'static, str>>,
    /// Whether the clock is virtual, and chance decides who runs next.
    pub virtual_time: bool,
}

impl Settings {
    /// No setting is given. In messages their source is `Builder`.
    pub const fn new() -> Self {
        Self {
            owner: "Builder",
            processors: None,
            stack_size: None,
            thread_stack_size: None,
            max_threads: None,
            spare_idle: None,
            thread_name: None,
            deadlock_detection: None,
            dump_on_sigquit: None,
            #[cfg(feature = "observe")]
            observe: None,
            virtual_time: false,
        }
    }

    /// Names the type whose setters these values go through, for messages.
    pub const fn owner(mut self, owner: &'static str) -> Self {
        self.owner = owner;
        self
    }

    /// Gives the number of processors.
    pub const fn processors(mut self, number: usize) -> Self {
        self.processors = Some(number);
        self
    }

    /// Gives the usable size of a stack in bytes.
    pub const fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Gives the size of an OS thread's own stack in bytes.
    pub const fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.thread_stack_size = Some(bytes);
        self
    }

    /// Gives the largest number of workers.
    pub const fn max_threads(mut self, number: usize) -> Self {
        self.max_threads = Some(number);
        self
    }

    /// Gives the time after which a spare worker ends.
    pub const fn spare_idle(mut self, time: Duration) -> Self {
        self.spare_idle = Some(time);
        self
    }

    /// Gives what the names of the workers begin with.
    pub const fn thread_name(mut self, prefix: &'static str) -> Self {
        self.thread_name = Some(prefix);
        self
    }

    /// Says whether a deadlock is reported.
    pub const fn deadlock_detection(mut self, on: bool) -> Self {
        self.deadlock_detection = Some(on);
        self
    }

    /// Says whether SIGQUIT asks for a dump.
    pub const fn dump_on_sigquit(mut self, on: bool) -> Self {
        self.dump_on_sigquit = Some(on);
        self
    }

    /// Gives the path of the socket for observers.
    #[cfg(feature = "observe")]
    pub const fn observe(mut self, path: &'static str) -> Self {
        self.observe = Some(path);
        self
    }

    /// Makes the clock virtual.
    pub(crate) const fn virtual_time(mut self) -> Self {
        self.virtual_time = true;
        self
    }

    /// Returns the settings as they are, if each value given here is accepted.
    ///
    /// # Panics
    /// One of them is not. In a constant this is a compile error that says what is accepted.
    pub const fn checked(self) -> Self {
        PROCESSORS.check(match self.processors {
            Some(number) => accepts_processors(&number),
            None => true,
        });
        STACK_SIZE.check(match self.stack_size {
            Some(bytes) => accepts_stack_size(&bytes),
            None => true,
        });
        THREAD_STACK_SIZE.check(match self.thread_stack_size {
            Some(bytes) => accepts_thread_stack_size(&bytes),
            None => true,
        });
        MAX_THREADS.check(match self.max_threads {
            Some(number) => accepts_max_threads(&number),
            None => true,
        });
        SPARE_IDLE.check(match self.spare_idle {
            Some(time) => accepts_spare_idle(&time),
            None => true,
        });
        THREAD_NAME.check(match self.thread_name {
            Some(prefix) => accepts_thread_name(prefix),
            None => true,
        });
        #[cfg(feature = "observe")]
        OBSERVE.check(match self.observe {
            Some(path) => accepts_observe(path),
            None => true,
        });
        self
    }

    /// Decides every setting: what was given here, or else its environment variable as `environment` tells it, or else
    /// the default.
    ///
    /// # Errors
    /// The first setting, in the order of the table above, that has a value which is not accepted.
    pub fn resolve(self, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Resolved, SettingError> {
        let processors = PROCESSORS.find(self.owner, self.processors, environment)?;
        let stack_size = STACK_SIZE.find(self.owner, self.stack_size, environment)?;
        let thread_stack_size = THREAD_STACK_SIZE.find(self.owner, self.thread_stack_size, environment)?;
        let max_threads = MAX_THREADS.find(self.owner, self.max_threads, environment)?;
        let spare_idle = SPARE_IDLE.find(self.owner, self.spare_idle, environment)?;
        let thread_name = THREAD_NAME.find(self.owner, self.thread_name.map(Cow::Borrowed), environment)?;
        let deadlock_detection = DEADLOCK_DETECTION.find(self.owner, self.deadlock_detection, environment)?;
        let dump_on_sigquit = DUMP_ON_SIGQUIT.find(self.owner, self.dump_on_sigquit, environment)?;
        #[cfg(feature = "observe")]
        let observe = OBSERVE.find(self.owner, self.observe.map(Cow::Borrowed), environment)?;

        let limit = max_threads.as_ref().map_or(DEFAULT_MAX_THREADS, |found| found.value);
        if let (Some(wanted), Some(found)) = (&processors, &max_threads)
            && found.value < wanted.value
        {
            let expected = format!("expected at least {}, the value of {}", wanted.value, wanted.source);
            return Err(SettingError { source: found.source.clone(), shown: found.shown.clone(), expected });
        }
        Ok(Resolved {
            processors: processors.map_or_else(|| available_processors().min(limit), |found| found.value),
            stack_size: stack_size.map_or(DEFAULT_STACK_SIZE, |found| found.value).next_multiple_of(page_size()),
            thread_stack_size: thread_stack_size.map(|found| found.value.next_multiple_of(page_size())),
            max_threads: limit,
            spare_idle: spare_idle.map_or(DEFAULT_SPARE_IDLE, |found| found.value),
            thread_name: thread_name.map_or(Cow::Borrowed(DEFAULT_THREAD_NAME), |found| found.value),
            deadlock_detection: deadlock_detection.is_none_or(|found| found.value),
            dump_on_sigquit: dump_on_sigquit.is_some_and(|found| found.value),
            #[cfg(feature = "observe")]
            observe: observe.map(|found| found.value),
            virtual_time: self.virtual_time,
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// A value that is not accepted: says where it came from, what it is, and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    source: String,
    shown: String,
    expected: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: {}", self.source, self.shown, self.expected)
    }
}

impl Error for SettingError {}

/// One setting: its names, and what it accepts.
struct Knob<T> {
    setter: &'static str,
    variable: &'static str,
    /// Reads the text of the variable; `None` if it does not have the right form.
    read: fn(&str) -> Option<T>,
    accepts: fn(&T) -> bool,
    /// `accepts`, in words.
    expected: &'static str,
}

/// A value that is accepted, and how a message would name it.
struct Found<T> {
    source: String,
    shown: String,
    value: T,
}

const PROCESSORS: Knob<usize> = Knob {
    setter: "processors",
    variable: "GREENBRIDGE_PROCESSORS",
    read: read_number,
    accepts: accepts_processors,
    expected: "expected a whole number from 1 to 1024",
};

const STACK_SIZE: Knob<usize> = Knob {
    setter: "stack_size",
    variable: "GREENBRIDGE_STACK_SIZE",
    read: read_size,
    accepts: accepts_stack_size,
    expected: "expected a number of bytes from 16384 (16K) to 1073741824 (1024M)",
};

const THREAD_STACK_SIZE: Knob<usize> = Knob {
    setter: "thread_stack_size",
    variable: "GREENBRIDGE_THREAD_STACK_SIZE",
    read: read_size,
    accepts: accepts_thread_stack_size,
    expected: "expected a number of bytes from 65536 (64K) to 1073741824 (1024M)",
};

const MAX_THREADS: Knob<usize> = Knob {
    setter: "max_threads",
    variable: "GREENBRIDGE_MAX_THREADS",
    read: read_number,
    accepts: accepts_max_threads,
    expected: "expected a whole number from 1 to 1000000",
};

const SPARE_IDLE: Knob<Duration> = Knob {
    setter: "spare_idle",
    variable: "GREENBRIDGE_SPARE_IDLE_MS",
    read: read_milliseconds,
    accepts: accepts_spare_idle,
    expected: "expected a time from 0 to 86400000 milliseconds (one day)",
};

const THREAD_NAME: Knob<Cow<'static, str>> = Knob {
    setter: "thread_name",
    variable: "GREENBRIDGE_THREAD_NAME",
    read: |text| Some(Cow::Owned(text.to_owned())),
    accepts: |prefix| accepts_thread_name(prefix),
    // Linux shows 15 bytes of a thread's name: these, a dash and three digits.
    expected: "expected 1 to 11 bytes without a NUL",
};

const DEADLOCK_DETECTION: Knob<bool> = Knob {
    setter: "deadlock_detection",
    variable: "GREENBRIDGE_DEADLOCK_DETECTION",
    read: read_switch,
    accepts: |_| true,
    expected: "expected `on` or `off`",
};

const DUMP_ON_SIGQUIT: Knob<bool> = Knob {
    setter: "dump_on_sigquit",
    variable: "GREENBRIDGE_DUMP_ON_SIGQUIT",
    read: read_switch,
    accepts: |_| true,
    expected: "expected `on` or `off`",
};

#[cfg(feature = "observe")]
const OBSERVE: Knob<Cow<'static, str>> = Knob {
    setter: "observe",
    variable: "GREENBRIDGE_OBSERVE",
    read: |text| Some(Cow::Owned(text.to_owned())),
    accepts: |path| accepts_observe(path),
    // The kernel takes 107 bytes, and a process number may be longer than `{pid}`.
    expected: "expected a path of 1 to 100 bytes without a NUL",
};

const fn accepts_processors(number: &usize) -> bool {
    1 <= *number && *number <= MOST_PROCESSORS
}

const fn accepts_stack_size(bytes: &usize) -> bool {
    16 << 10 <= *bytes && *bytes <= 1 << 30
}

const fn accepts_thread_stack_size(bytes: &usize) -> bool {
    64 << 10 <= *bytes && *bytes <= 1 << 30
}

const fn accepts_max_threads(number: &usize) -> bool {
    1 <= *number && *number <= 1_000_000
}

const fn accepts_spare_idle(time: &Duration) -> bool {
    time.as_nanos() <= Duration::from_secs(24 * 60 * 60).as_nanos()
}

const fn accepts_thread_name(prefix: &str) -> bool {
    is_text_of_at_most(prefix, 11)
}

#[cfg(feature = "observe")]
const fn accepts_observe(path: &str) -> bool {
    is_text_of_at_most(path, 100)
}

/// Whether C could take it, and it has so many bytes at most, and one at least.
const fn is_text_of_at_most(text: &str, bytes: usize) -> bool {
    let mut at = 0;
    while at < text.len() {
        if text.as_bytes()[at] == 0 {
            return false;
        }
        at += 1;
    }
    !text.is_empty() && text.len() <= bytes
}

impl<T: fmt::Debug> Knob<T> {
    /// Finds the value: `given` by the program, or else that of the variable. `None` if there is neither.
    fn find(
        &self,
        owner: &str,
        given: Option<T>,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Found<T>>, SettingError> {
        let (source, shown, value) = match given {
            Some(value) => (format!("{owner}::{}", self.setter), format!("{value:?}"), Some(value)),
            None => match environment(self.variable) {
                Some(text) => (self.variable.to_owned(), format!("{text:?}"), text.to_str().and_then(self.read)),
                None => return Ok(None),
            },
        };
        match value {
            Some(value) if (self.accepts)(&value) => Ok(Some(Found { source, shown, value })),
            _ => Err(SettingError { source, shown, expected: self.expected.to_owned() }),
        }
    }
}

impl<T> Knob<T> {
    const fn check(&self, accepted: bool) {
        if !accepted {
            panic!("{}", self.expected);
        }
    }
}

/// Reads decimal digits and nothing else: no sign, no space, no underscore.
fn read_number(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Reads a number of bytes, or of KiB before a `K`, or of MiB before an `M`.
fn read_size(text: &str) -> Option<usize> {
    let (digits, unit) = if let Some(digits) = text.strip_suffix('K') {
        (digits, 1 << 10)
    } else if let Some(digits) = text.strip_suffix('M') {
        (digits, 1 << 20)
    } else {
        (text, 1)
    };
    read_number(digits)?.checked_mul(unit)
}

fn read_milliseconds(text: &str) -> Option<Duration> {
    read_number(text).map(|number| Duration::from_millis(number as u64))
}

fn read_switch(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// The CPUs that this process may use. Affinity and the quota of a control group count; where neither can be read, one.
fn available_processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_PROCESSORS)
}

fn page_size() -> usize {
    // SAFETY: sysconf takes no pointers and changes nothing.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).expect("POSIX demands that the page size is known")
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::ffi::OsStringExt;

    const NONE: Settings = Settings::new();
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn resolve(settings: Settings, environment: &[(&str, &str)]) -> Result<Resolved, String> {
        let look_up = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        settings.resolve(&look_up).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_given_then_defaults_hold() {
        let resolved = resolve(NONE, &[]).unwrap();
        assert_eq!(resolved.processors, available_processors());
        assert_eq!(resolved.stack_size, 256 * 1024);
        assert_eq!(resolved.thread_stack_size, None);
        assert_eq!(resolved.max_threads, 10_000);
        assert_eq!(resolved.spare_idle, Duration::from_secs(10));
        assert_eq!(resolved.thread_name, "greenbridge");
        assert!(resolved.deadlock_detection);
    }

    #[test]
    fn the_program_wins_over_the_environment() {
        let environment = [
            ("GREENBRIDGE_PROCESSORS", "2"),
            ("GREENBRIDGE_STACK_SIZE", "512K"),
            ("GREENBRIDGE_THREAD_STACK_SIZE", "4M"),
            ("GREENBRIDGE_MAX_THREADS", "20"),
            ("GREENBRIDGE_SPARE_IDLE_MS", "30"),
            ("GREENBRIDGE_THREAD_NAME", "env"),
            ("GREENBRIDGE_DEADLOCK_DETECTION", "off"),
            ("GREENBRIDGE_DUMP_ON_SIGQUIT", "on"),
            ("GREENBRIDGE_OBSERVE", "/run/env.sock"),
        ];
        let from_environment = Resolved {
            processors: 2,
            stack_size: 512 << 10,
            thread_stack_size: Some(4 << 20),
            max_threads: 20,
            spare_idle: Duration::from_millis(30),
            thread_name: "env".into(),
            deadlock_detection: false,
            dump_on_sigquit: true,
            #[cfg(feature = "observe")]
            observe: Some("/run/env.sock".into()),
            virtual_time: false,
        };
        assert_eq!(resolve(NONE, &environment), Ok(from_environment));

        let given = NONE
            .processors(3)
            .stack_size(1 << 20)
            .thread_stack_size(8 << 20)
            .max_threads(30)
            .spare_idle(Duration::from_millis(40))
            .thread_name("given")
            .deadlock_detection(true)
            .dump_on_sigquit(false);
        #[cfg(feature = "observe")]
        let given = given.observe("/run/given.sock");
        let from_program = Resolved {
            processors: 3,
            stack_size: 1 << 20,
            thread_stack_size: Some(8 << 20),
            max_threads: 30,
            spare_idle: Duration::from_millis(40),
            thread_name: "given".into(),
            deadlock_detection: true,
            dump_on_sigquit: false,
            #[cfg(feature = "observe")]
            observe: Some("/run/given.sock".into()),
            virtual_time: false,
        };
        assert_eq!(resolve(given, &environment), Ok(from_program));
    }

    #[test]
    fn a_variable_is_not_read_when_the_program_says_the_same_thing() {
        let environment = [("GREENBRIDGE_PROCESSORS", "nonsense")];
        assert_eq!(resolve(NONE.processors(3), &environment).unwrap().processors, 3);
    }

    #[test]
    fn values_at_the_ends_of_each_range_are_accepted() {
        for settings in [
            NONE.processors(1),
            NONE.processors(1024),
            NONE.stack_size(16 << 10),
            NONE.stack_size(1 << 30),
            NONE.thread_stack_size(64 << 10),
            NONE.thread_stack_size(1 << 30),
            NONE.processors(1).max_threads(1),
            NONE.max_threads(1_000_000),
            NONE.spare_idle(Duration::ZERO),
            NONE.spare_idle(DAY),
            NONE.thread_name("x"),
            NONE.thread_name("eleven-byte"),
        ] {
            resolve(settings, &[]).unwrap();
            resolve(settings.checked(), &[]).unwrap();
        }
    }

    #[test]
    fn a_refused_value_is_named_with_its_setter() {
        for (settings, message) in [
            (NONE.processors(0), "Builder::processors is 0: expected a whole number from 1 to 1024"),
            (NONE.processors(1025), "Builder::processors is 1025: expected a whole number from 1 to 1024"),
            (NONE.owner("Start").processors(0), "Start::processors is 0: expected a whole number from 1 to 1024"),
            (
                NONE.stack_size(0),
                "Builder::stack_size is 0: expected a number of bytes from 16384 (16K) to 1073741824 (1024M)",
            ),
            (
                NONE.stack_size((1 << 30) + 1),
                "Builder::stack_size is 1073741825: expected a number of bytes from 16384 (16K) to 1073741824 (1024M)",
            ),
            (
                NONE.thread_stack_size((64 << 10) - 1),
                "Builder::thread_stack_size is 65535: expected a number of bytes from 65536 (64K) to 1073741824 (1024M)",
            ),
            (NONE.max_threads(0), "Builder::max_threads is 0: expected a whole number from 1 to 1000000"),
            (
                NONE.spare_idle(DAY + Duration::from_nanos(1)),
                "Builder::spare_idle is 86400.000000001s: expected a time from 0 to 86400000 milliseconds (one day)",
            ),
            (NONE.thread_name(""), "Builder::thread_name is \"\": expected 1 to 11 bytes without a NUL"),
            (
                NONE.thread_name("twelve bytes"),
                "Builder::thread_name is \"twelve bytes\": expected 1 to 11 bytes without a NUL",
            ),
            (NONE.thread_name("a\0b"), "Builder::thread_name is \"a\\0b\": expected 1 to 11 bytes without a NUL"),
            (
                NONE.processors(4).max_threads(2),
                "Builder::max_threads is 2: expected at least 4, the value of Builder::processors",
            ),
        ] {
            assert_eq!(resolve(settings, &[]), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_refused_value_is_named_with_its_variable() {
        let whole = "expected a whole number from 1 to 1024";
        let size = "expected a number of bytes from 16384 (16K) to 1073741824 (1024M)";
        let time = "expected a time from 0 to 86400000 milliseconds (one day)";
        for (variable, value, expected) in [
            ("GREENBRIDGE_PROCESSORS", "zero", whole),
            ("GREENBRIDGE_PROCESSORS", "", whole),
            ("GREENBRIDGE_PROCESSORS", "0", whole),
            ("GREENBRIDGE_PROCESSORS", "-1", whole),
            ("GREENBRIDGE_PROCESSORS", "+1", whole),
            ("GREENBRIDGE_PROCESSORS", " 1", whole),
            ("GREENBRIDGE_PROCESSORS", "1.5", whole),
            ("GREENBRIDGE_PROCESSORS", "100000000000000000000000000", whole),
            ("GREENBRIDGE_STACK_SIZE", "16383", size),
            ("GREENBRIDGE_STACK_SIZE", "K", size),
            ("GREENBRIDGE_STACK_SIZE", "256k", size),
            ("GREENBRIDGE_STACK_SIZE", "1025M", size),
            ("GREENBRIDGE_STACK_SIZE", "18014398509481985K", size),
            ("GREENBRIDGE_SPARE_IDLE_MS", "10s", time),
            ("GREENBRIDGE_SPARE_IDLE_MS", "86400001", time),
            ("GREENBRIDGE_THREAD_NAME", "twelve bytes", "expected 1 to 11 bytes without a NUL"),
            ("GREENBRIDGE_DEADLOCK_DETECTION", "1", "expected `on` or `off`"),
            ("GREENBRIDGE_DEADLOCK_DETECTION", "", "expected `on` or `off`"),
        ] {
            assert_eq!(resolve(NONE, &[(variable, value)]), Err(format!("{variable} is \"{value}\": {expected}")));
        }
    }

    #[test]
    fn a_variable_that_is_not_unicode_is_shown_all_the_same() {
        let error = NONE
            .resolve(&|name| (name == "GREENBRIDGE_MAX_THREADS").then(|| OsString::from_vec(b"9\xff".to_vec())))
            .unwrap_err();
        let message = "GREENBRIDGE_MAX_THREADS is \"9\\xFF\": expected a whole number from 1 to 1000000";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn sizes_may_have_a_unit_and_are_rounded_up_to_pages() {
        for (text, bytes) in [("262144", 256 << 10), ("256K", 256 << 10), ("1M", 1 << 20), ("1048577", (1 << 20) + 1)] {
            let resolved = resolve(NONE, &[("GREENBRIDGE_STACK_SIZE", text)]).unwrap();
            assert_eq!(resolved.stack_size, usize::next_multiple_of(bytes, page_size()));
        }
    }

    #[test]
    fn processors_that_nobody_asked_for_keep_to_the_limit_on_threads() {
        assert_eq!(resolve(NONE.max_threads(1), &[]).unwrap().processors, 1);
    }

    #[test]
    fn a_limit_below_the_processors_is_refused_wherever_the_two_come_from() {
        let message = "GREENBRIDGE_MAX_THREADS is \"4\": expected at least 8, the value of Builder::processors";
        assert_eq!(resolve(NONE.processors(8), &[("GREENBRIDGE_MAX_THREADS", "4")]), Err(message.to_owned()));
        let message = "Builder::max_threads is 4: expected at least 8, the value of GREENBRIDGE_PROCESSORS";
        assert_eq!(resolve(NONE.max_threads(4), &[("GREENBRIDGE_PROCESSORS", "8")]), Err(message.to_owned()));
    }

    #[test]
    #[should_panic(expected = "expected a whole number from 1 to 1024")]
    fn checked_refuses_what_resolve_would_refuse() {
        let _ = NONE.processors(0).checked();
    }
}
