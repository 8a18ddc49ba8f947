//! Waiting for a future.

use super::{What, wait};
use core::pin::pin;

/// Waits until `future` is done, and returns its output.
///
/// The future is polled on the caller's own stack, and nowhere else. It may be anybody's: whatever wakes its `Waker` resumes the caller.
///
/// # Blocking
/// On a green thread only that waits. In a callback from C the green thread waits with its C frames, pinned to its OS thread. On
/// any other OS thread, that thread blocks.
///
/// # Panics
/// If the future panics; and in a callback under a bare C call, if the future is not done at once.
///
/// # Examples
/// ```
/// # // SAFETY: nothing here touches a thread-local across a wait.
/// # unsafe { greenbridge_runtime::Builder::new().start()? };
/// let (sender, receiver) = greenbridge_runtime::sync::channel::bounded(1);
/// let sum = greenbridge_runtime::run(move || {
///     let adds = greenbridge_runtime::spawn(move || {
///         greenbridge_runtime::block_on(async { receiver.recv_async().await.unwrap_or(0) + 1 })
///     });
///     sender.send(41).ok();
///     adds.join()
/// });
/// assert_eq!(sum.ok(), Some(42));
/// # Ok::<(), greenbridge_runtime::StartError>(())
/// ```
#[inline(never)]
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    wait(What::Future, |context| future.as_mut().poll(context))
}
