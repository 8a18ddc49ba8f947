//! A green thread: its control block, its state word, its switch, and one turn of it.

pub(crate) mod glimpse;
pub(crate) mod origin;
pub(crate) mod state;
pub(crate) mod switch;
pub(crate) mod thread;
pub(crate) mod turn;
