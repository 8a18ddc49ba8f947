//! Who keeps the stacks that nobody uses.
//!
//! Each processor has a [`StackCache`]: a last-in, first-out pile of 64, so that the next green thread runs on memory
//! that is still in the processor's own caches. It is not shared and takes no lock. Behind it stands the one
//! [`StackPool`], whose *home list* is shared: a full cache moves its 32 oldest there at one go, an empty one fetches
//! up to 32. Only when that list is empty too is a fresh slot handed out, one by one.
//!
//! **Growth.** Nothing is reserved until the first stack is asked for. The first slab has 64 slots, and each further
//! one has as many as there are already, up to 2^18: sixteen slabs hold a million. When so large a slab is refused, 8
//! slots are asked for, then one: near a limit the pool takes what it needs and leaves the rest to others. Nothing is
//! given back.
//!
//! **Pages of deep stacks.** A stack that was used deeply keeps its pages while it is free. To look at one takes a
//! system call of 1 us, to give its pages back 5 us and more, and to touch them again 1.5 us each, where `take` and
//! `put` cost 4 ns together. So nobody looks at the first 1,024 stacks of the home list, nor at those in a cache: they
//! stay warm. What comes on top is a burst that has ended. One stack of each batch is looked at then; if it was deep,
//! the whole batch gives back what lies below the topmost 16 KiB, and goes to the cold end of the list. The stacks of a
//! program tend to be used alike, so one of 32 is a good sample. A deep stack that it misses is met again on its next
//! way home.

use super::slab::{Home, Shape, Slab, Slot};
use super::{Stack, StackError};
use crate::primitive::{Mutex, lock};

/// The stacks that a processor keeps.
const CACHE: usize = 64;

/// The stacks that move between a cache and the home list at one go.
const BATCH: usize = CACHE / 2;

/// The stacks on the home list that keep all their pages.
const WARM: usize = 1024;

/// Slots of the first slab.
const FIRST: u32 = 64;

/// Slots of a slab when one of the usual size is refused.
const FEW: u32 = 8;

/// Slots of a slab at most: 80 GiB at the default size.
const MOST: u32 = 1 << 18;

/// All stacks of the runtime, in use or not.
#[derive(Debug)]
pub(crate) struct StackPool {
    shape: Shape,
    /// The free stacks that no processor keeps.
    home: &'static Home,
    growth: Mutex<Growth>,
}

/// Where fresh slots come from.
#[derive(Debug, Default)]
struct Growth {
    /// The newest slab; the older ones are used up.
    slab: Option<&'static Slab>,
    /// Its first slot that was never handed out.
    next: u32,
    /// Slots of all slabs together.
    reserved: u32,
    /// Bytes of all slabs together.
    address_space: usize,
    /// Slots that were to be handed out when their guard was refused.
    unguarded: Vec<Slot>,
}

impl StackPool {
    /// Makes a pool of stacks with at least `usable` bytes each, rounded up to whole pages. It reserves nothing yet.
    ///
    /// What is reserved later is never given back, so a process makes one pool.
    pub(crate) fn new(usable: usize) -> Self {
        Self { shape: Shape::new(usable), home: Box::leak(Box::default()), growth: Mutex::default() }
    }

    /// The bytes of each stack that a green thread can use.
    #[cfg(test)]
    pub(crate) fn usable_size(&self) -> usize {
        self.shape.usable()
    }

    /// Hands out one stack: a used one, else a fresh one. With a processor at hand, [`StackCache::take`] is cheaper.
    pub(crate) fn allocate(&self) -> Result<Stack, StackError> {
        let used = lock(self.home).pop_back();
        match used {
            // SAFETY: it was guarded when it was first handed out, and has just been taken off the home list.
            Some(slot) => Ok(unsafe { Stack::new(slot) }),
            None => self.fresh(),
        }
    }

    /// How many stacks were handed out for the first time, and how many bytes of address space all of them and those to come take.
    pub(crate) fn made(&self) -> (usize, usize) {
        let growth = lock(&self.growth);
        let unused = growth.slab.map_or(0, |slab| slab.slots() - growth.next);
        ((growth.reserved - unused) as usize, growth.address_space)
    }

    /// Hands out a slot that was never used.
    #[cold]
    fn fresh(&self) -> Result<Stack, StackError> {
        let slot = lock(&self.growth).next(self.shape, self.home)?;
        // Not under the lock: the kernel takes a microsecond for this, and each slot is its own.
        if let Err(error) = slot.guard() {
            lock(&self.growth).unguarded.push(slot);
            return Err(error);
        }
        // SAFETY: the guard is there, and `next` hands each slot out once.
        Ok(unsafe { Stack::new(slot) })
    }
}

impl Growth {
    /// The next slot without a guard.
    fn next(&mut self, shape: Shape, home: &'static Home) -> Result<Slot, StackError> {
        if let Some(slot) = self.unguarded.pop() {
            return Ok(slot);
        }
        let slab = match self.slab {
            Some(slab) if self.next < slab.slots() => slab,
            _ => self.reserve(shape, home)?,
        };
        let slot = slab.slot(self.next);
        self.next += 1;
        Ok(slot)
    }

    /// Reserves the next slab.
    fn reserve(&mut self, shape: Shape, home: &'static Home) -> Result<&'static Slab, StackError> {
        let usual = self.reserved.clamp(FIRST, MOST);
        let slab = Slab::reserve(usual, shape, home)
            .or_else(|_| Slab::reserve(FEW, shape, home))
            .or_else(|_| Slab::reserve(1, shape, home))
            .map_err(|error| StackError::address_space(shape, error))?;
        self.reserved = self.reserved.saturating_add(slab.slots());
        self.address_space = self.address_space.saturating_add(Slab::size(slab.slots(), shape));
        self.next = 0;
        Ok(self.slab.insert(slab))
    }
}

/// The stacks that one processor keeps for itself.
#[derive(Debug, Default)]
pub(crate) struct StackCache {
    /// The last one was used last.
    stacks: Vec<Stack>,
    /// Counts the batches that went home, to look at another stack of each.
    batches: usize,
}

impl StackCache {
    /// Makes an empty cache. It allocates nothing yet.
    pub(crate) const fn new() -> Self {
        Self { stacks: Vec::new(), batches: 0 }
    }

    /// Takes the stack that was put here last, or else one of `pool`'s.
    #[inline]
    pub(crate) fn take(&mut self, pool: &StackPool) -> Result<Stack, StackError> {
        match self.stacks.pop() {
            Some(stack) => Ok(stack),
            None => self.refill(pool),
        }
    }

    /// Keeps `stack`, on which nobody runs any more.
    #[inline]
    pub(crate) fn put(&mut self, stack: Stack, pool: &StackPool) {
        debug_assert!(stack.is_free(), "a stack is put back while it has an owner");
        if self.stacks.len() == CACHE {
            self.spill(pool);
        }
        self.stacks.push(stack);
    }

    /// Fetches what the home list has, up to a batch; if it has none, hands out one fresh stack.
    #[cold]
    fn refill(&mut self, pool: &StackPool) -> Result<Stack, StackError> {
        let mut home = lock(pool.home);
        let rest = home.len() - home.len().min(BATCH);
        // SAFETY: these slots were guarded when they were first handed out, and are just being taken off the home list.
        self.stacks.extend(home.drain(rest..).map(|slot| unsafe { Stack::new(slot) }));
        drop(home);
        self.stacks.pop().map_or_else(|| pool.fresh(), Ok)
    }

    /// Sends the oldest batch to the home list.
    #[cold]
    fn spill(&mut self, pool: &StackPool) {
        let mut home = lock(pool.home);
        if home.len() < WARM {
            home.extend(self.stacks.drain(..BATCH).map(Stack::into_slot));
            return;
        }
        // Not under the lock, as it may take long.
        drop(home);
        let batch = &mut self.stacks[..BATCH];
        if batch[self.batches % BATCH].was_deep() {
            batch.iter_mut().for_each(Stack::give_back);
        }
        self.batches = self.batches.wrapping_add(1);
        let mut home = lock(pool.home);
        for stack in self.stacks.drain(..BATCH) {
            home.push_front(stack.into_slot());
        }
    }
}

#[cfg(test)]
mod tests;
