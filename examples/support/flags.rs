//! What the command lines have in common, and a limit of the process.

use super::AnyError;
use super::ways::Way;
use std::ops::RangeInclusive;

/// The arguments behind the program's name, as pairs of a flag and its value, which it is written with as `--flag value` or `--flag=value`.
pub(crate) struct Arguments<I>(I);

/// A flag, and its value if it was written in one with it.
pub(crate) struct Flag {
    pub(crate) name: String,
    inline: Option<String>,
}

impl<I: Iterator<Item = std::ffi::OsString>> Arguments<I> {
    pub(crate) fn new(arguments: I) -> Self {
        Self(arguments)
    }

    /// The next flag.
    pub(crate) fn flag(&mut self) -> Option<Flag> {
        let argument = self.text()?;
        Some(match argument.split_once('=') {
            Some((name, value)) => Flag { name: name.to_owned(), inline: Some(value.to_owned()) },
            None => Flag { name: argument, inline: None },
        })
    }

    /// The value of `flag`: a whole number of `range`.
    ///
    /// # Errors
    /// A sentence that names the flag, its value, and what is accepted.
    pub(crate) fn number(&mut self, flag: &Flag, range: RangeInclusive<usize>) -> Result<usize, String> {
        let (name, accepted) = (&flag.name, format!("a whole number from {} to {}", range.start(), range.end()));
        let value = self.value(flag).ok_or_else(|| format!("{name} needs a value: {accepted}"))?;
        match value.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!("{name} `{value}` is not accepted: it must be {accepted}")),
        }
    }

    /// The value of `flag`, as it is written.
    pub(crate) fn value(&mut self, flag: &Flag) -> Option<String> {
        flag.inline.clone().or_else(|| self.text())
    }

    /// What is not Unicode is shown with replacement characters, and then refused like any other wrong value.
    fn text(&mut self) -> Option<String> {
        self.0.next().map(|argument| argument.to_string_lossy().into_owned())
    }
}

impl Flag {
    /// Whether it asks for help.
    pub(crate) fn is_help(&self) -> bool {
        self.inline.is_none() && matches!(&*self.name, "--help" | "-h")
    }

    /// As it was written.
    pub(crate) fn written(&self) -> String {
        self.inline.as_ref().map_or_else(|| self.name.clone(), |value| format!("{}={value}", self.name))
    }
}

/// The way with this number, in a child's command line.
pub(crate) fn way(number: usize) -> Option<Way> {
    Way::ALL.get(number).copied()
}

/// The number of a way.
pub(crate) fn number_of(way: Way) -> usize {
    Way::ALL.iter().position(|other| *other == way).unwrap_or_default()
}

/// Lets the process have as many descriptors as the system allows: each request under way has a socket.
///
/// # Errors
/// If the system refuses.
pub(crate) fn raise_descriptors() -> Result<(), AnyError> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it fills, and then reads, a limit.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
        }
    };
    if done { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
