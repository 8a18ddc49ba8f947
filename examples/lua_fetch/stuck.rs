//! Shows what a script cannot do without a green thread, and how one that is stuck is ended.

use crate::lua::{Fetch, Script};
use greenbridge::cancel::CancelToken;
use std::sync::Arc;
use std::time::Duration;

/// The answer of Lua itself to the question how to wait in a comparison.
pub(crate) fn yield_in_sort(fetch: &Fetch) -> Result<String, String> {
    let mut script = Script::new(Arc::clone(fetch), CancelToken::new())?;
    let source = "
        local sort = coroutine.wrap(function()
          table.sort({ 2, 1 }, function(a, b) return coroutine.yield(a, b) end)
        end)
        return sort()";
    match script.run(c"=yield.lua", source, &[]) {
        Ok(value) => Err(format!("a yield inside table.sort has come to `{value}`")),
        Err(message) => Ok(message),
    }
}

/// Runs two scripts that never end, each of which catches whatever error it can, and ends them after a while: one computes, and one waits for
/// an answer that does not come. Returns the messages that they end with.
pub(crate) fn cancel_stuck(fetch: &Fetch, base: &str) -> Result<[String; 2], String> {
    let token = CancelToken::new();
    let sources = [
        "while true do pcall(function() while true do end end) end".to_owned(),
        format!("while true do pcall(table.sort, {{ 2, 1 }}, function() return fetch('{base}/never') < '' end) end"),
    ];
    let scripts = sources.map(|source| {
        let (fetch, token) = (Arc::clone(fetch), token.clone());
        greenbridge::spawn(move || Script::new(fetch, token)?.run(c"=stuck.lua", &source, &[]))
    });
    greenbridge::time::sleep(Duration::from_millis(20));
    token.cancel();
    let [computes, waits] = scripts.map(|script| match script.join() {
        Ok(Ok(value)) => Err(format!("a script that is stuck has come to `{value}`")),
        Ok(Err(message)) => Ok(message),
        Err(_) => Err("a script that is stuck has panicked".into()),
    });
    Ok([computes?, waits?])
}
