//! What may be sent to another thread, or be shared with one, is `Send` and `Sync`, as far as what it carries is.
//!
//! What could break it: a raw pointer or a cell in a type, which takes both away without a word. That this file compiles is the
//! test; that the opposite does not is in `tests/compile_fail/`.

use greenbridge::cancel::{CancelToken, Cancelled, CancelledFuture};
use greenbridge::channel::{
    IntoIter, Iter, Receiver, RecvError, RecvFuture, SendError, SendFuture, Sender, TryIter, TryRecvError, TrySendError,
};
use greenbridge::sync::{broadcast, oneshot, watch};
use greenbridge::{
    AccessError, Builder, GreenLocal, JoinHandle, Scope, ScopedJoinHandle, StackError, StackShortage, Start,
    StartError, Thread, ThreadBuilder, ThreadId, time,
};
use std::cell::Cell;

/// It is `Send`, and not `Sync`: the least that a message must be.
type Message = Cell<i32>;

fn assert_send<T: Send>() {}
fn assert_sync<T: Sync>() {}
fn assert_both<T: Send + Sync>() {}
fn assert_static<T: Send + Sync + 'static>() {}

#[test]
fn handles_of_green_threads_may_go_anywhere() {
    assert_static::<JoinHandle<()>>();
    assert_static::<JoinHandle<Message>>();
    assert_static::<Thread>();
    assert_static::<ThreadId>();
    assert_static::<ThreadBuilder>();
}

#[test]
fn scopes_tokens_and_green_locals_may_be_shared() {
    assert_both::<Scope<'_, '_>>();
    assert_both::<ScopedJoinHandle<'_, Message>>();
    assert_static::<CancelToken>();
    assert_static::<Cancelled>();
    assert_both::<CancelledFuture<'_>>();
    assert_static::<GreenLocal<Message>>();
    assert_static::<AccessError>();
}

#[test]
fn both_ends_of_a_channel_may_be_shared() {
    assert_static::<Sender<Message>>();
    assert_static::<Receiver<Message>>();
    assert_both::<Iter<'_, Message>>();
    assert_both::<TryIter<'_, Message>>();
    assert_both::<IntoIter<Message>>();
}

#[test]
fn other_channels_may_be_shared_as_far_as_their_messages_may() {
    assert_static::<oneshot::Sender<Message>>();
    assert_static::<oneshot::Receiver<Message>>();
    assert_static::<broadcast::Sender<i32>>();
    assert_static::<broadcast::Receiver<i32>>();
    assert_static::<watch::Sender<i32>>();
    assert_static::<watch::Receiver<i32>>();
}

#[test]
fn timers_may_go_anywhere() {
    assert_static::<time::Sleep>();
    assert_static::<time::Interval>();
    assert_static::<time::TimeReceiver>();
    assert_static::<time::Elapsed>();
}

#[test]
fn futures_may_be_polled_by_an_executor_with_several_threads() {
    assert_send::<SendFuture<'_, Message>>();
    assert_send::<RecvFuture<'_, Message>>();
    assert_send::<JoinHandle<Message>>();
    assert_sync::<JoinHandle<Message>>();
}

#[test]
fn errors_may_be_boxed_and_sent() {
    assert_static::<StartError>();
    assert_static::<StackError>();
    assert_static::<StackShortage>();
    assert_static::<RecvError>();
    assert_static::<TryRecvError>();
    assert_static::<SendError<i32>>();
    assert_static::<TrySendError<i32>>();
    assert_send::<SendError<Message>>();
    assert_send::<TrySendError<Message>>();
}

#[test]
fn settings_may_be_constants_and_statics() {
    assert_static::<Builder>();
    assert_static::<Start>();
}

#[test]
fn guards_and_permits_may_go_wherever_their_green_thread_goes() {
    use greenbridge::sync::{
        MappedRwLockWriteGuard, OwnedSemaphorePermit, RwLockReadGuard, RwLockWriteGuard, SemaphorePermit,
        WaitGroupMember,
    };
    assert_both::<RwLockReadGuard<'_, i32>>();
    assert_both::<RwLockWriteGuard<'_, i32>>();
    assert_both::<MappedRwLockWriteGuard<'_, i32>>();
    // It cannot be downgraded, so nobody else reads.
    assert_send::<MappedRwLockWriteGuard<'_, Message>>();
    assert_both::<SemaphorePermit<'_>>();
    assert_static::<OwnedSemaphorePermit>();
    assert_static::<WaitGroupMember>();
}

#[test]
fn what_is_waited_with_may_be_shared() {
    use greenbridge::sync::{
        Barrier, LazyLock, Notified, Notify, Once, OnceLock, RwLock, Semaphore, TimedOut, WaitGroup,
    };
    assert_static::<RwLock<i32>>();
    assert_send::<RwLock<Message>>();
    assert_static::<Semaphore>();
    assert_static::<Barrier>();
    assert_static::<Once>();
    assert_static::<OnceLock<i32>>();
    assert_send::<OnceLock<Message>>();
    assert_static::<LazyLock<i32>>();
    assert_static::<Notify>();
    assert_both::<Notified<'_>>();
    assert_static::<WaitGroup>();
    assert_static::<TimedOut>();
}

#[test]
fn locking_futures_may_be_polled_by_an_executor_with_several_threads() {
    use greenbridge::sync::{OnceLock, RwLock, Semaphore};
    fn sent<T: Send>(_: T) {}
    let (lock, semaphore, place) = (RwLock::new(1), Semaphore::new(1), OnceLock::new());
    sent((lock.read_async(), lock.write_async(), semaphore.acquire_async()));
    sent(place.get_or_try_init_async(|| async { u8::try_from(*lock.read_async().await) }));
}

#[test]
fn sockets_and_their_halves_may_go_anywhere() {
    use greenbridge::net::{
        Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpListener, TcpStream, UdpSocket,
        UnixDatagram, UnixListener, UnixStream, WriteHalf,
    };
    assert_static::<TcpListener>();
    assert_static::<TcpStream>();
    assert_static::<UdpSocket>();
    assert_static::<UnixDatagram>();
    assert_static::<UnixListener>();
    assert_static::<UnixStream>();
    assert_static::<OwnedReadHalf<TcpStream>>();
    assert_static::<OwnedWriteHalf<UnixStream>>();
    assert_static::<ReuniteError<TcpStream>>();
    assert_both::<ReadHalf<'_, UnixStream>>();
    assert_both::<WriteHalf<'_, TcpStream>>();
    assert_both::<Incoming<'_, TcpListener>>();
}
