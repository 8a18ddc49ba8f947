//! Lua: as much of it as the example needs. A [`Script`] is a state of its own, with a `fetch` that may wait.
//!
//! ```text
//!   green thread ── Script::run ── call_interleaved ── lua_pcall ── table.sort ── comparison in Lua ── fetch ── ask
//!   └── Rust ─────────────────────────────────────┘ └── C, with jmp_bufs ────────────────────────────────────┘ └── Rust: waits
//! ```
//!
//! # What the example vouches for, and why it holds
//! `call_interleaved` lets other green threads call Lua on this OS thread while a callback of this call waits. So Lua must not keep
//! anything over a callback that belongs to the OS thread:
//! * **`jmp_buf`.** Lua does keep one over `fetch`: that of the nearest `lua_pcall`. It lies on the C stack of that very call, and is
//!   found through the `lua_State` and nothing else. Its stack stays where it is, the call is resumed on the OS thread that it was
//!   made on, and no other call can reach it. A library with the buffer in a global or a thread-local would not bear it.
//! * **Signal mask.** On Linux, Lua saves none: it is built with `_setjmp`.
//! * **Locks, thread-locals, locale, error queues.** Lua has no static variable that is written, and takes no lock. `errno` is saved and
//!   restored at each switch.
//! * **Sharing.** A state is used by one green thread at a time: it is `Send`, not `Sync`.
//!
//! # Errors, and whose frames they pass
//! An error in Lua is a `longjmp` to the nearest `lua_pcall`, and must not pass a frame of Rust.
//! * Above `lua_pcall`: the exports here do not call Lua at all. `shim.c` raises the error when they have returned.
//! * Below it: of Lua's functions, Rust calls those that the manual marks as raising no error, and `lua_pcall` itself. Whatever can
//!   raise one, also for want of memory, is in the functions of `shim.c` that `lua_pcall` calls.
//!
//! A panic in `fetch` does not pass C either: the script gets an error, and the panic goes on in [`Script::run`] when Lua has returned.

use greenbridge::cancel::CancelToken;
use mlua_sys::*;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The stack of a green thread that runs a script, in bytes. Lua nests C calls 200 deep before it says "C stack overflow"; `string.gsub`
/// in `string.gsub` then takes more than 400 KiB, and more than 1 MiB if Lua is built without optimisation: too much for the default stack
/// of 256 KiB. What is not used costs no memory.
pub(crate) const STACK: usize = 2 << 20;

/// The memory that a script may have, in bytes.
const MEMORY: usize = 16 << 20;

/// What the script's `fetch` does: from a URL to the text behind it, or to the message of an error.
pub(crate) type Fetch = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// A Lua state, with the standard functions that do not block, and `fetch`.
pub(crate) struct Script {
    lua: *mut lua_State,
    /// What the state refers to.
    _callee: Arc<Callee>,
}

// SAFETY: Lua keeps nothing that belongs to an OS thread (see above), and `&mut self` lets one use it at a time; it is not `Sync`.
unsafe impl Send for Script {}

/// What the exports get.
struct Callee {
    fetch: Fetch,
    token: CancelToken,
    /// What `fetch` has brought last. `shim.c` copies it.
    answer: Mutex<Vec<u8>>,
    /// How many bytes the state may still ask for.
    memory: AtomicUsize,
}

/// Text for C, good as long as what it was made of.
#[repr(C)]
pub(crate) struct Text<'a> {
    bytes: *const c_char,
    length: usize,
    of: PhantomData<&'a [u8]>,
}

impl<'a> Text<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.as_ptr().cast(), length: bytes.len(), of: PhantomData }
    }

    fn bytes(&self) -> &'a [u8] {
        // SAFETY: C makes them of Lua's strings, which are never null, and `new` of slices.
        unsafe { std::slice::from_raw_parts(self.bytes.cast(), self.length) }
    }
}

#[repr(C)]
struct Chunk<'a> {
    name: *const c_char,
    source: Text<'a>,
    arguments: *const Text<'a>,
    count: usize,
}

unsafe extern "C-unwind" {
    fn lua_fetch_open(lua: *mut lua_State) -> c_int;
    fn lua_fetch_run(lua: *mut lua_State) -> c_int;
}

/// Calls Lua.
fn call<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: the module's documentation says why Lua, used as it is here, bears it.
    unsafe { greenbridge::call_interleaved(f) }
}

impl Script {
    /// A script that is cancelled by `token`: stuck in a loop or in a fetch, it gets an error. So does one that wants too much memory.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub(crate) fn new(fetch: Fetch, token: CancelToken) -> Result<Self, String> {
        Self::with_memory(MEMORY, fetch, token)
    }

    /// The same, with so many bytes of memory.
    pub(crate) fn with_memory(bytes: usize, fetch: Fetch, token: CancelToken) -> Result<Self, String> {
        let callee = Arc::new(Callee { fetch, token, answer: Mutex::default(), memory: AtomicUsize::new(bytes) });
        let pointer = Arc::as_ptr(&callee);
        // SAFETY: `allocate` is such a function, and gets what it asks for: the script lets go of the callee after it has closed the
        // state. It is null if it fails, and raises no error.
        let lua = call(|| unsafe { lua_newstate(allocate, pointer.cast_mut().cast()) });
        if lua.is_null() {
            return Err("not enough memory for a Lua state".into());
        }
        let mut script = Self { lua, _callee: callee };
        // SAFETY: the state has room for a pointer there.
        unsafe { lua_getextraspace(lua).cast::<*const Callee>().write(pointer) };
        script.pcall(lua_fetch_open, None)?;
        Ok(script)
    }

    /// Runs a chunk of Lua, and returns its first result as text.
    ///
    /// # Errors
    /// The message of the error that it ended with.
    ///
    /// # Panics
    /// With the panic of `fetch`.
    pub(crate) fn run(&mut self, name: &CStr, source: &str, arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| Text::new(argument.as_bytes())).collect();
        let chunk = Chunk {
            name: name.as_ptr(),
            source: Text::new(source.as_bytes()),
            arguments: arguments.as_ptr(),
            count: arguments.len(),
        };
        self.pcall(lua_fetch_run, Some(&chunk))
    }

    /// Calls a function of `shim.c` where errors are caught, with the chunk as a light userdata.
    fn pcall(&mut self, f: lua_CFunction, chunk: Option<&Chunk<'_>>) -> Result<String, String> {
        let lua = self.lua;
        // SAFETY: the state is open and ours alone, and between two calls its stack is empty, so there is room for three values. No
        // function here raises an error: a C function without upvalues and a light userdata need no memory, and `text` says the rest.
        call(|| unsafe {
            lua_pushcfunction(lua, f);
            lua_pushlightuserdata(lua, chunk.map_or(ptr::null_mut(), |chunk| ptr::from_ref(chunk).cast_mut().cast()));
            let status = lua_pcall(lua, 1, 1, 0);
            let text = text(lua);
            lua_settop(lua, 0);
            if status == LUA_OK { Ok(text) } else { Err(text) }
        })
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Finalizers written in Lua run now, and may call `fetch`. Their errors stay in Lua.
        // SAFETY: it is open, and closed once.
        call(|| unsafe { lua_close(self.lua) });
    }
}

/// Lua's memory is that of `realloc`, up to the script's limit. It waits for nothing, and so is not exported.
///
/// # Safety
/// Lua's `lua_Alloc`: `callee` is a [`Callee`], and `block` null or `old` bytes that this function has returned. For null, `old` is a type.
unsafe extern "C" fn allocate(callee: *mut c_void, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    // SAFETY: by contract.
    let memory = unsafe { &(*callee.cast::<Callee>()).memory };
    let old = if block.is_null() { 0 } else { old };
    let Some(left) = (memory.load(Ordering::Relaxed) + old).checked_sub(new) else { return ptr::null_mut() };
    if new == 0 {
        memory.store(left, Ordering::Relaxed);
        // SAFETY: `realloc` has returned it, or it is null.
        unsafe { libc::free(block) };
        return ptr::null_mut();
    }
    // SAFETY: as above.
    let moved = unsafe { libc::realloc(block, new) };
    if moved.is_null() {
        // Lua relies on it that a block can be made smaller.
        return if new <= old { block } else { ptr::null_mut() };
    }
    memory.store(left, Ordering::Relaxed);
    moved
}

/// The value on top, if it is text. A number would be converted in its place, which needs memory, so it is not asked for.
///
/// # Safety
/// The state's stack is not empty.
unsafe fn text(lua: *mut lua_State) -> String {
    // SAFETY: by contract. The text is copied while it is on the stack.
    unsafe {
        if lua_type(lua, -1) != LUA_TSTRING {
            return "a value that is no text".into();
        }
        let mut length = 0;
        let bytes = lua_tolstring(lua, -1, &mut length);
        String::from_utf8_lossy(std::slice::from_raw_parts(bytes.cast(), length)).into_owned()
    }
}

/// `fetch`: waits for what the URL leads to. Lua's frames stay on the stack; what cancels the script ends the wait here, as nothing may
/// unwind past them.
#[greenbridge::export(fallback = 0)]
#[unsafe(no_mangle)]
extern "C" fn lua_fetch_ask(callee: &Callee, url: Text<'_>, answer: &mut Text<'_>) -> c_int {
    let fetched = match callee.token.run(|| (callee.fetch)(&String::from_utf8_lossy(url.bytes()))) {
        Ok(fetched) => fetched,
        Err(_) => Err("cancelled".into()),
    };
    let (is_there, bytes) = match fetched {
        Ok(bytes) => (1, bytes),
        Err(message) => (0, message.into_bytes()),
    };
    let mut kept = callee.answer.lock().unwrap_or_else(PoisonError::into_inner);
    *kept = bytes;
    // C reads it before the next fetch of this script.
    (answer.bytes, answer.length) = (kept.as_ptr().cast(), kept.len());
    is_there
}

/// Lua has run for a turn: lets others run, and says whether it may go on. Without a wait here, the green threads that wait in
/// other scripts on this OS thread would be held up by one that only computes.
#[greenbridge::export(fallback = 0)]
#[unsafe(no_mangle)]
extern "C" fn lua_fetch_may_go_on(callee: &Callee) -> c_int {
    greenbridge::yield_now();
    c_int::from(!callee.token.is_cancelled())
}
