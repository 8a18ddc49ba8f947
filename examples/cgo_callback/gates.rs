//! One task, and the three entries that its C function can call back: the same answer behind different gates.

use greenbridge::call;
use std::hint::black_box;
use std::sync::{Condvar, Mutex, PoisonError};

/// What stands between C and the exported function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gate {
    /// Go's until 1.21.
    Before,
    /// Greenbridge's.
    After,
    /// None: a plain `extern "C"` function. This is what the others are measured against.
    Ungated,
}

/// The C function of `cgo_callback.c`: writes the value of the key. Both are 32 bytes.
type GetValue = unsafe extern "C" fn(key: *mut u8, value: *mut u8);

unsafe extern "C" {
    fn get_value(key: *mut u8, value: *mut u8);
    fn get_value_before(key: *mut u8, value: *mut u8);
    fn get_value_ungated(key: *mut u8, value: *mut u8);
}

impl Gate {
    /// One task: a copy of the key in a buffer of C's, a second buffer for the value, the C call, a copy of the value.
    ///
    /// `malloc` and `free` are bare calls, for they are short and never wait. `get_value` may do anything, as far as
    /// this side knows, so it goes through [`call`].
    pub(crate) fn task(self, key: &[u8; 32]) {
        let get_value: GetValue = match self {
            Gate::Before => get_value_before,
            Gate::After => get_value,
            Gate::Ungated => get_value_ungated,
        };
        let (c_key, c_value) = (c_buffer(), c_buffer());
        // SAFETY: the block is fresh and 32 bytes long.
        unsafe { c_key.copy_from_nonoverlapping(key.as_ptr(), 32) };
        // SAFETY: both blocks are 32 bytes long, and only this call uses them.
        call(|| unsafe { get_value(c_key, c_value) });
        // SAFETY: `get_value` has written all 32 bytes.
        let value = black_box(unsafe { copy(c_value) });
        assert!(value.iter().all(|&byte| byte == 0), "the value of every key is 32 zeros");
        // SAFETY: both blocks came from malloc, and neither is used again.
        unsafe {
            libc::free(c_key.cast());
            libc::free(c_value.cast());
        }
    }
}

/// The entry that the C function calls: `#[export]` puts the gate of the runtime and a panic boundary in front of it.
///
/// # Safety
/// `key` is good for reading 32 bytes, `value` for writing 32.
#[greenbridge::export]
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn c_call_rust_get_value(key: *mut u8, value: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { answer(key, value) }
}

/// The same entry behind Go's gate until 1.21.
///
/// # Safety
/// As for [`c_call_rust_get_value`].
#[greenbridge::export]
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn c_call_rust_get_value_before(key: *mut u8, value: *mut u8) {
    RUNTIME_UP.wait();
    // SAFETY: the caller's promise.
    unsafe { answer(key, value) }
}

/// The same entry with nothing in front of it: no gate, no panic boundary.
///
/// # Safety
/// As for [`c_call_rust_get_value`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn c_call_rust_get_value_ungated(key: *mut u8, value: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { answer(key, value) }
}

/// What Go did on every entry until 1.21 (`_cgo_wait_runtime_init_done`): lock, wait until the runtime is up, unlock.
/// std's mutex spins before it sleeps, which Go's pthread mutex did not: it flatters *before* rather than *after*.
struct MutexGate {
    up: Mutex<bool>,
    changed: Condvar,
}

/// Up from the beginning, for `main` starts the runtime before it calls C.
static RUNTIME_UP: MutexGate = MutexGate { up: Mutex::new(true), changed: Condvar::new() };

impl MutexGate {
    fn wait(&self) {
        let up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(up, |up| !*up).unwrap_or_else(PoisonError::into_inner));
    }
}

/// The answer: copies the key, makes a vector of 32 bytes, and writes it byte by byte to where C asked for it. Never
/// inlined, so that all three entries run the same machine code.
///
/// # Safety
/// `key` is good for reading 32 bytes, `value` for writing 32.
#[inline(never)]
unsafe fn answer(key: *const u8, value: *mut u8) {
    // SAFETY: the caller's promise.
    black_box(unsafe { copy(key) });
    let bytes = black_box(vec![0_u8; 32]);
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: within the 32 bytes of the caller's promise. Volatile, or the loop would become one copy.
        unsafe { value.add(i).write_volatile(*byte) };
    }
}

/// A buffer of 32 bytes in memory that C owns.
fn c_buffer() -> *mut u8 {
    // SAFETY: malloc may be called on any thread.
    let buffer = unsafe { libc::malloc(32) };
    assert!(!buffer.is_null(), "out of memory");
    buffer.cast()
}

/// Copies 32 bytes from C.
///
/// # Safety
/// `bytes` is good for reading 32 bytes.
unsafe fn copy(bytes: *const u8) -> Vec<u8> {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(bytes, 32) }.to_vec()
}
