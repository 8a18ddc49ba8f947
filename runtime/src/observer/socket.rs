//! The socket that observers connect to.
//!
//! The file is made with the mode 0600, and by whom it may be opened is all the permission there is. A file that nobody listens on any more is
//! replaced; one that somebody listens on, and one that is no socket, are not. When the process ends the file stays.

use super::Descriptors;
use super::protocol::{self, Request};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Instant;

/// The most observers at a time.
const CONNECTIONS: usize = 16;
/// The longest request.
const REQUEST: usize = 4 << 10;
/// The most bytes that an observer may leave unread. A dump with a thousand groups and their backtraces has a few.
const UNREAD: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    /// The beginning of a request.
    input: Vec<u8>,
    output: VecDeque<u8>,
    watch: Option<Watch>,
    is_over: bool,
}

/// What is sent again and again.
#[derive(Debug)]
struct Watch {
    request: protocol::Watch,
    next: Instant,
}

impl Socket {
    /// Opens it at `path`, in which `{pid}` stands for this process.
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let path = path.replace("{pid}", &std::process::id().to_string());
        let with_path = |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
        make_way(Path::new(&path)).and_then(|()| listen(&path)).map_err(with_path).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(Self { listener, connections: Vec::new() })
        })
    }

    /// Adds what it waits for, and says until when. The order is that of [`serve`](Self::serve).
    pub(super) fn add_to(&self, descriptors: &mut Descriptors) -> Option<Instant> {
        let is_full = self.connections.len() == CONNECTIONS;
        descriptors.add(if is_full { -1 } else { self.listener.as_raw_fd() }, libc::POLLIN);
        for connection in &self.connections {
            let output = if connection.output.is_empty() { 0 } else { libc::POLLOUT };
            descriptors.add(connection.stream.as_raw_fd(), libc::POLLIN | output);
        }
        self.connections.iter().filter_map(|connection| connection.watch.as_ref()).map(|watch| watch.next).min()
    }

    /// Does what there is to do.
    pub(super) fn serve(&mut self, descriptors: &Descriptors) {
        let first = descriptors.all.len() - self.connections.len() - 1;
        for (number, connection) in self.connections.iter_mut().enumerate() {
            if descriptors.is_ready(first + 1 + number) {
                connection.read();
            }
            connection.keep_watch();
            connection.write();
        }
        self.connections.retain(|connection| !connection.is_over);
        if descriptors.is_ready(first)
            && let Ok((stream, _)) = self.listener.accept()
            && stream.set_nonblocking(true).is_ok()
        {
            let output = protocol::hello().into();
            let mut connection = Connection { stream, input: Vec::new(), output, watch: None, is_over: false };
            connection.write();
            self.connections.push(connection);
        }
    }
}

impl Connection {
    /// Reads what has come, and answers what is complete.
    fn read(&mut self) {
        let mut bytes = [0; REQUEST];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.is_over = true,
            Ok(count) => self.input.extend(&bytes[..count]),
            Err(error) if would_block(&error) => {}
            Err(_) => self.is_over = true,
        }
        while let Some(end) = self.input.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            self.answer(&line);
        }
        if self.input.len() > REQUEST {
            self.output.extend(protocol::error("a request is one line of at most 4096 bytes"));
            self.write();
            self.is_over = true;
        }
    }

    fn answer(&mut self, line: &[u8]) {
        match protocol::parse(line) {
            Ok(Request::Metrics) => self.output.extend(protocol::metrics()),
            Ok(Request::Dump) => self.output.extend(protocol::dump()),
            Ok(Request::Watch(request)) => self.watch = Some(Watch { request, next: Instant::now() }),
            Ok(Request::Unwatch) => self.watch = None,
            Err(error) => self.output.extend(protocol::error(&error)),
        }
    }

    /// Sends what is watched, if it is time to. One that has not read the last answer gets no new one.
    fn keep_watch(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        let now = Instant::now();
        if now < watch.next {
            return;
        }
        watch.next = now + watch.request.every;
        if self.output.is_empty() {
            self.output.extend(protocol::metrics());
            if watch.request.dump {
                self.output.extend(protocol::dump());
            }
        }
    }

    fn write(&mut self) {
        while !self.output.is_empty() {
            let (first, _) = self.output.as_slices();
            match self.stream.write(first) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if would_block(&error) => break,
                Err(_) => {
                    self.is_over = true;
                    break;
                }
            }
        }
        self.is_over |= self.output.len() > UNREAD;
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Removes what a process has left behind at `path`.
fn make_way(path: &Path) -> io::Result<()> {
    let there = match std::fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "a process listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Listens at `path`. The mode is given to the socket before it has a name, so that the file never has another.
fn listen(path: &str) -> io::Result<UnixListener> {
    let check = |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) };
    // SAFETY: takes no pointer.
    let descriptor = check(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: new, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: takes no pointer.
    check(unsafe { libc::fchmod(descriptor, 0o600) })?;
    // SAFETY: an address is numbers.
    let mut address: libc::sockaddr_un = unsafe { core::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.len() >= address.sun_path.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path of a socket has at most 107 bytes"));
    }
    for (place, byte) in address.sun_path.iter_mut().zip(path.bytes()) {
        *place = byte.cast_signed();
    }
    let len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the address is valid, and ends with a NUL.
    check(unsafe { libc::bind(descriptor, (&raw const address).cast(), len) })?;
    // SAFETY: takes no pointer.
    check(unsafe { libc::listen(descriptor, 16) })?;
    Ok(UnixListener::from(socket))
}
