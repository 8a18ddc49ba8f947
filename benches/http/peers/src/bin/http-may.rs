//! may's own HTTP server, `may_minihttp`, with the answer that the others give. The one argument is the address.

use may_minihttp::{HttpServer, HttpService, Request, Response};
use std::error::Error;
use std::io;

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _: Request, response: &mut Response) -> io::Result<()> {
        response.header("Content-Type: text/plain");
        response.body("Hello, World!");
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("an address is missing")?;
    if let Some(workers) = std::env::var("WORKERS").ok().and_then(|workers| workers.parse().ok()) {
        may::config().set_workers(workers);
    }
    // It knows no end: a signal ends the process.
    HttpServer(Hello).start(address)?.join().map_err(|_| "the server panicked")?;
    Ok(())
}
