//! Green locals: a value per green thread under one name, as `std::thread_local!` has one per OS thread.
//!
//! ```text
//!   static ──► index                         Head::locals ──► Vec: slot 0, slot 1, ...
//!                └──────────────────────────────────────────────────────┘   └─► value, in a box of its own
//! ```
//!
//! Each static takes a number when it is first used; that is its slot in every green thread. A green thread that uses none has a null
//! pointer and nothing else. An OS thread that is not running a green thread has slots of its own, in a thread-local.
//!
//! # Why a reference to a value stays good
//! The value lies in a box, and neither the vector's growth nor the green thread's migration moves that. It goes away at the end of the green
//! thread, when no frame of its closure is left, and in the destructors of other values only after its slot has been emptied. A value is
//! reached by the code of its own green thread alone, which is never in two places at once: so `T: Send` is enough, and `&T` may be kept over a
//! wait like one to a local variable, though `T` be a `Cell`.
//!
//! # Why a slot holds a `T`
//! A number is given to one `&'static GreenLocal`, once, and the type of that does not change. It is written into the static itself, so two
//! statics cannot be merged, and a constant cannot stand in for a static.

#![allow(
    clippy::disallowed_methods,
    reason = "an OS thread has its values in a thread-local, which is never touched across a suspension"
)]

use crate::green::thread::Head;
use crate::primitive::{AtomicUsize, Ordering};
use crate::wait::{cancel, park};
use core::cell::{Cell, RefCell};
use core::fmt;
use core::ptr::{self, NonNull};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Declares [`GreenLocal`]s, in the words of `std::thread_local!`.
///
/// # Examples
/// ```
/// use std::cell::Cell;
///
/// greenbridge_runtime::green_local! {
///     /// How many steps this green thread has taken.
///     static STEPS: Cell<u32> = Cell::new(0);
/// }
///
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let count = |steps: u32| {
///     for _ in 0..steps {
///         STEPS.set(STEPS.get() + 1);
///         greenbridge_runtime::yield_now();
///     }
///     STEPS.get()
/// };
/// let others = greenbridge_runtime::spawn(move || count(5));
/// assert_eq!(greenbridge_runtime::run(move || count(3)), 3);
/// assert_eq!(others.join().ok(), Some(5));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[macro_export]
macro_rules! green_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr; $($rest:tt)*) => {
        $crate::green_local! { $(#[$attribute])* $visibility static $name: $type = $init }
        $crate::green_local! { $($rest)* }
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr) => {
        $(#[$attribute])*
        $visibility static $name: $crate::GreenLocal<$type> = $crate::GreenLocal::new(|| $init);
    };
}

/// A value per green thread, declared by [`green_local!`](crate::green_local).
///
/// The value is made when the green thread first uses it, and destroyed at the end of the green thread, on its own stack, in no particular
/// order. A destructor may wait, and is not cut short by a cancellation; it may use other green locals. One that has been destroyed already is
/// made anew, and destroyed in a further round; what the eighth round leaves is leaked. A destructor that panics does no harm but
/// print its message. A green thread that is joined has destroyed its values.
///
/// A callback from C that runs on a green thread sees the values of that. On an OS thread that is not the runtime's, the value is the OS
/// thread's own, and is destroyed with its thread-locals.
///
/// A reference that [`with`](Self::with) lends may be kept over a wait, unlike one into a `std::thread_local!`.
pub struct GreenLocal<T: Send + 'static> {
    /// 0: none yet.
    number: AtomicUsize,
    init: fn() -> T,
}

impl<T: Send + 'static> GreenLocal<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> Self {
        Self { number: AtomicUsize::new(0), init }
    }

    /// Lends the caller's value to `f`, after making it if there is none.
    ///
    /// # Panics
    /// On an OS thread whose green locals have been destroyed; with the panic of `f`, and of the expression that makes the value.
    #[inline]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.value() {
            // SAFETY: the box of this green thread's value, which outlives the closure; see the module's documentation.
            Ok(value) => f(unsafe { value.as_ref() }),
            Err(error) => no_access(error),
        }
    }

    /// The same with an error in place of the first panic.
    ///
    /// # Errors
    /// On an OS thread whose green locals have been destroyed. On a green thread there is no error.
    #[inline]
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        // SAFETY: as in `with`.
        self.value().map(|value| f(unsafe { value.as_ref() }))
    }

    /// The caller's value. Never inlined: it reads which green thread runs, and the OS thread's own locals.
    #[inline(never)]
    fn value(&'static self) -> Result<NonNull<T>, AccessError> {
        let locals = match park::running() {
            // SAFETY: it is running this very function.
            Some(head) => &unsafe { head.as_ref() }.locals,
            None => of_thread()?,
        };
        let number = self.number.load(Ordering::Relaxed);
        match locals.get(number) {
            Some(value) => Ok(value.cast()),
            None => Ok(self.make(locals)),
        }
    }

    #[cold]
    fn make(&'static self, locals: &Locals) -> NonNull<T> {
        let number = self.number();
        // The user's code: it may wait, and it may use this very static.
        let value = (self.init)();
        if let Some(made_meanwhile) = locals.get(number) {
            return made_meanwhile.cast();
        }
        let value = NonNull::from(Box::leak(Box::new(value)));
        locals.put(number, Slot { value: value.cast(), drop: drop_box::<T> });
        value
    }

    /// Its number, taken on first use.
    fn number(&self) -> usize {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: a number publishes nothing.
        let number = self.number.load(Ordering::Relaxed);
        if number != 0 {
            return number;
        }
        let own = TAKEN.fetch_add(1, Ordering::Relaxed) + 1;
        match self.number.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => own,
            Err(of_another) => of_another,
        }
    }
}

impl<T: 'static> GreenLocal<Cell<T>>
where
    Cell<T>: Send,
{
    /// Copies the value out.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Sets the value.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    /// Takes the value, and leaves the default.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Replaces the value, and returns the old one.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> GreenLocal<RefCell<T>>
where
    RefCell<T>: Send,
{
    /// Lends the value to `f`.
    ///
    /// # Panics
    /// As [`with`](Self::with), and if it is borrowed mutably.
    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Lends the value to `f`, to be changed.
    ///
    /// # Panics
    /// As [`with`](Self::with), and if it is borrowed.
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the value.
    ///
    /// # Panics
    /// As [`with`](Self::with), and if it is borrowed.
    pub fn set(&'static self, value: T) {
        drop(self.replace(value));
    }

    /// Takes the value, and leaves the default.
    ///
    /// # Panics
    /// As [`with`](Self::with), and if it is borrowed.
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Replaces the value, and returns the old one.
    ///
    /// # Panics
    /// As [`with`](Self::with), and if it is borrowed.
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: Send + 'static> fmt::Debug for GreenLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenLocal").finish_non_exhaustive()
    }
}

/// The green locals of this OS thread have been destroyed: it is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the green locals of this OS thread have been destroyed")
    }
}

impl Error for AccessError {}

#[cold]
#[track_caller]
fn no_access(error: AccessError) -> ! {
    panic!("{error}");
}

/// The values of one green thread, or of one OS thread. Null: there are none.
pub(crate) struct Locals(Cell<*mut Vec<Option<Slot>>>);

/// A value of some type.
struct Slot {
    value: NonNull<()>,
    drop: unsafe fn(NonNull<()>),
}

/// # Safety
/// `value` is a leaked box of a `T`, and nobody refers to it.
unsafe fn drop_box<T>(value: NonNull<()>) {
    // SAFETY: by contract.
    drop(unsafe { Box::from_raw(value.cast::<T>().as_ptr()) });
}

impl Locals {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }

    #[inline]
    fn get(&self, number: usize) -> Option<NonNull<()>> {
        // SAFETY: null, or a leaked vector, which is reached from here alone and lent to nobody.
        let slots = unsafe { self.0.get().as_ref() }?;
        slots.get(number)?.as_ref().map(|slot| slot.value)
    }

    fn put(&self, number: usize, slot: Slot) {
        if self.0.get().is_null() {
            self.0.set(Box::into_raw(Box::default()));
        }
        // SAFETY: leaked above or earlier; no code of the user's runs while it is borrowed.
        let slots = unsafe { &mut *self.0.get() };
        if slots.len() <= number {
            slots.resize_with(number + 1, || None);
        }
        slots[number] = Some(slot);
    }

    /// Empties the first slot at or after `number`, and says which it was.
    fn take_from(&self, number: usize) -> Option<(usize, Slot)> {
        // SAFETY: as in `put`.
        let slots = unsafe { self.0.get().as_mut() }?;
        slots.iter_mut().enumerate().skip(number).find_map(|(at, slot)| Some((at, slot.take()?)))
    }

    /// Destroys all values, in rounds, as a destructor may make new ones.
    #[cold]
    fn destroy(&self) {
        for _ in 0..ROUNDS {
            let mut next = 0;
            while let Some((at, slot)) = self.take_from(next) {
                // SAFETY: a box of the type that `drop` is for. The closure of the green thread is over, and what destructors
                // borrow they borrow from slots that are not empty.
                let destroyed = catch_unwind(AssertUnwindSafe(|| unsafe { (slot.drop)(slot.value) }));
                // The message has been printed, and the payload may be such that its own destructor panics.
                core::mem::forget(destroyed);
                next = at + 1;
            }
            if self.is_empty() {
                break;
            }
        }
        let slots = self.0.replace(ptr::null_mut());
        // SAFETY: leaked by `put`, and no longer reachable. What is left in it is leaked, as promised.
        drop(unsafe { Box::from_raw(slots) });
    }

    /// Whether no slot holds a value.
    fn is_empty(&self) -> bool {
        // SAFETY: as in `get`.
        unsafe { self.0.get().as_ref() }.is_none_or(|slots| slots.iter().all(Option::is_none))
    }
}

/// How often destructors may make new values.
const ROUNDS: usize = 8;

/// Destroys the values of the green thread whose closure has just ended on this stack.
#[inline]
pub(crate) fn destroy_of_green(head: &Head) {
    if !head.locals.0.get().is_null() {
        cancel::shield(|| head.locals.destroy());
    }
}

/// The values of an OS thread.
struct OfThread {
    locals: Locals,
    life: Cell<Life>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Unused,
    Used,
    Over,
}

/// Destroys them when the OS thread ends.
struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        OF_THREAD.with(|own| {
            if !own.locals.0.get().is_null() {
                own.locals.destroy();
            }
            own.life.set(Life::Over);
        });
    }
}

std::thread_local! {
    // Without a destructor of its own, so that the destructors of the values reach it.
    static OF_THREAD: OfThread = const { OfThread { locals: Locals::new(), life: Cell::new(Life::Unused) } };
    static AT_EXIT: AtExit = const { AtExit };
}

/// The values of this OS thread.
#[inline(never)]
fn of_thread() -> Result<&'static Locals, AccessError> {
    let own = OF_THREAD.with(ptr::from_ref);
    // SAFETY: it has no destructor, so it is there as long as this OS thread runs. Whoever asks is no green thread, and stays on it.
    let own = unsafe { &*own };
    if own.life.get() == Life::Unused {
        AT_EXIT.try_with(|_| ()).map_err(|_| AccessError)?;
        own.life.set(Life::Used);
    }
    if own.life.get() == Life::Over { Err(AccessError) } else { Ok(&own.locals) }
}
