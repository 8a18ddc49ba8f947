//! `net::poll` answers as `poll(2)` does, and only its caller waits.
//!
//! What could break it: a file that is ready before the wait and never again, an event of one file that is taken for another's, a registration
//! that is left behind for a file of the same number, or a cancellation that is not heard.

mod support;

use greenbridge::cancel::CancelToken;
use greenbridge::net::{PollFd, poll};
use greenbridge::{spawn, yield_now};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use support::{child, child_on_processors, run};

fn pipes<const N: usize>() -> [(PipeReader, PipeWriter); N] {
    std::array::from_fn(|_| pipe().expect("a pipe"))
}

/// Waits for ever for the first of `readers` that can be read.
fn first(readers: &[PipeReader]) -> usize {
    let mut files: Vec<_> = readers.iter().map(|reader| PollFd::readable(reader.as_fd())).collect();
    assert_eq!(poll(&mut files, None).expect("they can be waited for"), 1);
    files.iter().position(PollFd::is_readable).expect("one is ready")
}

#[test]
fn each_of_many_waits_for_the_first_of_its_files() {
    child_on_processors("many_wait", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn many_wait() {
    const ROUNDS: usize = 50;
    run(|| {
        let waiters: Vec<_> = (0..50)
            .map(|number| {
                spawn(move || {
                    let (mut readers, mut writers): (Vec<_>, Vec<_>) = pipes::<4>().into_iter().unzip();
                    for round in 0..ROUNDS {
                        let chosen = (number + round) % 4;
                        let mut writer = writers.remove(chosen);
                        let writes = spawn(move || {
                            (0..round % 3).for_each(|_| yield_now());
                            writer.write_all(b"!").expect("it is open");
                            writer
                        });
                        let ready = first(&readers);
                        assert_eq!(ready, chosen);
                        readers[ready].read_exact(&mut [0]).expect("there is a byte");
                        writers.insert(chosen, writes.join().expect("no panic"));
                    }
                })
            })
            .collect();
        waiters.into_iter().for_each(|waiter| waiter.join().expect("no panic"));
    });
}

#[test]
fn the_answers_are_those_of_the_kernel() {
    child("all_kinds_of_answers").succeeds();
    child("answers_without_a_runtime").succeeds();
}

#[test]
#[ignore = "child process"]
fn all_kinds_of_answers() {
    run(answers);
}

#[test]
#[ignore = "child process"]
fn answers_without_a_runtime() {
    answers();
}

fn answers() {
    let (socket, mut peer) = UnixStream::pair().expect("a pair");
    let [(silent, _writer)] = pipes();
    let moment = Some(Duration::from_millis(3));

    let mut files = [PollFd::readable(silent.as_fd()), PollFd::readable_or_writable(socket.as_fd())];
    assert_eq!(poll(&mut files, None).expect("ready"), 1);
    assert_eq!([files[0].found(), files[1].found()], [0, libc::POLLOUT]);
    assert!(files[1].is_writable() && !files[1].is_readable());

    let mut files = [PollFd::readable(silent.as_fd()), PollFd::readable(socket.as_fd())];
    assert_eq!(poll(&mut files, moment).expect("in vain"), 0);
    assert_eq!(poll(&mut files, Some(Duration::ZERO)).expect("in vain"), 0);
    peer.write_all(b"!").expect("it is open");
    assert_eq!(poll(&mut files, moment).expect("ready"), 1);
    assert_eq!(poll(&mut files, Some(Duration::MAX)).expect("still ready"), 1);
    drop(peer);
    assert_eq!(poll(&mut files, None).expect("ready"), 1);
    assert_eq!(files[1].found(), libc::POLLIN | libc::POLLHUP);

    // Always ready, and of no file at all.
    let file = File::open("/proc/self/status").expect("it is there");
    assert_eq!(poll(&mut [PollFd::readable(file.as_fd())], None).expect("ready"), 1);
    assert_eq!(poll(&mut [], moment).expect("in vain"), 0);
}

#[test]
fn a_wait_for_files_can_be_cancelled() {
    child_on_processors("cancelled", &[1, 2, 8]);
}

#[test]
#[ignore = "child process"]
fn cancelled() {
    run(|| {
        let token = CancelToken::new();
        let stop = token.clone();
        let waits = spawn(move || {
            let [(one, _writer), (other, _other_writer)] = pipes();
            token.run(|| first(&[one, other])).is_err()
        });
        (0..100).for_each(|_| yield_now());
        stop.cancel();
        assert!(waits.join().expect("no panic"));
    });
}
