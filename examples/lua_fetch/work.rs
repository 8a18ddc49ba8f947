//! What each script does, the same in every way of the comparison, and what it must come to.

use crate::lua::{Fetch, Script};
use crate::server::{PLACES, WORDS, page};
use greenbridge::cancel::CancelToken;
use std::fmt::Write;
use std::sync::Arc;

/// Runs script `n`, which asks the server at `base`.
pub(crate) fn run(fetch: &Fetch, base: &str, n: usize) -> Result<String, String> {
    let mut script = Script::new(Arc::clone(fetch), CancelToken::new())?;
    work(&mut script, base, n)
}

/// The same with a table of Lua in place of `fetch`: nothing waits, and nothing is asked.
pub(crate) fn expected(base: &str, n: usize) -> Result<String, String> {
    let refuse: Fetch = Arc::new(|url| Err(format!("{url} is not in the table")));
    let mut script = Script::new(refuse, CancelToken::new())?;
    script.run(c"=table", &table(base, n), &[])?;
    work(&mut script, base, n)
}

/// Lets the script `n` do its work.
pub(crate) fn work(script: &mut Script, base: &str, n: usize) -> Result<String, String> {
    script.run(c"=work.lua", include_str!("work.lua"), &[base, &n.to_string()])
}

/// All that script `n` may ask for, as a chunk that puts a function on a table in place of `fetch`.
fn table(base: &str, n: usize) -> String {
    let words = WORDS.iter().map(|word| format!("/word/{n}/{word}"));
    let pairs = PLACES.iter().flat_map(|a| PLACES.iter().map(move |b| format!("/before/{n}/{a}/{b}")));
    let mut chunk = "local pages = {}\n".to_owned();
    for path in words.chain(pairs).chain(["/module/catalogue".into()]) {
        let page = page(&path).unwrap_or_default();
        // No page has a bracket in it.
        let _ = writeln!(chunk, "pages['{base}{path}'] = [[{page}]]");
    }
    chunk + "local ask = fetch\nfunction fetch(url) return pages[url] or ask(url) end"
}
