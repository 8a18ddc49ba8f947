//! The three ways to wait for the server inside Lua, each in a process of its own, and what each needs.

use crate::client::Client;
use crate::lua::Fetch;
use crate::support::AnyError;
use crate::support::figures::{Figures, Measurement};
use crate::support::ways::{Way, serve};
use crate::work;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Runs `scripts` scripts at once in `way`, and checks what they come to.
pub(crate) fn measure(way: Way, scripts: usize, base: &str) -> Result<Figures, AnyError> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    greenbridge::tokio::set_handle(tokio.handle().clone())?;
    let client = Client::new();
    let fetch: Fetch = Arc::new(move |url| client.get(url));
    let answers: Arc<Mutex<Vec<_>>> = Arc::new(Mutex::new(vec![String::new(); scripts]));
    let measurement = Measurement::start()?;
    let (asked, times) = (Instant::now(), measurement.times());
    serve(way, &tokio, scripts, {
        let (base, answers) = (base.to_owned(), Arc::clone(&answers));
        move |n| {
            let answer = work::run(&fetch, &base, n)?;
            times.done(asked);
            answers.lock().unwrap_or_else(PoisonError::into_inner)[n] = answer;
            Ok(())
        }
    })?;
    let figures = measurement.stop(asked)?;
    for (n, answer) in answers.lock().unwrap_or_else(PoisonError::into_inner).iter().enumerate() {
        let expected = work::expected(base, n)?;
        if *answer != expected {
            return Err(
                format!("script {n} comes to `{answer}`, with a table in place of fetch to `{expected}`").into()
            );
        }
    }
    Ok(figures)
}
