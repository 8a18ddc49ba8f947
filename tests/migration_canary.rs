//! A green thread that was moved to another OS thread is still taken for itself by every operation of the runtime, however
//! hard the compiler optimizes.
//!
//! The canaries are in `fixtures/migration_canary/`: they run here in the profile of the tests, and built on their own
//! with fat LTO and one codegen unit. What could break it: an address of a thread-local that is kept over a suspension.

#[path = "fixtures/migration_canary/src/canary.rs"]
mod canary;
mod support;

use canary::GREENBRIDGE;
use support::{Process, build_crate, child};

#[test]
fn moved_green_threads_are_taken_for_themselves() {
    child("canaries_sing").succeeds();
}

#[test]
#[ignore = "child process"]
fn canaries_sing() {
    canary::sing();
}

#[test]
fn moved_green_threads_are_taken_for_themselves_under_fat_lto() {
    let program = build_crate("migration_canary").join("migration-canary");
    Process::program(&program).run().succeeds().prints("migrations");
}
