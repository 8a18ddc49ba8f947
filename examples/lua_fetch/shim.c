/*
 * The C half: the functions that Lua calls, and every call of Lua's API that can raise an error.
 *
 * An error in Lua is a longjmp to the nearest lua_pcall. It frees nothing on its way, so no frame of Rust may lie there. Hence the
 * two exports below know nothing of the lua_State: each does its waiting, returns, and only then does this file raise the error.
 * What they answer with lies in the script, which Rust frees, so that an error in between (no memory for the copy) leaks nothing.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

struct script; /* Rust's */

struct text {
    const char *bytes;
    size_t length;
};

struct chunk {
    const char *name;
    struct text source;
    const struct text *arguments;
    size_t count;
};

/* Exports of lua.rs. */
int lua_fetch_ask(struct script *script, struct text url, struct text *answer);
int lua_fetch_may_go_on(struct script *script);

/* Functions for lua_pcall, as lua.rs names them. */
int lua_fetch_open(lua_State *L);
int lua_fetch_run(lua_State *L);

/* So many instructions of the interpreter between two questions whether it may go on: some tens of microseconds. */
#define TURN 10000

/* A new coroutine gets a copy of its main thread's extra space, so this holds in coroutines as well. */
static struct script *script_of(lua_State *L)
{
    return *(struct script **)lua_getextraspace(L);
}

static int push(lua_State *L, struct text text)
{
    lua_pushlstring(L, text.bytes, text.length);
    return 1;
}

/* Raises an error with `message`, and with the place in the function at `level`: 0 is the one that runs, 1 its caller. */
static int raise(lua_State *L, int level, struct text message)
{
    luaL_where(L, level);
    push(L, message);
    lua_concat(L, 2);
    return lua_error(L);
}

/* fetch(url): the text behind it, or an error. */
static int fetch(lua_State *L)
{
    struct text url, answer = { "fetch has panicked", 18 };
    url.bytes = luaL_checklstring(L, 1, &url.length);
    if (lua_fetch_ask(script_of(L), url, &answer))
        return push(L, answer);
    return raise(L, 1, answer);
}

/*
 * After every TURN instructions. From then on, a script that has been cancelled gets the error at each instruction: one that catches it
 * gets the next as soon as it goes on.
 */
static void hook(lua_State *L, lua_Debug *activation)
{
    (void)activation;
    if (lua_fetch_may_go_on(script_of(L)))
        return;
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    raise(L, 0, (struct text){ "cancelled", 9 });
}

/* Fills a new state. Not with `debug`, which could take the hook away, nor `io` and `os`, which block or end the process. */
int lua_fetch_open(lua_State *L)
{
    static const luaL_Reg libraries[] = {
        { LUA_GNAME, luaopen_base },         { LUA_LOADLIBNAME, luaopen_package }, { LUA_COLIBNAME, luaopen_coroutine },
        { LUA_TABLIBNAME, luaopen_table },   { LUA_STRLIBNAME, luaopen_string },   { LUA_MATHLIBNAME, luaopen_math },
        { LUA_UTF8LIBNAME, luaopen_utf8 },
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    lua_register(L, "fetch", fetch);
    lua_sethook(L, hook, LUA_MASKCOUNT, TURN);
    return 0;
}

/* Runs the chunk that a light userdata points to, and returns its first result as text. */
int lua_fetch_run(lua_State *L)
{
    const struct chunk *chunk = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, chunk->source.bytes, chunk->source.length, chunk->name, "t") != LUA_OK)
        return lua_error(L);
    luaL_checkstack(L, (int)chunk->count, "too many arguments");
    for (size_t i = 0; i < chunk->count; i++)
        push(L, chunk->arguments[i]);
    lua_call(L, (int)chunk->count, 1);
    luaL_tolstring(L, -1, NULL);
    return 1;
}
