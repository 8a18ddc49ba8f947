//! Every green thread, as it is while it runs, waits or ends.
//!
//! There is no list of all green threads: to keep one would cost at each spawn. But each that has begun to run has a stack, whose slot names
//! its owner, a part of its control block ([`Head`]); and one that has not begun is in a queue. A control block may be freed at any moment. So it
//! is copied by the kernel (`memory.rs`), and what was copied is believed by this protocol:
//!
//! | step | what | |
//! |---|---|---|
//! | Cell 1 | the owner in the slot's cell | an address |
//! | Id 1 | the id at that address | |
//! | Cell 2 | the owner again | must be equal |
//! | Copy | the control block, and then its name | |
//! | Cell 3 | the owner again | must be equal |
//! | Id 2 | the id again | must be equal to Id 1 |
//!
//! # Proof
//! At Cell 2 some control block lies at the address, for a cell is cleared before its owner goes away (`turn.rs`). Let X be its id. Ids are never used
//! twice, and are written once. If it was not there at Id 1 already, then what Id 1 read was not X, whatever lay there; and from Cell 2 on an
//! id that is read there is X, or belongs to who came later, or is what freed memory holds: not what Id 1 has read. So if both are
//! equal they are X; and by the same reasoning the control block of Cell 3 has the id X. Hence it lived from Cell 2 to Cell 3, and Copy shows it.
//! (Freed memory could hold Id 1 by chance, written there between Cell 3 and Id 2 as something else: one in 2^64 for each dump.)
//!
//! What a control block keeps for itself may have been copied in the middle of a change. Each field is one aligned word, and is right for some
//! moment between Cell 2 and Cell 3; that two fields belong together is certain only of a green thread that is parked meanwhile.
//!
//! # What it must never do
//! Follow a pointer out of a copy before the protocol has come to its end; and after it only to what lives for ever.

use super::memory::{Memory, Piece};
use crate::green::glimpse::{Copy, Glimpse};
use crate::green::thread::Head;
use crate::stack::{self, Owner, Place};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// How many control blocks are copied at a time.
const BATCH: usize = 256;
/// The most bytes of a name that are shown.
const NAME: usize = 128;

/// A green thread that has begun and not ended.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) glimpse: Glimpse,
    pub(crate) name: Option<Box<str>>,
    #[cfg_attr(not(feature = "dump"), expect(dead_code, reason = "backtraces need to know where the stack lies"))]
    pub(crate) place: Place,
}

/// Shows every green thread that has a stack to `visit`, and returns how many could not be seen, because they began or ended meanwhile.
pub(crate) fn census(memory: &Memory, mut visit: impl FnMut(Seen)) -> usize {
    let mut places = stack::in_use();
    let mut missed = 0;
    loop {
        let batch: Vec<_> = places.by_ref().filter_map(|place| Some((place, head_at(place)?))).take(BATCH).collect();
        if batch.is_empty() {
            return missed;
        }
        missed += look(memory, &batch, &mut visit);
    }
}

/// Cell.
fn head_at(place: Place) -> Option<usize> {
    place.owner().map(Head::address_of_owner)
}

/// The rest of the protocol, for places with what Cell 1 has shown. Returns how many it does not hold for.
fn look(memory: &Memory, batch: &[(Place, usize)], visit: &mut impl FnMut(Seen)) -> usize {
    let stay = || batch.iter().map(|&(place, head)| head_at(place) == Some(head)).collect::<Vec<_>>();
    let first = ids(memory, batch);
    let second_cells = stay();
    let heads = copies::<Head>(memory, batch, 0);
    let copies: Vec<_> = (batch.iter().zip(&heads).zip(second_cells))
        .map(|((&(_, head), (copy, done)), stays)| (*done && stays).then(|| Copy::new(head, copy)))
        .collect();
    let names = names(memory, &copies);
    let third_cells = stay();
    let second = ids(memory, batch);
    let mut missed = 0;
    for (n, name) in names.into_iter().enumerate() {
        let holds = third_cells[n] && first[n].is_some() && first[n] == second[n];
        match copies[n].as_ref().filter(|copy| holds && first[n] == Some(copy.id())) {
            // SAFETY: the protocol has come to its end, so the control block was alive when it was copied.
            Some(copy) => visit(Seen { glimpse: unsafe { copy.believe() }, name, place: batch[n].0 }),
            None => missed += 1,
        }
    }
    missed
}

/// Id.
fn ids(memory: &Memory, batch: &[(Place, usize)]) -> Vec<Option<u64>> {
    let ids = copies::<u64>(memory, batch, Head::OFFSET_OF_OWNER + Owner::OFFSET_OF_ID);
    // SAFETY: zeroed, or copied.
    ids.into_iter().map(|(id, done)| done.then(|| unsafe { id.assume_init() })).collect()
}

/// Copies what lies `offset` bytes into each control block, and says for each whether it was there.
fn copies<T>(memory: &Memory, batch: &[(Place, usize)], offset: usize) -> Vec<(MaybeUninit<T>, bool)> {
    let mut copies: Vec<_> = batch.iter().map(|_| (MaybeUninit::zeroed(), false)).collect();
    let mut pieces: Vec<_> =
        batch.iter().zip(&mut copies).map(|(&(_, head), (copy, _))| Piece::value(head + offset, copy)).collect();
    memory.read_each(&mut pieces);
    let done: Vec<_> = pieces.iter().map(|piece| piece.done).collect();
    copies.iter_mut().zip(done).for_each(|((_, done), is)| *done = is);
    copies
}

/// The names, as far as they are there.
fn names(memory: &Memory, copies: &[Option<Copy<'_>>]) -> Vec<Option<Box<str>>> {
    let found: Vec<_> = copies.iter().map(|copy| copy.as_ref()?.name()).collect();
    let len = |name: &NonNull<[u8]>| name.len().min(NAME);
    let mut bytes = vec![[0; NAME]; if found.iter().any(Option::is_some) { found.len() } else { 0 }];
    let mut pieces: Vec<_> = (found.iter().zip(&mut bytes))
        .filter_map(|(name, bytes)| name.as_ref().map(|name| (name, bytes)))
        .map(|(name, bytes)| Piece::bytes(name.cast::<u8>().as_ptr().expose_provenance(), &mut bytes[..len(name)]))
        .collect();
    memory.read_each(&mut pieces);
    let text = |n: usize, name: &NonNull<[u8]>| String::from_utf8_lossy(&bytes[n][..len(name)]).into_owned().into();
    found.iter().enumerate().map(|(n, name)| name.as_ref().map(|name| text(n, name))).collect()
}
