//! Lua: ordinary work, and C and Lua calling each other as deep as Lua allows.

use mlua_sys::*;
use std::ffi::{CStr, c_int};

/// A sort with a comparison in Lua, patterns, and formats.
const WORK: &CStr = c"
    local t = {}
    for i = 1, 2000 do t[i] = (i * 7919) % 2000 end
    table.sort(t, function(a, b) return a < b end)
    local text = string.gsub(string.rep('one two ', 500), '%a+', function(word) return word:upper() end)
    assert(t[1] == 0 and #text == 4000 and string.format('%5.2f', t[2000]) == '1999.00')";

/// A function in Lua that `string.gsub`, in C, calls for a match, and that calls `string.gsub` in its turn. Lua ends this with an error.
const DEEP: &CStr = c"
    local function again() string.gsub('a', 'a', again) end
    local done, message = pcall(again)
    assert(not done and message:find('stack overflow'), message)";

/// Ordinary work.
pub(crate) fn work() -> c_int {
    run(WORK)
}

/// As deep as it allows.
pub(crate) fn recurse() -> c_int {
    run(DEEP)
}

/// Runs a script in a state of its own.
fn run(script: &CStr) -> c_int {
    // SAFETY: the state is new, and closed once; errors end at `lua_pcall`, with no frame of Rust in between.
    unsafe {
        let lua = luaL_newstate();
        if lua.is_null() {
            return LUA_ERRMEM;
        }
        luaL_openlibs(lua);
        let mut result = luaL_loadstring(lua, script.as_ptr());
        if result == LUA_OK {
            result = lua_pcall(lua, 0, 0, 0);
        }
        lua_close(lua);
        result
    }
}
