//! The service: one green thread that owns the keys, and answers whoever asks.

use crate::{KEY_SIZE, vault};
use greenbridge::channel::{self, Receiver, Sender};
use greenbridge::sync::{LazyLock, oneshot};
use greenbridge::{ThreadBuilder, block_on};
use std::collections::HashMap;

type Key = [u8; KEY_SIZE];

enum Message {
    Ask { name: String, reply: oneshot::Sender<Key> },
    Fetched { name: String, key: Key },
}

/// What the service knows of one key.
enum Entry {
    There(Key),
    /// It is being fetched, and these wait for it.
    OnItsWay(Vec<oneshot::Sender<Key>>),
}

static SERVICE: LazyLock<Sender<Message>> = LazyLock::new(|| {
    let (messages, received) = channel::unbounded();
    let own = messages.clone();
    ThreadBuilder::new().name("key service").spawn(move || serve(&received, &own));
    messages
});

/// Asks for a key, and waits for it.
pub(crate) fn ask(name: &str) -> Option<Key> {
    let (reply, replied) = oneshot::channel();
    SERVICE.send(Message::Ask { name: name.to_owned(), reply }).ok()?;
    replied.recv().ok()
}

fn serve(received: &Receiver<Message>, own: &Sender<Message>) {
    let mut entries: HashMap<String, Entry> = HashMap::new();
    while let Ok(message) = received.recv() {
        match message {
            Message::Ask { name, reply } => match entries.get_mut(&name) {
                Some(Entry::There(key)) => answer(reply, *key),
                Some(Entry::OnItsWay(waiting)) => waiting.push(reply),
                None => {
                    fetch(name.clone(), own.clone());
                    entries.insert(name, Entry::OnItsWay(vec![reply]));
                }
            },
            Message::Fetched { name, key } => {
                if let Some(Entry::OnItsWay(waiting)) = entries.insert(name, Entry::There(key)) {
                    waiting.into_iter().for_each(|reply| answer(reply, key));
                }
            }
        }
    }
}

/// Who has asked may be gone.
fn answer(reply: oneshot::Sender<Key>, key: Key) {
    let _ = reply.send(key);
}

/// Fetches a key on a green thread of its own, and tells the service.
fn fetch(name: String, service: Sender<Message>) {
    ThreadBuilder::new().name(format!("fetch {name}")).spawn(move || {
        let key = block_on(vault::fetch(&name, vault::DELAY));
        drop(service.send(Message::Fetched { name, key }));
    });
}
