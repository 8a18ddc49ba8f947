//! The name server: UDP on loopback, on green threads of the same process. `host-N.example` has an address, `lossy-N.example` answers only when it is asked
//! again, `silent.example` never, and there are no others.

use greenbridge::net::UdpSocket;
use greenbridge::{spawn, time};
use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Before each answer.
const DELAY: Duration = Duration::from_millis(20);

/// Starts it, and returns its address.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let socket = Arc::new(UdpSocket::bind(("127.0.0.1", 0))?);
    let address = socket.local_addr()?;
    spawn(move || {
        let (mut datagram, mut asked) = ([0; 512], HashSet::new());
        while let Ok((size, from)) = socket.recv_from(&mut datagram) {
            let Some(question) = Question::read(&datagram[..size]) else { continue };
            let name = question.name.clone();
            let is_lost = name.starts_with("lossy-") && asked.insert(name.clone());
            if name == "silent.example" || is_lost {
                continue;
            }
            let socket = Arc::clone(&socket);
            spawn(move || {
                time::sleep(DELAY);
                // Who has asked may be gone.
                let _ = socket.send_to(&question.answer(), from);
            });
        }
    });
    Ok(address)
}

/// The address of a name.
pub(crate) fn address_of(name: &str) -> Option<Ipv4Addr> {
    let (kind, number) = name.strip_suffix(".example")?.split_once('-')?;
    let second = ["host", "lossy"].iter().position(|known| *known == kind)? as u8;
    let [high, low] = number.parse::<u16>().ok()?.to_be_bytes();
    Some(Ipv4Addr::new(10, second, high, low))
}

/// One question of a datagram, which has no other.
struct Question {
    /// As it came: number, name, type and class.
    id: [u8; 2],
    bytes: Vec<u8>,
    name: String,
}

impl Question {
    /// Reads it. The head has 12 bytes; then come the labels of the name, each behind its length, up to an empty one.
    fn read(datagram: &[u8]) -> Option<Self> {
        let (head, body) = datagram.split_at_checked(12)?;
        let (mut labels, mut at) = (Vec::new(), 0);
        loop {
            let length = usize::from(*body.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(body.get(at..at + length)?).to_lowercase());
            at += length;
        }
        Some(Self { id: [head[0], head[1]], bytes: body.get(..at + 4)?.to_vec(), name: labels.join(".") })
    }

    /// The answer: an address, or that there is no such name.
    fn answer(&self) -> Vec<u8> {
        let address = address_of(&self.name);
        let mut answer = self.id.to_vec();
        // An answer, for which recursion was wanted and is to be had; code 3 says that there is no such name.
        answer.extend([0x81, if address.is_some() { 0x80 } else { 0x83 }]);
        // One question, an answer or none, no more.
        answer.extend([0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
        answer.extend(&self.bytes);
        if let Some(address) = address {
            // The name is at byte 12; an address of the Internet, good for a minute, of four bytes.
            answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(address.octets());
        }
        answer
    }
}
