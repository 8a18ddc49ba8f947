//! The Rust half of `greenbridge.hpp`: green threads, events and channels under names that C++ can link to. C++ sees opaque
//! pointers, each of which it gives back once; the header makes sure of that.
//!
//! `make -C examples/cpp_wrapper run` builds both halves and runs `main.cpp`.

use greenbridge::channel::{self, Receiver, Sender};
use greenbridge::sync::OnceLock;
use greenbridge::{JoinHandle, Start, call, call_interleaved};
use std::ffi::{c_int, c_void};

// SAFETY: no function of this crate touches a thread-local, and what it holds across a wait is `Send`. C++ runs in calls,
// which keep it on its OS thread.
const GREENBRIDGE: Start = unsafe { Start::on_first_entry() };

/// What C++ gives to its body; it says that the pointer may go to another OS thread.
struct Context(*mut c_void);

// SAFETY: `spawn` in the header gives a heap object that nobody else touches until the body has run.
unsafe impl Send for Context {}

impl Context {
    /// A method, so that a closure takes the whole value along and not the pointer alone.
    fn get(self) -> *mut c_void {
        self.0
    }
}

/// A green thread that runs a body of C++.
#[derive(Debug)]
pub struct Join(JoinHandle<()>);

/// Starts a green thread that runs `body(context)`. `body` does not throw. If `interleaved` is not 0, it shares its OS thread with
/// others while it waits: see `spawn_interleaved` in the header for what it must not hold then. Null if there is no runtime.
///
/// # Safety
/// `body` may be called with `context`, once, on any OS thread.
#[greenbridge::export(fallback = std::ptr::null_mut())]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_spawn(
    body: unsafe extern "C" fn(*mut c_void),
    context: *mut c_void,
    interleaved: c_int,
) -> *mut Join {
    let context = Context(context);
    let handle = greenbridge::spawn(move || {
        let context = context.get();
        if interleaved == 0 {
            // SAFETY: the caller's promise.
            call(|| unsafe { body(context) });
        } else {
            // SAFETY: the caller's promise, and what the header asks of an interleaved body.
            unsafe { call_interleaved(|| body(context)) };
        }
    });
    Box::into_raw(Box::new(Join(handle)))
}

/// Waits for the end of a green thread. 0, or -1 if a panic ended it.
///
/// # Safety
/// `join` comes from `gbcpp_spawn`, and is not used again.
#[greenbridge::export(fallback = -1)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_join(join: *mut Join) -> c_int {
    // SAFETY: the caller's promise.
    let join = unsafe { Box::from_raw(join) };
    join.0.join().map_or(-1, |()| 0)
}

/// Lets a green thread go on by itself.
///
/// # Safety
/// As for `gbcpp_join`.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_detach(join: *mut Join) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(join) });
}

/// Lets other green threads go first.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub extern "C" fn gbcpp_yield() {
    greenbridge::yield_now();
}

/// Something that happens once.
#[derive(Debug)]
pub struct Event(OnceLock<()>);

/// Makes an event that has not happened.
#[greenbridge::export(fallback = std::ptr::null_mut())]
#[unsafe(no_mangle)]
pub extern "C" fn gbcpp_event_new() -> *mut Event {
    Box::into_raw(Box::new(Event(OnceLock::new())))
}

/// It has happened: everybody who waits goes on, now and later. A second time changes nothing.
///
/// # Safety
/// `event` comes from `gbcpp_event_new`, and is not freed before this returns.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_event_set(event: *const Event) {
    // SAFETY: the caller's promise.
    let event = unsafe { &*event };
    // Set already is as good.
    let _ = event.0.set(());
}

/// Waits until it has happened.
///
/// # Safety
/// As for `gbcpp_event_set`.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_event_wait(event: *const Event) {
    // SAFETY: the caller's promise.
    unsafe { &*event }.0.wait();
}

/// Frees an event.
///
/// # Safety
/// `event` comes from `gbcpp_event_new`; nobody uses it any more.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_event_free(event: *mut Event) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(event) });
}

/// One message: a heap object of C++.
struct Message(*mut c_void);

// SAFETY: the header sends values that C++ may move between threads, and who receives one owns it.
unsafe impl Send for Message {}

/// Both ends of a channel.
#[derive(Debug)]
pub struct Channel {
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

/// Makes a channel that holds up to `capacity` messages; with 0 each sender waits for its receiver.
#[greenbridge::export(fallback = std::ptr::null_mut())]
#[unsafe(no_mangle)]
pub extern "C" fn gbcpp_channel_new(capacity: usize) -> *mut Channel {
    let (sender, receiver) = channel::bounded(capacity);
    Box::into_raw(Box::new(Channel { sender, receiver }))
}

/// Sends, and waits while the channel is full. 0, or -1 if it is closed; the message stays the caller's then.
///
/// # Safety
/// `channel` comes from `gbcpp_channel_new`, and is not freed before this returns.
#[greenbridge::export(fallback = -1)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_channel_send(channel: *const Channel, message: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    let channel = unsafe { &*channel };
    channel.sender.send(Message(message)).map_or(-1, |()| 0)
}

/// Receives, and waits while the channel is empty. Null if it is empty and closed.
///
/// # Safety
/// As for `gbcpp_channel_send`.
#[greenbridge::export(fallback = std::ptr::null_mut())]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_channel_receive(channel: *const Channel) -> *mut c_void {
    // SAFETY: the caller's promise.
    let channel = unsafe { &*channel };
    channel.receiver.recv().map_or(std::ptr::null_mut(), |message| message.0)
}

/// Closes a channel: nothing can be sent any more, and who has received the rest is told.
///
/// # Safety
/// As for `gbcpp_channel_send`.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_channel_close(channel: *const Channel) {
    // SAFETY: the caller's promise.
    unsafe { &*channel }.sender.close();
}

/// Frees a channel, which is empty.
///
/// # Safety
/// `channel` comes from `gbcpp_channel_new`; nobody uses it any more.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gbcpp_channel_free(channel: *mut Channel) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(channel) });
}
