//! What is measured along an axis: one row at several sizes or numbers of workers.

/// One row along an axis.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// Its name on the command line and in the file of figures.
    pub(crate) name: &'static str,
    pub(crate) row: &'static str,
    pub(crate) places: &'static [Place],
}

/// A place on the axis.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) at: u64,
    /// If it differs from what the command line says.
    pub(crate) workers: Option<usize>,
    pub(crate) scale: f64,
}

/// A twentieth of the callbacks are enough: they are the same again and again.
const fn workers(number: usize) -> Place {
    Place { at: number as u64, workers: Some(number), scale: 0.05 }
}

const fn tasks(number: u64) -> Place {
    Place { at: number, workers: None, scale: number as f64 / 1e7 }
}

pub(crate) const ALL: &[Sweep] = &[
    Sweep {
        name: "threads",
        row: "c_par_callback",
        places: &[workers(1), workers(2), workers(4), workers(8), workers(16), workers(32), workers(64)],
    },
    Sweep {
        name: "tasks",
        row: "seed",
        places: &[tasks(1_000), tasks(10_000), tasks(100_000), tasks(1_000_000), tasks(10_000_000)],
    },
];
