//! What it costs to fetch a cache line from another core: published measurements.
//!
//! All are of one program, <https://github.com/nviennot/core-to-core-latency> (its README, commit `0dddf509`): two threads hand one
//! line to and fro by compare-and-exchange; the figure is one way, the median over pairs of cores.

/// A machine as the model sees it: cores in groups that share a cache, groups in sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    pub(crate) cores: usize,
    group: usize,
    socket: usize,
    /// Nanoseconds for a locked instruction on a line that is in the core's own cache.
    pub(crate) own: f64,
    /// Nanoseconds to fetch a line from a core of the same group, of the same socket, of the other one.
    near: f64,
    far: f64,
    across: f64,
}

/// 3rd generation Xeon Platinum 8375C, two sockets of 32 cores: 51 ns within, 108 ns across. A locked instruction takes
/// 18 to 20 cycles (Fog, "Instruction tables").
pub(crate) const XEON: Machine = Machine {
    name: "Xeon 8375C, 2 sockets",
    cores: 64,
    group: 32,
    socket: 32,
    own: 5.5,
    near: 51.0,
    far: 51.0,
    across: 108.0,
};

/// 3rd generation EPYC (7R13): 23 ns in a group of 8, 107 ns beyond, 197 ns across. That machine has 48 cores in a socket; the model
/// gives it the 64 of the largest of its kind. A locked instruction as measured on the machine of `docs/benchmarks.md`, an EPYC too.
pub(crate) const EPYC: Machine = Machine {
    name: "EPYC Milan, 2 sockets",
    cores: 128,
    group: 8,
    socket: 64,
    own: 2.4,
    near: 23.0,
    far: 107.0,
    across: 197.0,
};

impl Machine {
    /// One with two cores and this much between them: the one that the program runs on.
    pub(crate) fn of_two(own: f64, transfer: f64) -> Self {
        Self {
            name: "this machine",
            cores: 2,
            group: 2,
            socket: 2,
            own,
            near: transfer,
            far: transfer,
            across: transfer,
        }
    }

    /// What an access to a line costs that `owner` used last.
    pub(crate) fn transfer(&self, owner: usize, core: usize) -> f64 {
        if owner == core {
            self.own
        } else if owner / self.group == core / self.group {
            self.near
        } else if owner / self.socket == core / self.socket {
            self.far
        } else {
            self.across
        }
    }
}
