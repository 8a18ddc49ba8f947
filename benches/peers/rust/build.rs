//! Compiles the C that all rows call, and the gauges, into objects of their own, without link-time optimisation, so that no
//! call into C is ever inlined.
fn main() {
    println!("cargo:rerun-if-changed=../../c");
    cc::Build::new()
        .files(["../../c/callee.c", "../../c/gauge.c"])
        .opt_level(2)
        .flag_if_supported("-fstack-clash-protection")
        .compile("callee");
}
