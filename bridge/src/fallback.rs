//! What C gets when an export has no result to give: the value that the export declares, or a zero.
//!
//! The two ways are types, not a flag, so that the path without a panic carries nothing. They differ in more than the
//! value: a declared fallback is also what C gets where no call of Rust's is there to receive the panic, whereas a
//! zero that nobody declared stands in only while the panic is kept for the Rust code that called C.

use core::ptr;

/// Where an export's substitute for a result comes from; `#[greenbridge::export]` chooses the type.
pub trait Fallback<R> {
    /// Whether the export's author has said what C gets.
    const DECLARED: bool;

    /// The substitute. Called at most once, and only when there is no result.
    fn value(self) -> R;
}

/// The export declares no fallback: a zero is the substitute.
#[derive(Debug)]
pub struct Zero;

impl<R: ZeroFallback> Fallback<R> for Zero {
    const DECLARED: bool = false;

    fn value(self) -> R {
        R::ZERO
    }
}

/// The export declares a fallback: this closure computes it.
#[derive(Debug)]
pub struct Declared<F>(pub F);

impl<R, F: FnOnce() -> R> Fallback<R> for Declared<F> {
    const DECLARED: bool = true;

    fn value(self) -> R {
        self.0()
    }
}

/// A type with a value that C takes for "nothing": zero, null, false.
///
/// It need not mean failure. Where a library reads 0 as success, declare a fallback that it reads as failure.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no zero that C could be given if this export panics",
    label = "no zero for this return type",
    note = "declare what C gets: `#[greenbridge::export(fallback = VALUE)]`"
)]
pub trait ZeroFallback {
    /// That value.
    const ZERO: Self;
}

macro_rules! zero {
    ($($zero:literal: $($ty:ty),+;)+) => {
        $($(
            impl ZeroFallback for $ty {
                const ZERO: Self = $zero;
            }
        )+)+
    };
}

zero! {
    0: i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize;
    0.0: f32, f64;
    false: bool;
}

impl ZeroFallback for () {
    const ZERO: Self = ();
}

impl<T> ZeroFallback for *const T {
    const ZERO: Self = ptr::null();
}

impl<T> ZeroFallback for *mut T {
    const ZERO: Self = ptr::null_mut();
}

/// `None` is a null pointer to C: of a function, a `NonNull`, a reference or a `Box`.
impl<T> ZeroFallback for Option<T> {
    const ZERO: Self = None;
}
