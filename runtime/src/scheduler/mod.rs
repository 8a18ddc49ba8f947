//! The scheduler: who runs what, where and when. Reading order: `worker`, `search`, `schedule`, `wake`; then `in_c`, `resident`, `monitor`,
//! `patience`, `hand_off`, `spare`, `template`, `age`, `blocked`, `deadlock`, `limit`; `time`; and the protocols `status`, `idle`, `inbox`,
//! `parker` each for itself.

pub(crate) mod age;
pub(crate) mod blocked;
pub(crate) mod current;
pub(crate) mod deadlock;
pub(crate) mod hand_off;
pub(crate) mod idle;
pub(crate) mod in_c;
pub(crate) mod inbox;
pub(crate) mod limit;
pub(crate) mod monitor;
pub(crate) mod parker;
pub(crate) mod patience;
pub(crate) mod processor;
pub(crate) mod resident;
pub(crate) mod runtime;
pub(crate) mod schedule;
pub(crate) mod search;
pub(crate) mod spare;
pub(crate) mod status;
pub(crate) mod template;
pub(crate) mod time;
pub(crate) mod wake;
pub(crate) mod worker;
