//! Ten thousand connections at once, in one process: nothing is lost, whatever their peers do, and what they took is given back.
//!
//! What could break it: a wake-up that is lost among many, a place of the reactor or a descriptor that is not given back, and a slow
//! reader that holds up the others.

mod support;

use greenbridge::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use greenbridge::sync::Barrier;
use greenbridge::{spawn, time};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use support::{Process, Random, pass_over, resident_bytes, start};

/// How many there should be; each has both of its ends in this process.
const CONNECTIONS: usize = 10_000;
/// What else the process has open, amply.
const OTHER_DESCRIPTORS: usize = 100;

#[test]
fn ten_thousand_connections_lose_nothing() {
    for processors in ["1", "2", "8"] {
        let child = Process::child("ten_thousand_connections").env("GREENBRIDGE_PROCESSORS", processors);
        child.deadline(Duration::from_secs(180)).run().succeeds();
    }
    let allowed = allowed_connections();
    if allowed < CONNECTIONS {
        pass_over(&format!("{CONNECTIONS} connections at once need more descriptors: it was seen with {allowed}"));
    }
}

/// As many as there should be, or as the hard limit of descriptors allows.
fn allowed_connections() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to where it is told.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: reads what it is given.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let descriptors = usize::try_from(limit.rlim_max).unwrap_or(usize::MAX);
    (descriptors.saturating_sub(OTHER_DESCRIPTORS) / 2).min(CONNECTIONS)
}

#[test]
#[ignore = "child process"]
fn ten_thousand_connections() {
    let connections = allowed_connections();
    start();
    greenbridge::run(move || {
        let (served, echoed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        // Several listeners: the queue of one is shorter than all connections, and has only so many ports to its address.
        let addresses: Vec<_> = (1..=4).map(|host| listen(host, &served, &echoed)).collect();
        let addresses: Arc<[SocketAddr]> = addresses.into();
        let open_before = open_descriptors();
        let mut resident = Vec::new();
        for round in 1..=3 {
            let received = one_round(connections, &addresses);
            wait_for(&served, round * connections);
            assert!(received <= echoed.load(Ordering::Acquire), "more came back than was sent");
            resident.push(resident_bytes());
        }
        // What came first has made the stacks, the places of the reactor and the heap as large as they will be.
        assert!(resident[2] < resident[1] + resident[1] / 8 + (8 << 20), "memory grows: {resident:?}");
        assert!(open_descriptors() <= open_before + 8, "descriptors are left open");
    });
}

/// What a client does.
#[derive(Clone, Copy)]
enum Client {
    /// Sends all, ends its half, and reads to the end.
    HalfCloses,
    /// Talks in turns, and closes.
    Closes,
    /// The same, and reads late and little at a time.
    ReadsSlowly,
    /// Breaks the connection off in the middle.
    Resets,
}

/// Returns how many bytes came back to those who read to the end.
fn one_round(connections: usize, addresses: &Arc<[SocketAddr]>) -> u64 {
    let all_open = Arc::new(Barrier::new(connections));
    let clients: Vec<_> = (0..connections)
        .map(|number| {
            let (addresses, all_open) = (Arc::clone(addresses), Arc::clone(&all_open));
            spawn(move || {
                let stream = TcpStream::connect(addresses[number % addresses.len()]).expect("somebody listens");
                all_open.wait();
                let kind = match number % 5 {
                    0 => Client::HalfCloses,
                    1 => Client::ReadsSlowly,
                    2 => Client::Resets,
                    _ => Client::Closes,
                };
                talk(stream, kind, &mut Random::new(number as u64)).expect("the server is there")
            })
        })
        .collect();
    clients.into_iter().map(|client| client.join().expect("no panic")).sum()
}

/// The client's side: every byte that comes back is compared.
fn talk(mut stream: TcpStream, kind: Client, random: &mut Random) -> io::Result<u64> {
    let mut bytes = |limit| -> Vec<u8> {
        let length = 1 + random.below(limit);
        (0..length).map(|_| random.below(256) as u8).collect()
    };
    match kind {
        Client::HalfCloses => {
            let sent = bytes(20_000);
            stream.write_all(&sent)?;
            stream.shutdown(Shutdown::Write)?;
            let mut echoed = Vec::new();
            stream.read_to_end(&mut echoed)?;
            assert!(sent == echoed, "other bytes came back");
            Ok(sent.len() as u64)
        }
        Client::Closes => {
            let mut total = 0;
            for _ in 0..5 {
                let sent = bytes(1000);
                stream.write_all(&sent)?;
                let mut echoed = vec![0; sent.len()];
                stream.read_exact(&mut echoed)?;
                assert!(sent == echoed, "other bytes came back");
                total += sent.len() as u64;
            }
            Ok(total)
        }
        Client::ReadsSlowly => {
            let sent = bytes(4000);
            stream.write_all(&sent)?;
            let (mut echoed, mut buffer) = (Vec::new(), [0; 1000]);
            while echoed.len() < sent.len() {
                time::sleep(Duration::from_millis(1));
                let length = stream.read(&mut buffer)?;
                echoed.extend_from_slice(&buffer[..length]);
            }
            assert!(sent == echoed, "other bytes came back");
            Ok(sent.len() as u64)
        }
        Client::Resets => {
            stream.set_linger(Some(Duration::ZERO))?;
            stream.write_all(&bytes(5000))?;
            Ok(0)
        }
    }
}

/// Starts a server that echoes, counts the connections that are over, and what it has sent back.
fn listen(host: u8, served: &Arc<AtomicUsize>, echoed: &Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let (served, echoed) = (Arc::clone(served), Arc::clone(echoed));
    spawn(move || {
        for stream in listener.incoming() {
            let (stream, served, echoed) =
                (stream.expect("descriptors are left"), Arc::clone(&served), Arc::clone(&echoed));
            spawn(move || {
                let result = serve(&stream, &echoed);
                let broken =
                    |error: &io::Error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
                assert!(result.as_ref().map_or_else(broken, |()| true), "{result:?}");
                drop(stream);
                served.fetch_add(1, Ordering::AcqRel);
            });
        }
    });
    address
}

fn serve(mut stream: &TcpStream, echoed: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; 2048];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        // Before the client can have it.
        echoed.fetch_add(length as u64, Ordering::AcqRel);
        stream.write_all(&buffer[..length])?;
    }
}

fn wait_for(count: &AtomicUsize, target: usize) {
    while count.load(Ordering::Acquire) < target {
        time::sleep(Duration::from_millis(1));
    }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc is there").count()
}
