//! The rows of the tables: what one operation is, and what it should cost.

/// Who is beside us in the tables; the floor has no runtime, and so is no peer.
pub(crate) const PEERS: [&str; 3] = ["go", "may", "tokio"];

/// A table.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its markers in the book.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Row],
}

/// A line of a table.
#[derive(Debug)]
pub(crate) struct Row {
    /// As a program prints it.
    pub(crate) figure: &'static str,
    pub(crate) what: &'static str,
    /// In the unit of the figure.
    pub(crate) target: Option<f64>,
}

const fn row(figure: &'static str, what: &'static str) -> Row {
    Row { figure, what, target: None }
}

const fn aimed(figure: &'static str, what: &'static str, target: f64) -> Row {
    Row { figure, what, target: Some(target) }
}

/// What the tables hold, in their order.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        id: "calls",
        title: "Calling C, and being called",
        rows: &[
            row("c_bare", "a bare call of an empty C function from a green thread"),
            aimed("c_call", "the same through `call`", 4.0),
            aimed("c_callback", "a callback; all of them in one C call", 3.0),
            aimed("c_call_callback", "a C call that makes one callback", 7.0),
            aimed("c_par_callback", "a callback, on all processors at once; per core", 3.3),
            aimed("c_thread_callback", "a callback from a pthread that C made, after its first", 3.3),
            aimed("c_thread_first", "the first callback of a fresh pthread", 200.0),
            aimed("seed", "the program of Go issue 60961, 10 million tasks", 560.0),
        ],
    },
    Group {
        id: "switching",
        title: "Switching, waiting, messages",
        rows: &[
            aimed("yield1", "a yield of a lone green thread", 15.0),
            aimed("yield1000", "a yield, with 1,000 green threads", 27.0),
            aimed("spawn_join", "spawned and joined, in batches of 1,000", 120.0),
            aimed("skynet", "a tree of green threads with a million leaves", 480.0),
            aimed("pingpong", "a round trip over two channels of capacity 1", 105.0),
            row("pingpong0", "the same with capacity 0"),
            aimed("pingpong_callback", "as `pingpong`, one side in a callback", 220.0),
            aimed("mpmc", "a message; 4 producers, 4 consumers, capacity 1,024", 40.0),
            aimed("mutex", "a lock and unlock; 1,000 green threads, one lock", 26.0),
            row("mutex_alone", "a lock and unlock, with nobody else about"),
            aimed("select", "a message; two producers, and a `select!` over two channels of capacity 1", 125.0),
            aimed("sleepers.p50", "lateness of 100,000 green threads that sleep 0 to 500 ms", 300.0),
            aimed("sleepers.p99", "the same, of the slowest in a hundred", 1_500.0),
            row("timers.arm", "arming one of a million timers"),
            row("timers.disarm", "disarming it"),
            aimed("echo", "loopback round trips of 64 bytes over 64 connections", 130_000.0),
        ],
    },
    Group {
        id: "blocking",
        title: "While C takes long",
        rows: &[
            aimed(
                "handoff.p50",
                "one processor, back to back: until another runs behind a C call of 30 ms, through `call`",
                60.0,
            ),
            aimed("handoff.p99", "the same", 1_000.0),
            aimed("handoff_blocking.p50", "the same through `call_blocking`", 25.0),
            aimed("handoff_blocking.p99", "the same", 140.0),
            row("handoff_spawn_blocking.p50", "the same through tokio's `spawn_blocking`"),
            row("handoff_spawn_blocking.p99", "the same"),
            row("handoff_once.p50", "from idle, through `call`"),
            row("handoff_once.p99", "the same"),
            row("handoff_once_blocking.p50", "from idle, through `call_blocking`"),
            row("handoff_once_blocking.p99", "the same"),
            aimed("blocking_progress.cpu", "speed beside 64 C calls of 20 ms, over the speed alone", 0.95),
            row("blocking_progress.calls", "C calls made, over those that 64 OS threads make"),
            row("blocking_progress_blocking.cpu", "as above, through `call_blocking`"),
            row("blocking_progress_blocking.calls", "as above"),
            aimed("blocked_callbacks.during", "OS threads more, with 200 callbacks that wait", 200.0),
            aimed("blocked_callbacks.after", "... 15 s after they have ended", 0.0),
            row("interleaved_blocked.threads", "OS threads more, with 10,000 interleaved calls whose callbacks wait"),
            row("interleaved_blocked.wake", "to wake one of them and have it wait again"),
        ],
    },
    Group {
        id: "rest",
        title: "At rest",
        rows: &[
            aimed("parked_mem", "memory and page tables of one of a million parked", 4_800.0),
            row("idle.cpu", "CPU time per second with 1,000 parked"),
            row("idle.switches", "context switches per second; 0.33 are the measuring thread's"),
            aimed("idle.awake", "OS threads of the runtime that ran at all", 0.0),
            aimed("first_spawn.runtime", "from the start of the runtime to the first green thread", 200.0),
            row("first_spawn.process", "from the start of the process"),
        ],
    },
];
