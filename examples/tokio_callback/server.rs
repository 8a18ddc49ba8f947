//! The server that the callbacks ask, on tokio, and its client.

use std::ffi::c_long;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How long the server thinks about each request.
const THINKS: Duration = Duration::from_millis(1);

/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Listens on a loopback address, and answers each number with its double.
pub(crate) async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that is gone ends its own connection and nothing else.
            tokio::spawn(answer(stream));
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let number = stream.read_i64().await?;
        sleep(THINKS).await;
        stream.write_i64(2 * number).await?;
    }
}

/// A connection to the server: an ordinary async client.
#[derive(Debug)]
pub(crate) struct Client(TcpStream);

impl Client {
    /// Makes that many connections, one after the other: the system turns away those that come too fast.
    pub(crate) async fn connect_all(server: SocketAddr, count: u32) -> io::Result<Vec<Self>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            clients.push(Self(stream));
        }
        Ok(clients)
    }

    /// Asks for the price of an item.
    pub(crate) async fn price(&mut self, item: c_long) -> io::Result<c_long> {
        let asks = async {
            self.0.write_i64(item).await?;
            self.0.read_i64().await
        };
        timeout(PATIENCE, asks).await?
    }
}
