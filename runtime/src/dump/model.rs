//! What a dump consists of: plain values, which own all they show, so that they can be kept, sent and written as JSON (feature `serde`).

/// Everything that a process does at one moment: see [`dump`](super::dump()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Dump {
    /// The process.
    pub process: u32,
    /// How long it took to take it, in microseconds.
    pub took_us: u64,
    /// Green threads that have begun and not ended: as many as there are stacks in use.
    pub green_threads: usize,
    /// Green threads in queues that have not begun, about: they have no stack yet, and are not among the groups.
    pub not_begun: usize,
    /// Green threads that began, ended or changed so fast while the dump was taken that they could not be seen.
    pub missed: usize,
    /// Green threads, and OS threads that block in a wait of the runtime's, told together where they agree.
    pub groups: Vec<Group>,
    /// How many are in no group, because there are too many different ones.
    pub more: usize,
    /// Every processor.
    pub processors: Vec<Processor>,
    /// Every worker that has an OS thread.
    pub workers: Vec<Worker>,
    /// Why there are no backtraces, if there are none.
    pub no_backtraces: Option<String>,
}

/// Those that agree in everything but their names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Group {
    /// How many there are.
    pub count: usize,
    /// What they are doing.
    pub state: State,
    /// Where they were spawned. None: they are OS threads that the runtime did not make.
    pub spawned_at: Option<String>,
    /// What they wait for.
    pub waits_for: Option<String>,
    /// Where in the source they wait.
    pub waits_at: Option<String>,
    /// How long they have waited, in milliseconds, the shortest and the longest: to about 10 ms.
    pub waited_ms: Option<(u64, u64)>,
    /// What keeps them on an OS thread.
    pub pinned: Pinned,
    /// The first of them by id: all in a small program.
    pub members: Vec<Member>,
    /// Their backtrace.
    pub stack: Option<Stack>,
    /// Of how many the backtrace was taken; the others agree in the rest.
    pub stacks_taken: usize,
}

/// What a green thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// It runs, in C.
    InC,
    /// It runs.
    Runs,
    /// It is in a queue.
    Ready,
    /// It waits.
    Waits,
}

/// What keeps a green thread on its OS thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Pinned {
    /// Nothing, or it runs.
    No,
    /// It blocks that OS thread.
    Blocks,
    /// C is on its stack.
    ByC,
    /// It holds a guard of `pin()`.
    ByGuard,
    /// Both.
    ByCAndGuard,
}

/// A green thread, or an OS thread that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Member {
    /// The number of the green thread. None: it is an OS thread.
    pub id: Option<u64>,
    /// Its name.
    pub name: Option<String>,
    /// The worker that runs it, or to which it is pinned.
    pub worker: Option<usize>,
    /// The OS thread that it blocks, runs on, is pinned to, or is.
    pub os_thread: Option<OsThread>,
    /// How long it has waited, in milliseconds.
    pub waited_ms: Option<u64>,
}

/// An OS thread.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OsThread {
    /// The kernel's number.
    pub number: u32,
    /// Its name; `main` for the first.
    pub name: Option<String>,
}

/// A backtrace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stack {
    /// The innermost first.
    pub frames: Vec<Frame>,
    /// Whether it reaches the beginning of the green thread.
    pub is_complete: bool,
    /// The C function that it is in, or that it is pinned by, and where that was called through a way to call.
    pub in_c: Option<String>,
}

/// A function in a backtrace.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Frame {
    /// Its name; the address where there is none.
    pub function: String,
    /// The file, and the line in it, where it is known.
    pub at: Option<String>,
    /// The address of the instruction.
    pub address: u64,
    /// Whether it is inlined into the next one.
    pub is_inlined: bool,
    /// Whether it is part of the runtime, or of what lies beneath every green thread.
    pub is_runtime: bool,
}

/// A processor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Processor {
    /// Which one it is.
    pub index: usize,
    /// The worker that owns it. None: it is idle, or changes hands.
    pub worker: Option<usize>,
    /// Green threads in its queue.
    pub queued: usize,
    /// Turns so far, modulo 2^32.
    pub turns: u32,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Worker {
    /// Which one it is.
    pub index: usize,
    /// Its OS thread.
    pub os_thread: OsThread,
    /// What it is doing.
    pub state: WorkerState,
    /// The processor that it owns.
    pub processor: Option<usize>,
    /// The green thread that it runs.
    pub green_thread: Option<u64>,
    /// Pinned green threads that are suspended on it.
    pub residents: usize,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WorkerState {
    /// It runs a green thread.
    Runs,
    /// It runs a green thread that is in C.
    InC,
    /// It runs a green thread that blocks it.
    Blocks,
    /// It looks for work.
    Looks,
    /// It sleeps.
    Sleeps,
}
