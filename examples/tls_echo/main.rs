//! TLS on green threads, with rustls as it is: its blocking `StreamOwned` over this library's `TcpStream`.
//!
//! rustls reads and writes through `Read` and `Write`, and knows nothing of green threads; the socket below it waits, and with it the green
//! thread. Client and server are both here: the server makes itself a certificate (`rcgen`), the clients trust that one and no
//! other. Each client sends messages of growing size and checks what comes back, then ends the session as TLS asks for, so that a cut
//! connection could not pass for an end.
//!
//! ```text
//! $ cargo run --release --example tls_echo -- --clients 100 --messages 100
//! 100 clients, 100 messages each, TLSv1_3
//! 10000 messages, 505000 bytes there and back in 97 ms
//! ```
//! `--help` lists the flags.

#[path = "../support/arguments.rs"]
mod arguments;
mod flags;
mod identity;

use flags::{Flags, Request};
use greenbridge::net::{TcpListener, TcpStream};
use greenbridge::{scope, spawn};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

type AnyError = Box<dyn Error + Send + Sync>;

/// A green thread's stack: the handshake's arithmetic takes more in a build without optimisation.
const STACK: usize = 512 * 1024;

fn main() -> ExitCode {
    let flags = match flags::read(std::env::args_os().skip(1)) {
        Ok(Request::Run(flags)) => flags,
        Ok(Request::Help) => {
            print!("{}", flags::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("tls_echo: {error}");
            return ExitCode::from(2);
        }
    };
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tls_echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<(), AnyError> {
    // SAFETY: docs/safety.md. No function here touches a thread-local across a wait, nor does rustls, whose connections are `Send`; what is
    // held across one is `Send`.
    unsafe { greenbridge::Builder::new().stack_size(STACK).start()? };
    greenbridge::run(move || {
        let identity = identity::make()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = spawn(move || serve(&listener, &identity.server, flags.clients));

        let begin = Instant::now();
        let clients: Vec<_> = scope(|s| {
            let clients: Vec<_> =
                (0..flags.clients).map(|_| s.spawn(|| ask(address, &identity.client, flags.messages))).collect();
            clients.into_iter().map(|client| client.join()).collect()
        });
        let (mut bytes, mut version) = (0, String::new());
        for client in clients {
            let (sent, spoken) = client.map_err(|_| "a client panicked")??;
            bytes += sent;
            version = spoken;
        }
        let elapsed = begin.elapsed();
        let echoed = server.join().map_err(|_| "the server panicked")??;
        if echoed != bytes {
            return Err(format!("the clients sent {bytes} bytes, and the server has seen {echoed}").into());
        }
        println!("{} clients, {} messages each, {version}", flags.clients, flags.messages);
        let messages = flags.clients * flags.messages;
        println!("{messages} messages, {bytes} bytes there and back in {} ms", elapsed.as_millis());
        Ok(())
    })
}

/// Serves that many clients, and returns how many bytes it has echoed.
fn serve(listener: &TcpListener, config: &Arc<ServerConfig>, clients: usize) -> Result<usize, AnyError> {
    scope(|s| {
        let mut sessions = Vec::new();
        for _ in 0..clients {
            let (stream, _) = listener.accept()?;
            sessions.push(s.spawn(move || echo(stream, Arc::clone(config))));
        }
        let mut bytes = 0;
        for session in sessions {
            bytes += session.join().map_err(|_| "a session panicked")??;
        }
        Ok(bytes)
    })
}

/// Sends back what comes, until the client says that it was all.
fn echo(stream: TcpStream, config: Arc<ServerConfig>) -> Result<usize, AnyError> {
    stream.set_nodelay(true)?;
    let mut tls = StreamOwned::new(ServerConnection::new(config)?, stream);
    let (mut buffer, mut bytes) = (vec![0; 16 * 1024], 0);
    loop {
        // An end without the client's goodbye is an error of this read.
        let count = tls.read(&mut buffer)?;
        if count == 0 {
            tls.conn.send_close_notify();
            tls.flush()?;
            return Ok(bytes);
        }
        tls.write_all(&buffer[..count])?;
        tls.flush()?;
        bytes += count;
    }
}

/// Sends messages and checks the answers. Returns how many bytes it has sent, and which version of TLS was spoken.
fn ask(address: SocketAddr, config: &Arc<ClientConfig>, messages: usize) -> Result<(usize, String), AnyError> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(identity::NAME)?;
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::clone(config), name)?, stream);
    let mut bytes = 0;
    for n in 0..messages {
        let message: Vec<u8> = (0..1 + n % 4096).map(|at| (at + n) as u8).collect();
        tls.write_all(&message)?;
        tls.flush()?;
        let mut answer = vec![0; message.len()];
        tls.read_exact(&mut answer)?;
        if answer != message {
            return Err(format!("message {n} came back changed").into());
        }
        bytes += message.len();
    }
    let version = tls.conn.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
    tls.conn.send_close_notify();
    tls.flush()?;
    match tls.read(&mut [0]) {
        Ok(0) => Ok((bytes, version)),
        Ok(_) => Err("the server has sent more than it got".into()),
        Err(error) => Err(io::Error::new(error.kind(), format!("the server did not say goodbye: {error}")).into()),
    }
}
