//! What C expects of a shared library: a soname, and here that `dlclose` leaves it in place, for its OS threads run on.

fn main() {
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libkey_service.so.0");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
