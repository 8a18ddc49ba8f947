//! Compiles the C that the rows call and the gauges that they read: with -O2 in every profile, into objects of their own,
//! so that no call into C is ever inlined.

fn main() {
    println!("cargo:rerun-if-changed=c");
    cc::Build::new()
        .files(["c/callee.c", "c/gauge.c"])
        .opt_level(2)
        .flag_if_supported("-fstack-clash-protection")
        .warnings(true)
        .extra_warnings(true)
        .compile("bench_callee");
}
