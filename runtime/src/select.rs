//! Waiting for the first of several things: the macro [`select!`](crate::select!).
//!
//! Use it on a green thread, in a callback from C or on an OS thread. In an `async` block of tokio or smol use that world's own
//! `select!` over the futures of this library: all of them may be dropped at any time, and have taken nothing then.
//!
//! # Examples
//! ```
//! use greenbridge_runtime::select;
//! use greenbridge_runtime::sync::channel;
//! use std::time::Duration;
//!
//! # // SAFETY: nothing here touches a thread-local across a wait.
//! # unsafe { greenbridge_runtime::Builder::new().start()? };
//! let (numbers, received) = channel::bounded(1);
//! let (stop, stopped) = channel::bounded::<()>(0);
//! let producer = greenbridge_runtime::spawn(move || {
//!     let mut sent = 0;
//!     loop {
//!         select! {
//!             send(numbers, sent) -> result => {
//!                 if result.is_err() {
//!                     return sent;
//!                 }
//!                 sent += 1;
//!             }
//!             recv(stopped) -> _ => break sent,
//!             after(Duration::from_secs(3600)) => panic!("nobody receives"),
//!         }
//!     }
//! });
//! let sum: i32 = (0..5).map_while(|_| received.recv().ok()).sum();
//! assert_eq!(sum, 0 + 1 + 2 + 3 + 4);
//! drop(stop);
//! assert!(matches!(producer.join(), Ok(5..)));
//! # Ok::<(), greenbridge_runtime::StartError>(())
//! ```
//!
//! # What the order means
//! If several branches are ready, one of them is chosen at random, each with the same chance, so no branch starves another. A `default`
//! branch is chosen if none is ready.
//!
//! # What a branch that is not chosen has done
//! Nothing. It has taken no message, not even for a moment: a sender of a channel without room is let go only by a receiver that keeps
//! the message. Its handle, future or channel can be used again.
//!
//! # What it is made of
//! The branches lie on the caller's stack; nothing is allocated, and no green thread is started. See `wait/select.rs` for how it works.

#[doc(hidden)]
pub mod branch;
mod random;

#[doc(hidden)]
pub use crate::sync::channel::branch::{RecvBranch, SendBranch};

use crate::JoinHandle;
use crate::sync::channel::{Receiver, Sender};
use crate::wait::commit::Commit;
use crate::wait::select::{Branch, Selecting};
use crate::wait::{What, wait_until};
use branch::{Completes, FutureBranch, Guarded, TimerBranch};
use core::pin::Pin;
use core::task::{Context, Waker};
use std::time::{Duration, Instant};

/// Waits for the first of several things, and runs the code of that branch.
///
/// ```text
/// select! {
///     recv(receiver) -> message => ...,      // Result<T, RecvError>
///     send(sender, value) -> result => ...,  // Result<(), SendError<T>>
///     join(&mut handle) -> result => ...,    // Result<T, Box<dyn Any + Send>>
///     future(expression) -> output => ...,   // the future's output
///     after(duration) => ...,
///     at(instant) => ...,
///     default => ...,                        // at once, if no branch is ready
/// }
/// ```
/// There may be any number of branches of each kind (some sixty in all, before the compiler asks for a larger `recursion_limit`), in any
/// order, and one `default`. What is in parentheses is any expression, what follows the `->` any pattern that always matches; the value
/// of the macro is that of the code that was run. That code is not part of the wait: `break`, `continue`, `return` and `?` work in it as
/// beside it. As in a `match`, a comma follows code that is not a block.
///
/// A branch may have a condition, as in `recv(receiver) -> message, if wants_more => ...`. It is looked at once; if it is false, the
/// branch is never chosen. A closed channel is always ready, so a loop that goes on after the end of one of its channels switches that
/// branch off.
///
/// # The branches
/// The expressions are all evaluated first, once each, in the order in which they stand, also those of branches with a false condition.
/// * `recv` and `send` borrow a [`Receiver`] or [`Sender`], or what dereferences to one. The value of a `send` that is not chosen is
///   dropped, so give it a clone, or make it from what stays where it is; if the channel is closed, the error has it.
/// * `join` borrows a [`JoinHandle`], which can be joined afterwards if the branch was not chosen.
/// * `future` takes a future, or anything else that can be awaited, and pins it; give it `&mut` of a pinned future, or of one that is
///   `Unpin`, to keep it. The future is polled by the caller and by nobody else, and not while a counterpart may choose another branch, so
///   its output is never lost. One that is given by value and not chosen is dropped.
/// * `after` counts from when it is evaluated. An [`Instant`] in the past is ready at once; a [`Duration`] too long for the clock is never.
///
/// # Blocking
/// A green thread waits alone, also in a callback from C; any other OS thread blocks. With a `default` branch it does not wait. If every
/// branch has a false condition, and there is no `default`, it waits for ever.
///
/// # Panics
/// In a callback under a bare C call, if it would have to wait; if a future panics; and with a timer on a green thread, if the runtime has
/// not been started.
///
/// # Cancellation
/// A wait that is cut short has taken no message. A value that was about to be sent has been sent, or is dropped.
///
/// # Examples
/// One that takes what is there:
/// ```
/// use greenbridge_runtime::{select, sync::channel};
///
/// let (sender, receiver) = channel::bounded(1);
/// sender.try_send(7).ok();
/// let first = select! {
///     recv(receiver) -> message => message.ok(),
///     default => None,
/// };
/// assert_eq!(first, Some(7));
/// ```
/// Two channels, until both are closed:
/// ```
/// use greenbridge_runtime::{select, sync::channel};
///
/// let (words, numbers) = (channel::bounded(1), channel::bounded(1));
/// words.0.send("one").ok();
/// numbers.0.send(2).ok();
/// drop((words.0, numbers.0));
/// let (mut more_words, mut more_numbers, mut got) = (true, true, Vec::new());
/// while more_words || more_numbers {
///     select! {
///         recv(words.1) -> word, if more_words => match word {
///             Ok(word) => got.push(word.to_owned()),
///             Err(_) => more_words = false,
///         },
///         recv(numbers.1) -> number, if more_numbers => match number {
///             Ok(number) => got.push(number.to_string()),
///             Err(_) => more_numbers = false,
///         },
///     }
/// }
/// got.sort();
/// assert_eq!(got, ["2", "one"]);
/// ```
#[macro_export]
macro_rules! select {
    () => {
        ::core::compile_error!("`select!` needs a branch, such as `recv(receiver) -> message => ...`")
    };
    ($($arms:tt)+) => {
        $crate::__select!(@arms [] [] $($arms)+)
    };
}

/// The steps of `select!`. `@arms [branches] [default] rest` reads the head of an arm, `@body head [branches] [default] rest` its code;
/// a branch becomes `{name [made by] [condition] [pattern] [code]}`, with a name of its own by hygiene. `@build` writes the wait.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    (@arms [$($branches:tt)*] $default:tt) => {
        $crate::__select!(@build [$($branches)*] $default)
    };
    (@arms $branches:tt [] default => $($rest:tt)*) => {
        $crate::__select!(@body default $branches [] $($rest)*)
    };
    (@arms $branches:tt $default:tt default => $($rest:tt)*) => {
        ::core::compile_error!("a `select!` has one `default` branch at most")
    };
    (@arms $branches:tt $default:tt default $($rest:tt)*) => {
        ::core::compile_error!("expected `default => ...`: to wait for a while first, write `after(duration) => ...`")
    };
    (@arms $branches:tt $default:tt recv($receiver:expr $(,)?) -> $pattern:pat $(, if $condition:expr)? => $($rest:tt)*) => {
        $crate::__select!(
            @body {[$crate::select::recv(&$receiver)] [$($condition)?] [$pattern]} $branches $default $($rest)*
        )
    };
    (@arms $branches:tt $default:tt recv $($rest:tt)*) => {
        ::core::compile_error!("expected `recv(receiver) -> message => ...`")
    };
    (@arms $branches:tt $default:tt
        send($sender:expr, $value:expr $(,)?) -> $pattern:pat $(, if $condition:expr)? => $($rest:tt)*
    ) => {
        $crate::__select!(
            @body {[$crate::select::send(&$sender, $value)] [$($condition)?] [$pattern]} $branches $default $($rest)*
        )
    };
    (@arms $branches:tt $default:tt send $($rest:tt)*) => {
        ::core::compile_error!("expected `send(sender, value) -> result => ...`")
    };
    (@arms $branches:tt $default:tt join($handle:expr $(,)?) -> $pattern:pat $(, if $condition:expr)? => $($rest:tt)*) => {
        $crate::__select!(
            @body {[$crate::select::join($handle)] [$($condition)?] [$pattern]} $branches $default $($rest)*
        )
    };
    (@arms $branches:tt $default:tt join $($rest:tt)*) => {
        ::core::compile_error!("expected `join(&mut handle) -> result => ...`")
    };
    (@arms $branches:tt $default:tt future($future:expr $(,)?) -> $pattern:pat $(, if $condition:expr)? => $($rest:tt)*) => {
        $crate::__select!(
            @body {[$crate::select::future($future)] [$($condition)?] [$pattern]} $branches $default $($rest)*
        )
    };
    (@arms $branches:tt $default:tt future $($rest:tt)*) => {
        ::core::compile_error!("expected `future(expression) -> output => ...`")
    };
    (@arms $branches:tt $default:tt after($duration:expr $(,)?) $(, if $condition:expr)? => $($rest:tt)*) => {
        $crate::__select!(
            @body {[$crate::select::after($duration)] [$($condition)?] [()]} $branches $default $($rest)*
        )
    };
    (@arms $branches:tt $default:tt after $($rest:tt)*) => {
        ::core::compile_error!("expected `after(duration) => ...`")
    };
    (@arms $branches:tt $default:tt at($instant:expr $(,)?) $(, if $condition:expr)? => $($rest:tt)*) => {
        $crate::__select!(
            @body {[$crate::select::at($instant)] [$($condition)?] [()]} $branches $default $($rest)*
        )
    };
    (@arms $branches:tt $default:tt at $($rest:tt)*) => {
        ::core::compile_error!("expected `at(instant) => ...`")
    };
    (@arms $branches:tt $default:tt $unknown:tt $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($unknown), "` is no branch of `select!`: ",
            "expected `recv`, `send`, `join`, `future`, `after`, `at` or `default`"
        ))
    };

    (@body $head:tt $branches:tt $default:tt $body:block , $($rest:tt)*) => {
        $crate::__select!(@add $head $branches $default [$body] $($rest)*)
    };
    (@body $head:tt $branches:tt $default:tt $body:block $($rest:tt)*) => {
        $crate::__select!(@add $head $branches $default [$body] $($rest)*)
    };
    (@body $head:tt $branches:tt $default:tt $body:expr , $($rest:tt)*) => {
        $crate::__select!(@add $head $branches $default [$body] $($rest)*)
    };
    (@body $head:tt $branches:tt $default:tt $body:expr) => {
        $crate::__select!(@add $head $branches $default [$body])
    };
    (@body $($rest:tt)*) => {
        ::core::compile_error!("expected the code of a branch of `select!` after `=>`, and a comma after it if it is not a block")
    };

    (@add default $branches:tt [] $body:tt $($rest:tt)*) => {
        $crate::__select!(@arms $branches $body $($rest)*)
    };
    (@add {$make:tt $condition:tt $pattern:tt} [$($branches:tt)*] $default:tt $body:tt $($rest:tt)*) => {
        $crate::__select!(@arms [$($branches)* {branch $make $condition $pattern $body}] $default $($rest)*)
    };

    (@build [] [$default:expr]) => {
        $default
    };
    (@build [$({$name:ident $make:tt $condition:tt $pattern:tt $body:tt})+] $default:tt) => {{
        // A statement of its own: what the expressions borrow or make for the wait is gone when the code of a branch runs.
        let output = match ($($crate::__select!(@make $make $condition),)+) {
            ($($name,)+) => {
                $(let mut $name = ::core::pin::pin!($name);)+
                $crate::__select!(@wait $default [$($name.as_mut()),+]);
                $crate::__select!(@take $($name)+)
            }
        };
        $crate::__select!(@run output $default $({$pattern $body})+)
    }};

    (@make [$make:expr] []) => {
        $make
    };
    (@make [$make:expr] [$condition:expr]) => {
        $crate::select::guarded($condition, $make)
    };

    (@wait [] $branches:expr) => {
        $crate::select::wait(&mut $branches)
    };
    (@wait [$default:expr] $branches:expr) => {
        $crate::select::try_now(&mut $branches)
    };

    (@take) => {
        ()
    };
    (@take $name:ident $($rest:ident)*) => {
        match $crate::select::take($name.as_mut()) {
            ::core::option::Option::Some(output) => ::core::result::Result::Ok(output),
            ::core::option::Option::None => ::core::result::Result::Err($crate::__select!(@take $($rest)*)),
        }
    };

    (@run $output:ident []) => {
        $crate::select::none_has_completed($output)
    };
    (@run $output:ident [$default:expr]) => {
        match $output {
            () => $default,
        }
    };
    (@run $output:ident $default:tt {[$pattern:pat] [$body:expr]} $($rest:tt)*) => {
        match $output {
            ::core::result::Result::Ok($pattern) => $body,
            ::core::result::Result::Err(rest) => $crate::__select!(@run rest $default $($rest)*),
        }
    };
}

/// Makes the branch `recv(receiver)`.
#[doc(hidden)]
pub fn recv<T>(receiver: &Receiver<T>) -> RecvBranch<'_, T> {
    RecvBranch::new(receiver)
}

/// Makes the branch `send(sender, message)`.
#[doc(hidden)]
pub fn send<T>(sender: &Sender<T>, message: T) -> SendBranch<'_, T> {
    SendBranch::new(sender, message)
}

/// Makes the branch `join(handle)`.
#[doc(hidden)]
pub fn join<T>(handle: &mut JoinHandle<T>) -> FutureBranch<&mut JoinHandle<T>> {
    FutureBranch::new(handle)
}

/// Makes the branch `future(future)`.
#[doc(hidden)]
pub fn future<F: IntoFuture>(future: F) -> FutureBranch<F::IntoFuture> {
    FutureBranch::new(future.into_future())
}

/// Makes the branch `after(duration)`.
#[doc(hidden)]
pub fn after(duration: Duration) -> TimerBranch {
    TimerBranch::after(duration)
}

/// Makes the branch `at(instant)`.
#[doc(hidden)]
pub fn at(instant: Instant) -> TimerBranch {
    TimerBranch::at(instant)
}

/// Gives a branch a condition.
#[doc(hidden)]
pub fn guarded<B: Completes>(is_enabled: bool, branch: B) -> Guarded<B> {
    Guarded::new(is_enabled, branch)
}

/// What a branch has brought, if it was chosen.
#[doc(hidden)]
pub fn take<B: Completes>(branch: Pin<&mut B>) -> Option<B::Output> {
    branch.take()
}

/// Waits until one branch has completed.
#[doc(hidden)]
#[inline(never)]
#[track_caller]
pub fn wait<'b>(branches: &mut [Pin<&'b mut (dyn Branch + 'b)>]) {
    let commit = Commit::new();
    let deadline = branches.iter().filter_map(|branch| branch.deadline()).min();
    let sequence = random::sequence();
    let mut selecting = Selecting::new(branches, &commit, || random::next(sequence));
    while wait_until(What::Select, deadline, |context| selecting.poll(context)).is_none() {
        // The deadline has come, so at least that branch is ready.
        if selecting.completes_at_once(&mut Context::from_waker(Waker::noop())) {
            break;
        }
    }
}

/// Lets one branch complete if that needs no wait.
#[doc(hidden)]
#[inline(never)]
pub fn try_now<'b>(branches: &mut [Pin<&'b mut (dyn Branch + 'b)>]) {
    let commit = Commit::new();
    let sequence = random::sequence();
    let mut selecting = Selecting::new(branches, &commit, || random::next(sequence));
    let _ = selecting.completes_at_once(&mut Context::from_waker(Waker::noop()));
}

/// What the macro has in the place of a `default` branch.
#[doc(hidden)]
pub fn none_has_completed(_: ()) -> ! {
    unreachable!("a select that has waited has a branch that completed")
}
