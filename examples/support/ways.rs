//! The ways to wait in a callback of C: a green thread for each call, and what is done without.

use super::AnyError;
use tokio::runtime::Runtime;

/// How many calls are served at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A green thread for each.
    Green,
    /// tokio's `spawn_blocking`, with its default limit of 512 threads.
    SpawnBlocking,
    /// An OS thread for each.
    Threads,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Green, Self::SpawnBlocking, Self::Threads];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Green => "green threads",
            Self::SpawnBlocking => "spawn_blocking",
            Self::Threads => "a thread each",
        }
    }
}

/// Calls `f` with 0, 1, 2, ..., all at the same time, in `way`.
///
/// # Errors
/// The first of `f`'s.
pub(crate) fn serve<F>(way: Way, tokio: &Runtime, count: usize, f: F) -> Result<(), AnyError>
where
    F: Fn(usize) -> Result<(), AnyError> + Clone + Send + 'static,
{
    let each = (0..count).map(|n| {
        let f = f.clone();
        move || f(n)
    });
    let gone = |_| AnyError::from("a thread has panicked");
    match way {
        Way::Green => {
            let all: Vec<_> = each.map(greenbridge::spawn).collect();
            all.into_iter().try_for_each(|thread| thread.join().map_err(gone)?)
        }
        Way::SpawnBlocking => {
            let all: Vec<_> = each.map(|f| tokio.spawn_blocking(f)).collect();
            all.into_iter().try_for_each(|task| tokio.block_on(task)?)
        }
        Way::Threads => {
            let threads: Result<Vec<_>, _> = each.map(|f| std::thread::Builder::new().spawn(f)).collect();
            threads?.into_iter().try_for_each(|thread| thread.join().map_err(gone)?)
        }
    }
}
