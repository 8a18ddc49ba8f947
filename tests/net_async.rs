//! A file that is waited for is waited for wherever the caller is, and no event is lost.
//!
//! What could break it: an edge that comes between a try and the wait, a registration that outlives its file or is missing beside another's, one
//! waiter that takes the wake-up of another, or a wait that is left behind by who gave it up.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::net::{self, Async};
use greenbridge::{JoinHandle, select, spawn, time, yield_now};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write, pipe};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{
    Place, block_on_os_thread, child, child_on_processors, pause, read_byte, run, spawn_future, start, streams,
    write_byte, yield_until,
};

/// Longer than any machine takes for what is waited for.
const LONG: Duration = Duration::from_secs(100);
/// A time-out that is to pass.
const SHORT: Duration = Duration::from_millis(20);

fn join_all<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let threads: Vec<_> = threads.into_iter().collect();
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

#[test]
fn what_is_sent_comes_back() {
    child_on_processors("echo", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn echo() {
    const CONNECTIONS: usize = 64;
    const ROUNDS: usize = 200;
    run(|| {
        let listener = Async::new(TcpListener::bind("127.0.0.1:0").expect("a listener")).expect("non-blocking");
        let address = listener.get_ref().local_addr().expect("an address");
        let server = spawn(move || {
            let serve = |stream: TcpStream| {
                let mut stream = Async::new(stream).expect("non-blocking");
                let mut buffer = [0; 64];
                while stream.read_exact(&mut buffer).is_ok() && stream.write_all(&buffer).is_ok() {}
            };
            let accept = || listener.read_with(TcpListener::accept).expect("a connection").0;
            join_all((0..CONNECTIONS).map(|_| accept()).map(|stream| spawn(move || serve(stream))));
        });
        let client = move |number: usize| {
            let mut stream = Async::new(TcpStream::connect(address).expect("connected")).expect("non-blocking");
            for round in 0..ROUNDS {
                let sent = [(number + round) as u8; 64];
                let mut received = [0; 64];
                stream.write_all(&sent).expect("sent");
                stream.read_exact(&mut received).expect("received");
                assert_eq!(sent, received);
            }
        };
        join_all((0..CONNECTIONS).map(|number| spawn(move || client(number))));
        server.join().expect("no panic");
    });
}

#[test]
fn a_pipe_that_is_full_or_empty_lets_others_run() {
    child_on_processors("through_a_pipe", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn through_a_pipe() {
    const BYTES: usize = 1 << 20;
    run(|| {
        let (reader, writer) = pipe().expect("a pipe");
        let (mut reader, mut writer) = (Async::new(reader).expect("a pipe"), Async::new(writer).expect("a pipe"));
        let writes = spawn(move || {
            let bytes: Vec<u8> = (0..BYTES).map(|n| n as u8).collect();
            writer.write_all(&bytes).expect("all are read");
        });
        let mut bytes = Vec::new();
        assert_eq!(reader.read_to_end(&mut bytes).expect("the writer goes"), BYTES);
        assert!(bytes.iter().enumerate().all(|(n, &byte)| byte == n as u8));
        writes.join().expect("no panic");
    });
}

/// The kernel's number of a new file.
fn owned(file: libc::c_int) -> OwnedFd {
    assert!(file >= 0, "{}", io::Error::last_os_error());
    // SAFETY: made just now by the caller.
    unsafe { OwnedFd::from_raw_fd(file) }
}

#[test]
fn files_of_other_kinds_are_waited_for() {
    child_on_processors("eventfd_and_inotify", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn eventfd_and_inotify() {
    run(|| {
        // SAFETY: takes no pointer.
        let counter = File::from(owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }));
        let counter = Arc::new(Async::new(counter).expect("an eventfd"));
        let reads = {
            let counter = Arc::clone(&counter);
            spawn(move || {
                let mut number = [0; 8];
                (&*counter).read_exact(&mut number).expect("a number");
                u64::from_ne_bytes(number)
            })
        };
        yield_now();
        (&*counter).write_all(&7_u64.to_ne_bytes()).expect("room");
        assert_eq!(reads.join().expect("no panic"), 7);

        let folder = std::env::temp_dir().join(format!("greenbridge-inotify-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder");
        // SAFETY: takes no pointer.
        let watch = File::from(owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) }));
        let path = std::ffi::CString::new(folder.to_str().expect("text")).expect("no zero");
        // SAFETY: the path is a C string.
        let added =
            unsafe { libc::inotify_add_watch(std::os::fd::AsRawFd::as_raw_fd(&watch), path.as_ptr(), libc::IN_CREATE) };
        assert!(added >= 0, "{}", io::Error::last_os_error());
        let mut watch = Async::new(watch).expect("inotify");
        let sees = spawn(move || {
            let mut event = [0; 256];
            watch.read(&mut event).expect("an event")
        });
        yield_now();
        std::fs::write(folder.join("new"), "").expect("a file");
        assert!(sees.join().expect("no panic") > 0);
        std::fs::remove_dir_all(&folder).expect("it goes");
    });
}

#[test]
fn a_regular_file_is_refused_with_the_name_of_what_helps() {
    child("a_regular_file").succeeds();
}

#[test]
#[ignore = "child process"]
fn a_regular_file() {
    run(|| {
        let file = File::open(std::env::current_exe().expect("a path")).expect("it opens");
        for error in [net::wait_readable(file.as_fd()).expect_err("refused"), Async::new(file).expect_err("refused")] {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("greenbridge::blocking"), "{error}");
        }
        let folder = File::open("/").expect("it opens");
        assert_eq!(Async::new(folder).expect_err("refused").kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn two_may_wait_for_one_file_at_once() {
    child_on_processors("two_wait_for_one_file", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn two_wait_for_one_file() {
    const READERS: usize = 5;
    const EACH: usize = 200;
    run(|| {
        // Datagrams: each goes to one of those who read.
        let bind = || UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (socket, sender) = (bind(), bind());
        let address = socket.local_addr().expect("an address");
        let socket = Arc::new(Async::new(socket).expect("non-blocking"));
        let received = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let (socket, received) = (Arc::clone(&socket), Arc::clone(&received));
                spawn(move || {
                    let mut count = 0;
                    loop {
                        let mut byte = [0];
                        socket.read_with(|socket| socket.recv(&mut byte)).expect("a datagram");
                        if byte == [0] {
                            return count;
                        }
                        count += 1;
                        received.fetch_add(1, Ordering::Release);
                    }
                })
            })
            .collect();
        for sent in 1..=READERS * EACH {
            sender.send_to(&[1], address).expect("sent");
            // Datagrams that are not read in time are lost.
            if sent % 16 == 0 {
                yield_until(&received, sent);
            }
        }
        yield_until(&received, READERS * EACH);
        for _ in 0..READERS {
            sender.send_to(&[0], address).expect("sent");
        }
        assert_eq!(join_all(readers).iter().sum::<usize>(), READERS * EACH);

        // Waits of all kinds for one stream: each of them ends.
        let (ours, theirs) = streams();
        let ours = Arc::new(ours);
        let started = Arc::new(AtomicUsize::new(0));
        let waits = |wait: fn(&Async<UnixStream>) -> io::Result<()>| {
            let (ours, started) = (Arc::clone(&ours), Arc::clone(&started));
            spawn(move || {
                started.fetch_add(1, Ordering::Release);
                wait(&ours).expect("it is readable");
            })
        };
        let waiting = [
            waits(|ours| ours.wait_readable()),
            waits(|ours| ours.wait_readable()),
            waits(|ours| net::wait_readable(ours.as_fd())),
            waits(|ours| net::wait_readable(ours.as_fd())),
            waits(|ours| greenbridge::block_on(ours.readable())),
        ];
        yield_until(&started, waiting.len());
        yield_now();
        write_byte(&theirs, 3);
        join_all(waiting);
        assert_eq!(read_byte(&*ours), 3);
        // One that was registered beside it has gone, and has taken nothing along.
        let again = spawn(move || read_byte(&*ours));
        yield_now();
        write_byte(&theirs, 4);
        assert_eq!(again.join().expect("no panic"), 4);
    });
}

#[test]
fn a_wait_works_everywhere() {
    child_on_processors("everywhere", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn everywhere() {
    start();
    for place in Place::ALL {
        let (mut ours, theirs) = streams();
        let waits = place.spawn(move || {
            ours.wait_readable().expect("it is readable");
            let byte = read_byte(&mut ours);
            net::wait_readable(ours.as_fd()).expect("it is readable");
            ours.wait_writable().expect("there is room");
            (byte, read_byte(&mut ours), ours.wait_readable_timeout(SHORT).expect_err("no more comes").kind())
        });
        pause(SHORT);
        write_byte(&theirs, 1);
        pause(SHORT);
        write_byte(&theirs, 2);
        assert_eq!(waits.join(), (1, 2, ErrorKind::TimedOut), "{place:?}");
    }
    let (ours, theirs) = streams();
    let future = spawn_future(async move {
        ours.writable().await.expect("there is room");
        ours.readable().await.expect("it is readable");
        read_byte(ours)
    });
    pause(SHORT);
    write_byte(&theirs, 3);
    assert_eq!(future.join(), 3);
}

#[test]
fn an_os_thread_may_wait_before_the_runtime_has_started() {
    child("before_the_start").succeeds();
}

#[test]
#[ignore = "child process"]
fn before_the_start() {
    let (mut ours, mut theirs) = streams();
    assert_eq!(ours.wait_readable_timeout(SHORT).expect_err("nothing comes").kind(), ErrorKind::TimedOut);
    let error = block_on_os_thread(ours.readable()).expect_err("there is no reactor");
    assert!(error.to_string().contains("has not been started"), "{error}");
    let waits = std::thread::spawn(move || {
        let first = read_byte(&mut ours);
        (first, read_byte(&mut ours), ours)
    });
    pause(SHORT);
    write_byte(&theirs, 1);
    start();
    write_byte(&theirs, 2);
    let (first, second, mut ours) = waits.join().expect("no panic");
    assert_eq!((first, second), (1, 2));
    // Now the runtime waits for it.
    let reads = spawn(move || read_byte(&mut ours));
    pause(SHORT);
    write_byte(&mut theirs, 3);
    assert_eq!(reads.join().expect("no panic"), 3);
}

#[test]
fn a_wait_ends_at_its_deadline_and_when_it_is_cancelled() {
    child_on_processors("deadlines_and_cancellation", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn deadlines_and_cancellation() {
    run(|| {
        let (ours, theirs) = streams();
        assert_eq!(
            ours.wait_readable_timeout(Duration::ZERO).expect_err("nothing is there").kind(),
            ErrorKind::TimedOut
        );
        assert_eq!(ours.wait_readable_timeout(SHORT).expect_err("nothing comes").kind(), ErrorKind::TimedOut);
        let error = net::wait_readable_timeout(ours.as_fd(), SHORT).expect_err("nothing comes");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(time::timeout(SHORT, || read_byte(&ours)).is_err());

        let ours = Arc::new(ours);
        let waiting: Vec<_> =
            (0..10)
                .map(|n| {
                    let ours = Arc::clone(&ours);
                    spawn(move || {
                        if n % 2 == 0 { read_byte(&*ours) } else { net::wait_readable(ours.as_fd()).map_or(0, |()| 1) }
                    })
                })
                .collect();
        yield_now();
        waiting.iter().for_each(JoinHandle::cancel);
        for waiting in waiting {
            waiting.join().expect_err("it was cancelled");
        }
        let token = CancelToken::new();
        let cut_short = {
            let (ours, token) = (Arc::clone(&ours), token.clone());
            spawn(move || token.run(|| read_byte(&*ours)).is_err())
        };
        yield_now();
        token.cancel();
        assert!(cut_short.join().expect("no panic"));
        select! {
            future(ours.readable()) -> _ => panic!("nothing has come"),
            after(SHORT) => {}
        }
        // None of them has taken anything away.
        let reads = {
            let ours = Arc::clone(&ours);
            spawn(move || {
                select! {
                    future(ours.readable()) -> ready => ready.expect("it is readable"),
                    after(LONG) => panic!("it is forgotten"),
                }
                read_byte(&*ours)
            })
        };
        yield_now();
        write_byte(&theirs, 9);
        assert_eq!(reads.join().expect("no panic"), 9);
    });
}

#[test]
fn a_peer_that_goes_ends_the_wait() {
    child_on_processors("peers_that_go", &[1, 2]);
}

#[test]
#[ignore = "child process"]
fn peers_that_go() {
    run(|| {
        // The peer sends, and closes its half: both are seen, though they may come as one event.
        let (mut ours, mut theirs) = streams();
        let reads = spawn(move || {
            let mut text = String::new();
            ours.read_to_string(&mut text).expect("text");
            // The other half still works.
            write_byte(&mut ours, 5);
            text
        });
        yield_now();
        theirs.write_all(b"the end").expect("room");
        theirs.shutdown(std::net::Shutdown::Write).expect("open");
        assert_eq!(reads.join().expect("no panic"), "the end");
        assert_eq!(read_byte(theirs), 5);

        // One's own shutdown ends the read of another green thread.
        let (ours, _theirs) = streams();
        let ours = Arc::new(ours);
        let reads = {
            let ours = Arc::clone(&ours);
            spawn(move || (&*ours).read(&mut [0]).expect("the end"))
        };
        yield_now();
        ours.get_ref().shutdown(std::net::Shutdown::Read).expect("open");
        assert_eq!(reads.join().expect("no panic"), 0);

        // A reset is an error of the operation.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let ours = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (theirs, _) = listener.accept().expect("a connection");
        let mut ours = Async::new(ours).expect("non-blocking");
        let reads = spawn(move || ours.read(&mut [0]).expect_err("reset").kind());
        yield_now();
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: an option of this type and size.
        let set = unsafe {
            libc::setsockopt(
                std::os::fd::AsRawFd::as_raw_fd(&theirs),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        assert_eq!(set, 0);
        drop(theirs);
        assert_eq!(reads.join().expect("no panic"), ErrorKind::ConnectionReset);

        // Nobody reads from a pipe: whoever waits for room learns of it.
        let (reader, writer) = pipe().expect("a pipe");
        let mut writer = Async::new(writer).expect("a pipe");
        let writes = spawn(move || {
            loop {
                if let Err(error) = writer.write_all(&[0; 4096]) {
                    return error.kind();
                }
            }
        });
        yield_now();
        drop(reader);
        assert_eq!(writes.join().expect("no panic"), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_number_that_is_used_again_is_another_file() {
    child_on_processors("numbers_are_used_again", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn numbers_are_used_again() {
    run(|| {
        join_all((0..8).map(|_| {
            spawn(|| {
                for round in 0..300_u32 {
                    let (mut ours, theirs) = streams();
                    let writes = spawn(move || {
                        if round % 3 == 0 {
                            yield_now();
                        }
                        write_byte(&theirs, round as u8);
                        theirs
                    });
                    assert_eq!(read_byte(&mut ours), round as u8);
                    // Closed before, after, or as the event of the last byte is delivered.
                    let ours = if round % 2 == 0 {
                        Some(ours.into_inner())
                    } else {
                        drop(ours);
                        None
                    };
                    drop((ours, writes.join().expect("no panic")));
                }
            })
        }));
    });
}

#[test]
fn thousands_of_files_are_waited_for_at_once() {
    child_on_processors("thousands_of_files", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn thousands_of_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to `limit`.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: reads from `limit`.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let count = 4000.min((limit.rlim_cur as usize - 100) / 2);
    run(move || {
        let (ours, theirs): (Vec<_>, Vec<_>) = (0..count).map(|_| streams()).unzip();
        let readers: Vec<_> =
            ours.into_iter().map(|ours| spawn(move || (read_byte(&ours), read_byte(&ours)))).collect();
        for byte in 0..2 {
            theirs.iter().for_each(|theirs| write_byte(theirs, byte));
        }
        assert!(join_all(readers).into_iter().all(|bytes| bytes == (0, 1)));
    });
}
