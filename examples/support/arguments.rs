//! What the command lines of the examples have in common.

use std::ffi::OsString;
use std::ops::RangeInclusive;

/// The arguments behind the program's name, as pairs of a flag and its value, which it is written with as `--flag value` or `--flag=value`.
pub(crate) struct Arguments<I>(I);

/// A flag, and its value if it was written in one with it.
pub(crate) struct Flag {
    pub(crate) name: String,
    inline: Option<String>,
}

impl<I: Iterator<Item = OsString>> Arguments<I> {
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
