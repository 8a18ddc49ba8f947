//! The atomics facade of the runtime, under the name by which the gate knows it: see `greenbridge_runtime::primitive`.

pub(crate) use greenbridge_runtime::primitive::*;
