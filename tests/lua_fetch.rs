//! The example `lua_fetch`: Lua waits for a server where it cannot yield, and whatever goes wrong stays where it belongs. An error passes
//! no Rust frame, a panic no C frame; a script that is stuck can be ended, and holds up nobody until then.
//!
//! What a script must come to is computed with a table in place of `fetch`. The children use the example's own files.

#[path = "../examples/lua_fetch/client.rs"]
mod client;
#[path = "../examples/lua_fetch/lua.rs"]
mod lua;
#[path = "../examples/lua_fetch/server.rs"]
mod server;
mod support;
#[path = "../examples/lua_fetch/work.rs"]
mod work;

use client::Client;
use greenbridge::cancel::CancelToken;
use greenbridge::spawn;
use lua::{Fetch, Script};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Outcome, Process, child_on_processors, panic_text, start_with, thread_count};

const GREENBRIDGE: greenbridge::Start = greenbridge::Start::by_rust();

/// Runs the example with `arguments`.
fn example(arguments: &[&str]) -> Outcome {
    arguments
        .iter()
        .fold(Process::program(&support::example("lua_fetch")), |process, argument| process.arg(argument))
        .run()
}

#[test]
fn all_ways_are_reported_with_their_os_threads() {
    let outcome = example(&["--scripts", "200", "--delay=20"]);
    outcome.succeeds();
    assert_eq!(outcome.stderr, "", "{outcome}should have kept its error stream empty");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 8, "{outcome}should have printed eight lines");
    assert!(lines[0].ends_with("attempt to yield across a C-call boundary"), "{outcome}");
    assert!(lines[1].starts_with("a fetch inside it: Dear name"), "{outcome}");
    assert!(lines[2].starts_with("stuck in a loop, and cancelled: stuck.lua:1: cancelled"), "{outcome}");
    assert_eq!(lines[3], "200 scripts, a server that answers after 20 ms");
    let threads = |line: &str, way| {
        let figures = line.strip_prefix(way).expect(line).split_whitespace().collect::<Vec<_>>();
        // "1.23 s" three times, the threads, and "12 MiB" twice.
        figures[6].parse::<usize>().expect(line)
    };
    let green = threads(lines[5], "green threads");
    let pool = threads(lines[6], "spawn_blocking");
    assert!(green < pool, "{outcome}should have needed fewer OS threads for green threads");
    assert!(threads(lines[7], "a thread each") >= pool, "{outcome}");
}

#[test]
fn one_script_without_delay() {
    example(&["--scripts=1", "--delay=0"]).succeeds().prints("1 scripts, a server that answers after 0 ms");
}

#[test]
fn wrong_flags_are_refused() {
    for (arguments, words) in [
        (vec!["--scripts", "0"], "--scripts `0` is not accepted: it must be a whole number from 1 to 20000"),
        (vec!["--scripts=many"], "--scripts `many` is not accepted"),
        (vec!["--delay", "10001"], "--delay `10001` is not accepted: it must be a whole number from 0 to 10000"),
        (vec!["--delay"], "--delay needs a value: a whole number from 0 to 10000"),
        (vec!["--units=3"], "unknown flag `--units=3`: accepted are --scripts and --delay"),
    ] {
        let outcome = example(&arguments);
        assert_eq!(outcome.status.code(), Some(2), "{outcome}should have been refused");
        assert_eq!(outcome.stdout, "", "{outcome}should have printed no result");
        outcome.says(words);
    }
    example(&["--help"]).succeeds().prints("--scripts").prints("--delay");
}

/// Starts both runtimes and the server, and gives `body` a `fetch` and the server's address.
fn with_server(body: impl FnOnce(Fetch, String) + Send + 'static) {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let tokio = tokio.expect("tokio starts");
    start_with(greenbridge::Builder::new().stack_size(lua::STACK));
    greenbridge::tokio::set_handle(tokio.handle().clone()).expect("the first");
    let base = server::start(Duration::from_millis(1)).expect("a port");
    let client = Client::new();
    greenbridge::run(move || body(Arc::new(move |url| client.get(url)), base));
}

fn run(fetch: &Fetch, source: &str, arguments: &[&str]) -> Result<String, String> {
    Script::new(Arc::clone(fetch), CancelToken::new())?.run(c"=test.lua", source, arguments)
}

#[test]
fn many_scripts_come_to_what_a_table_brings() {
    child_on_processors("many_scripts", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn many_scripts() {
    with_server(|fetch, base| {
        let before = thread_count();
        let most = Arc::new(AtomicUsize::new(0));
        let scripts: Vec<_> = (0..300)
            .map(|n| {
                let (most, base, fetch) = (Arc::clone(&most), base.clone(), Arc::clone(&fetch));
                spawn(move || {
                    let fetch: Fetch = Arc::new(move |url| {
                        most.fetch_max(thread_count(), Ordering::Relaxed);
                        fetch(url)
                    });
                    work::run(&fetch, &base, n)
                })
            })
            .collect();
        for (n, script) in scripts.into_iter().enumerate() {
            assert_eq!(script.join().expect("no panic"), work::expected(&base, n));
        }
        let more = most.load(Ordering::Relaxed).saturating_sub(before);
        assert!(more < 150, "300 scripts took {more} more OS threads");
    });
}

#[test]
fn an_error_of_fetch_is_one_of_the_script() {
    child_on_processors("errors_of_fetch", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn errors_of_fetch() {
    with_server(|fetch, base| {
        // Caught in the script, in the midst of each of the three.
        let source = "
            local base = ...
            local function nowhere() local text = fetch(base .. '/nowhere') return text end
            package.searchers[2] = nowhere
            local messages = {}
            for i, f in ipairs {
              function() table.sort({ 2, 1 }, nowhere) end,
              function() string.gsub('a', 'a', nowhere) end,
              function() require 'nowhere' end,
            } do
              local ok, message = pcall(f)
              messages[i] = tostring(ok) .. ' ' .. message
            end
            return table.concat(messages, '\\n')";
        let messages = run(&fetch, source, &[&base]).expect("the script catches them");
        assert_eq!(messages.lines().count(), 3, "{messages}");
        for message in messages.lines() {
            assert_eq!(message, format!("false test.lua:3: fetch {base}/nowhere: 404 Not Found"));
        }
        // Not caught; and a script may go on after it.
        let mut script = Script::new(Arc::clone(&fetch), CancelToken::new()).expect("memory");
        let source = "local base = ... kept = 1 local text = fetch(base .. '/nowhere') return text";
        let message = script.run(c"=test.lua", source, &[&base]).expect_err("nobody catches it");
        assert_eq!(message, format!("test.lua:1: fetch {base}/nowhere: 404 Not Found"));
        let source = "local base = ... return kept .. fetch(base .. '/word/1/day')";
        assert_eq!(
            script.run(c"=test.lua", source, &[&base]),
            Ok(format!("1{}", server::page("/word/1/day").expect("a page")))
        );
        // What is wrong on the side of Lua.
        for (source, message) in [
            (
                "local text = fetch({}) return text",
                "test.lua:1: bad argument #1 to 'fetch' (string expected, got table)",
            ),
            ("return fetch('no url')", "test.lua:1: fetch `no url`: invalid uri character"),
            ("error({})", "a value that is no text"),
            ("for", "test.lua:1: <name> expected near <eof>"),
        ] {
            assert_eq!(run(&fetch, source, &[]), Err(message.to_owned()));
        }
    });
}

#[test]
fn fetch_works_in_coroutines_and_finalizers() {
    child_on_processors("unusual_places", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn unusual_places() {
    with_server(|fetch, base| {
        let source = "
            local base = ...
            local words = coroutine.wrap(function()
              table.sort({ 2, 1 }, function() coroutine.wrap(fetch)(base .. '/word/1/day') return false end)
              coroutine.yield(fetch(base .. '/word/1/day'))
              coroutine.yield(fetch(base .. '/word/2/day'))
            end)
            return words() .. words()";
        let words = [1, 2].map(|n| server::page(&format!("/word/{n}/day")).expect("a page"));
        assert_eq!(run(&fetch, source, &[&base]), Ok(words.concat()));

        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let fetch: Fetch = Arc::new(move |url| {
            let text = fetch(url);
            counted.fetch_add(1, Ordering::Relaxed);
            text
        });
        let source = "
            local base = ...
            kept = setmetatable({}, { __gc = function() fetch(base .. '/word/1/day') end })
            return collectgarbage()";
        assert_eq!(run(&fetch, source, &[&base]), Ok("0".to_owned()));
        assert_eq!(count.load(Ordering::Relaxed), 1, "the state has been closed");
    });
}

#[test]
fn stuck_scripts_are_ended_while_others_go_on() {
    child_on_processors("stuck_scripts", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn stuck_scripts() {
    with_server(|fetch, base| {
        let token = CancelToken::new();
        let never = format!("{base}/never");
        let stuck = [
            // After a fetch it runs where the others wait.
            "local url = ... pcall(fetch, url .. 'theless') while true do end",
            "while true do pcall(function() while true do end end) end",
            "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
            "table.sort({ 3, 2, 1 }, function() while true do end end)",
            "local url = ... string.gsub('a', 'a', function() local text = fetch(url) return text end)",
            "local url = ... while true do pcall(fetch, url) end",
        ]
        .map(|source| {
            let (fetch, token, never) = (Arc::clone(&fetch), token.clone(), never.clone());
            spawn(move || Script::new(fetch, token)?.run(c"=stuck.lua", source, &[&never]))
        });
        // Whoever shares an OS thread with those that compute goes on.
        let others: Vec<_> = (0..20)
            .map(|n| {
                let (fetch, base) = (Arc::clone(&fetch), base.clone());
                spawn(move || work::run(&fetch, &base, n))
            })
            .collect();
        for (n, other) in others.into_iter().enumerate() {
            assert_eq!(other.join().expect("no panic"), work::expected(&base, n));
        }
        token.cancel();
        for script in stuck {
            let message = script.join().expect("no panic").expect_err("it never ends by itself");
            assert!(message.starts_with("stuck.lua:1: ") && message.ends_with("cancelled"), "{message}");
        }
        // A script of a token that has been cancelled gets nowhere.
        let mut late = Script::new(fetch, token).expect("memory");
        assert!(late.run(c"=stuck.lua", "while true do end", &[]).is_err());
    });
}

#[test]
fn a_green_thread_that_is_cancelled_waits_for_its_script() {
    child_on_processors("cancelled_with_lua_on_the_stack", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn cancelled_with_lua_on_the_stack() {
    with_server(|fetch, base| {
        let (told, is_told) = greenbridge::channel::bounded(0);
        let script = spawn(move || {
            let fetch: Fetch = Arc::new(move |url| {
                told.send(()).map_err(|_| "nobody listens")?;
                fetch(url)
            });
            work::run(&fetch, &base, 1).map(|answer| (answer, work::expected(&base, 1)))
        });
        is_told.recv().expect("it fetches");
        script.cancel();
        // Lua is on the stack, so nothing unwinds: the script comes to its end.
        while is_told.recv().is_ok() {}
        let (answer, expected) = script.join().expect("no wait is left to be cut short").expect("no error");
        assert_eq!(Ok(answer), expected);
    });
}

#[test]
fn a_panic_of_fetch_comes_out_of_the_join() {
    child_on_processors("panics", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn panics() {
    with_server(|fetch, base| {
        let fetch: Fetch = Arc::new(move |url| {
            let text = fetch(url);
            assert!(!url.ends_with("/word/13/day"), "thirteen");
            text
        });
        for source in [
            "local base = ... string.gsub('a', 'a', function() return fetch(base .. '/word/13/day') end)",
            // The script gets an error, may go on, and may ask again.
            "local base = ...
             table.sort({ 2, 1 }, function()
               local ok, message = pcall(fetch, base .. '/word/13/day')
               assert(not ok and message == 'fetch has panicked', message)
               return fetch(base .. '/word/12/day') == ''
             end)",
        ] {
            let (fetch, base) = (Arc::clone(&fetch), base.clone());
            let script = spawn(move || run(&fetch, source, &[&base]));
            assert_eq!(panic_text(&*script.join().expect_err("it panicked")), "thirteen");
        }
        // Others are as before.
        assert!(run(&fetch, "local base = ... return fetch(base .. '/word/12/day')", &[&base]).is_ok());
    });
}

#[test]
fn want_of_memory_is_an_error_wherever_it_comes() {
    child_on_processors("want_of_memory", &[1]);
}

#[test]
#[ignore = "child process"]
fn want_of_memory() {
    with_server(|fetch, base| {
        // A little more each time, so that Lua runs out everywhere: as the state is made, as it is filled, in the parser, and at the copy of
        // an answer.
        let expected = work::expected(&base, 1).expect("no error");
        let (mut refused, mut failed) = (0, 0);
        for bytes in (0..).step_by(96) {
            let Ok(mut script) = Script::with_memory(bytes, Arc::clone(&fetch), CancelToken::new()) else {
                refused += 1;
                continue;
            };
            match work::work(&mut script, &base, 1) {
                Ok(answer) => {
                    assert_eq!(answer, expected);
                    break;
                }
                Err(message) => assert!(message.contains("not enough memory"), "{bytes}: {message}"),
            }
            failed += 1;
        }
        assert!(refused > 10 && failed > 10, "{refused} states were refused, {failed} scripts failed");
        // A script that never has enough.
        let source = "local all = {} while true do all[#all + 1] = ('x'):rep(1000) .. #all end";
        assert_eq!(run(&fetch, source, &[]), Err("not enough memory".to_owned()));
    });
}

#[test]
fn the_deepest_nesting_that_lua_allows_is_an_error_not_an_overflow() {
    child_on_processors("deepest_nesting", &[1]);
}

#[test]
#[ignore = "child process"]
fn deepest_nesting() {
    with_server(|fetch, _| {
        for source in [
            "local function nested(text) return (text:gsub('.', nested)) end return nested('a')",
            "local function nested(a) table.sort({ 2, 1 }, nested) end nested()",
            "package.searchers[2] = function(name) return require(name .. 'a') end require 'a'",
            "local t = setmetatable({}, { __tostring = function(t) return string.format('%s', t) end }) return tostring(t)",
            "return load(('('):rep(1000) .. (')'):rep(1000))() ",
            "return assert(load(('(function() return '):rep(190)))",
            "return ('a'):rep(1000):find(('.-'):rep(1000) .. 'b')",
        ] {
            let message = run(&fetch, source, &[]);
            assert!(message.as_ref().is_err_and(|message| !message.is_empty()), "{source}: {message:?}");
        }
    });
}
