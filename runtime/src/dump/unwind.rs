//! Backtraces: of suspended green threads from a copy of their stack, of those that run from a sample of their OS thread.
//!
//! A copy counts if the green thread has not run meanwhile: it was suspended at the same stack pointer before and after, and a second copy is the
//! same. (One that ran and came back to the very same state in between is shown in that state.) The copy is then followed frame by frame by the unwind
//! tables of the loaded objects (crate `framehop`), from the saved registers to [`Root`]: the address at which corosensei's entry calls the body of every
//! coroutine. A backtrace that ends there is complete, and hardly can be wrong.
//!
//! # Limits
//! Of green threads that agree in all else the first [`EACH`] are followed, and [`MOST`] in all, for [`LONGEST`].

use super::census::Seen;
use super::group::Key;
use super::memory::Memory;
use super::model;
use super::modules::Modules;
use super::sample;
use super::suspended::{self, Registers};
use super::symbols::Symbols;
use crate::green::thread::Head;
use crate::primitive::{Mutex, MutexGuard, lock};
use crate::scheduler::runtime::runtime;
use crate::scheduler::worker::Worker;
use crate::stack::Place;
use core::mem::offset_of;
use core::ops::Range;
use framehop::{CacheNative, FrameAddress, MayAllocateDuringUnwind, UnwindRegsNative, Unwinder as _};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Backtraces of green threads that agree in all else.
const EACH: usize = 1_000;
/// Backtraces in all.
const MOST: usize = 10_000;
/// The time for all.
const LONGEST: Duration = Duration::from_secs(2);
/// The time that may be spent on asking OS threads where they are.
const ASKING: Duration = Duration::from_millis(300);
/// Frames of one backtrace.
const FRAMES: usize = 256;
/// Bytes of one stack.
const BYTES: usize = 1 << 20;
/// Words of a stack that are tried as a frame pointer which is not known.
const TRIES: usize = 64;

/// What is kept from one dump to the next. Whoever has the lock takes backtraces.
static KEPT: Mutex<Kept> = Mutex::new(Kept { modules: None, cache: None, root: None, symbols: None });

struct Kept {
    modules: Option<Modules>,
    cache: Option<CacheNative<MayAllocateDuringUnwind>>,
    root: Option<Root>,
    symbols: Option<Symbols>,
}

/// Where corosensei's entry calls the body of a coroutine: the last address of every complete backtrace. None: it was not found.
#[derive(Debug, Clone, Copy)]
struct Root(Option<u64>);

/// Return addresses, the innermost first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Trace {
    addresses: Vec<u64>,
    is_complete: bool,
}

/// Backtraces under way.
pub(super) struct Stacks<'a> {
    memory: &'a Memory,
    kept: MutexGuard<'static, Kept>,
    begin: Instant,
    asking: Duration,
    taken: usize,
    of_key: HashMap<Key, usize>,
    numbers: HashMap<Trace, usize>,
    traces: Vec<Trace>,
}

impl<'a> Stacks<'a> {
    pub(super) fn new(memory: &'a Memory) -> Self {
        let mut kept = lock(&KEPT);
        let before = kept.modules.take();
        let version = before.as_ref().map(Modules::version);
        let modules = Modules::now(before);
        if version != Some(modules.version()) {
            // What was there before may have gone, and something else come in its place.
            kept.cache = Some(CacheNative::new_in());
            kept.symbols = Some(Symbols::default());
        }
        kept.modules = Some(modules);
        let mut stacks = Self {
            memory,
            kept,
            begin: Instant::now(),
            asking: Duration::ZERO,
            taken: 0,
            of_key: HashMap::new(),
            numbers: HashMap::new(),
            traces: Vec::new(),
        };
        if stacks.kept.root.is_none() {
            stacks.kept.root = Some(stacks.find_root());
        }
        stacks
    }

    /// Why there are none, if so.
    pub(super) fn failure(&self) -> Option<String> {
        let is_missing = self.kept.root.is_none_or(|Root(root)| root.is_none());
        is_missing.then(|| "no way was found to read a suspended stack of this build".to_owned())
    }

    fn find_root(&mut self) -> Root {
        /// What lies above the frames of a coroutine: its closure, and the link to the resumer.
        const ABOVE: usize = 256;
        let Ok(stack) = runtime().stacks.allocate() else { return Root(None) };
        let (memory, kept, usable) = (self.memory, &mut self.kept, stack.usable());
        let mut root = None;
        let found = suspended::find(memory, stack, |stack_pointer| {
            let Some(copy) = Copy::of(memory, stack_pointer, usable.end - stack_pointer) else { return false };
            let Some(registers) = copy.saved_registers() else { return false };
            let (trace, end) = kept.follow(registers, &copy, Reach::Copy);
            root = trace.addresses.last().copied().filter(|_| trace.addresses.len() >= 2 && usable.end - end < ABOVE);
            root.is_some()
        });
        Root(root.filter(|_| found))
    }

    /// The number of the backtrace of `seen`, which is told by `key`, and runs on `worker`.
    pub(super) fn take(&mut self, seen: &Seen, key: &Key, worker: Option<&'static Worker>) -> Option<usize> {
        let Root(Some(_)) = self.kept.root? else { return None };
        let of_key = self.of_key.entry(*key).or_default();
        if *of_key == EACH || self.taken == MOST || self.begin.elapsed() > LONGEST {
            return None;
        }
        *of_key += 1;
        self.taken += 1;
        let trace = match worker {
            Some(worker) => self.running(seen, worker),
            None => self.suspended(seen),
        }?;
        let next = self.traces.len();
        let number = *self.numbers.entry(trace.clone()).or_insert(next);
        if number == next {
            self.traces.push(trace);
        }
        Some(number)
    }

    fn suspended(&mut self, seen: &Seen) -> Option<Trace> {
        let stack_pointer = seen.glimpse.stack_pointer.filter(|pointer| seen.place.usable().contains(pointer))?;
        let len = (seen.place.usable().end - stack_pointer).min(BYTES);
        let first = Copy::of(self.memory, stack_pointer, len)?;
        let second = Copy::of(self.memory, stack_pointer, len)?;
        let is_there = seen.place.owner().map(Head::address_of_owner) == Some(seen.glimpse.head);
        let field = seen.glimpse.head + offset_of!(Head, coroutine) + suspended::offset()?;
        if !is_there || first.bytes != second.bytes || self.word(field) != Some(stack_pointer as u64) {
            return None;
        }
        let registers = first.saved_registers()?;
        Some(self.kept.follow(registers, &first, Reach::Copy).0)
    }

    fn running(&mut self, seen: &Seen, worker: &'static Worker) -> Option<Trace> {
        if self.asking > ASKING {
            return None;
        }
        let begin = Instant::now();
        let sample = sample::of(worker.os_thread(), self.memory);
        self.asking += begin.elapsed();
        let sample = sample?;
        // It must have been this green thread all the time, or its backtrace is somebody else's.
        if worker.runs() != Some(seen.glimpse.head) {
            return None;
        }
        let reach = Reach::Memory(self.memory);
        let mut best = self.kept.follow(sample.registers, &sample.stack, reach).0;
        if sample.knows_frame || best.is_complete {
            return Some(best);
        }
        // The kernel does not tell the frame pointer of who is in a system call. Where a function on the way needs it, it is the address of a
        // saved one with a return address above.
        let mut candidates = sample.stack.return_addresses(|word| self.kept.is_code(word));
        candidates.truncate(TRIES);
        for place in candidates {
            let registers = Registers { frame: place as u64 - 8, ..sample.registers };
            let trace = self.kept.follow(registers, &sample.stack, reach).0;
            if trace.is_complete {
                return Some(trace);
            }
            if trace.addresses.len() > best.addresses.len() {
                best = trace;
            }
        }
        Some(best)
    }

    fn word(&self, address: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.memory.read(address, &mut bytes) == 8).then(|| u64::from_ne_bytes(bytes))
    }

    /// The backtrace with this number.
    pub(super) fn finish(&mut self, number: usize) -> model::Stack {
        let Trace { addresses, is_complete } = &self.traces[number];
        self.kept.symbols.get_or_insert_default().stack(addresses, *is_complete)
    }
}

/// What may be read beyond a copy.
#[derive(Clone, Copy)]
enum Reach<'a> {
    /// Nothing: the backtrace ends there.
    Copy,
    /// What is there by now: the stack that a call on the OS thread's own stack was made from, which stays as it is as long as that call lasts.
    Memory(&'a Memory),
}

impl Kept {
    fn is_code(&self, address: u64) -> bool {
        self.modules.as_ref().is_some_and(|modules| modules.is_code(address))
    }

    /// Follows a stack from its innermost frame on. Returns also how far up it came.
    fn follow(&mut self, registers: Registers, copy: &Copy, reach: Reach<'_>) -> (Trace, usize) {
        let mut trace = Trace { addresses: vec![registers.instruction], is_complete: false };
        let (Some(modules), Some(cache)) = (&self.modules, &mut self.cache) else { return (trace, copy.address) };
        let root = self.root.and_then(|Root(root)| root);
        let mut read = |address: u64| {
            let address = usize::try_from(address).map_err(drop)?;
            copy.word(address).map_or_else(|| reach.word(address).ok_or(()), Ok)
        };
        let mut place = FrameAddress::from_instruction_pointer(registers.instruction);
        let mut state = registers.for_unwinder();
        let mut end = copy.address;
        while trace.addresses.len() < FRAMES {
            let caller = match modules.unwinder.unwind_frame(place, &mut state, cache, &mut read) {
                Ok(Some(caller)) => caller,
                Err(framehop::Error::FramepointerUnwindingMovedBackwards) if matches!(reach, Reach::Memory(_)) => {
                    let Some(caller) = onto_green_stack(&mut state, &mut read) else { break };
                    caller
                }
                _ => break,
            };
            let stack = usize::try_from(state.sp()).unwrap_or(usize::MAX);
            let Some(next) = FrameAddress::from_return_address(caller) else { break };
            if matches!(reach, Reach::Copy) && !copy.range().contains(&stack) {
                break;
            }
            trace.addresses.push(caller);
            (place, end) = (next, stack);
            if Some(caller) == root {
                trace.is_complete = true;
                break;
            }
        }
        (trace, end)
    }
}

/// From corosensei's call on the OS thread's own stack back to the green thread's, which may lie below it. The tables say it in the usual way, by
/// the frame pointer, but the unwinder takes a step down for a sign of a broken stack. Returns the caller.
fn onto_green_stack(state: &mut UnwindRegsNative, read: &mut impl FnMut(u64) -> Result<u64, ()>) -> Option<u64> {
    let frame = state.frame();
    Place::at(usize::try_from(frame).ok()?)?;
    let (outer, caller) = (read(frame).ok()?, read(frame + 8).ok()?);
    let registers = Registers { instruction: caller, stack: frame + 16, frame: outer, link: caller };
    *state = registers.for_unwinder();
    Some(caller)
}

/// The frame pointer, as this processor calls it.
trait FramePointer {
    fn frame(&self) -> u64;
}

impl FramePointer for UnwindRegsNative {
    #[cfg(target_arch = "x86_64")]
    fn frame(&self) -> u64 {
        self.bp()
    }

    #[cfg(target_arch = "aarch64")]
    fn frame(&self) -> u64 {
        self.fp()
    }
}

impl Reach<'_> {
    fn word(self, address: usize) -> Option<u64> {
        let Self::Memory(memory) = self else { return None };
        let mut bytes = [0; 8];
        (memory.read(address, &mut bytes) == 8).then(|| u64::from_ne_bytes(bytes))
    }
}

impl Registers {
    #[cfg(target_arch = "x86_64")]
    fn for_unwinder(self) -> UnwindRegsNative {
        UnwindRegsNative::new(self.instruction, self.stack, self.frame)
    }

    #[cfg(target_arch = "aarch64")]
    fn for_unwinder(self) -> UnwindRegsNative {
        UnwindRegsNative::new(self.link, self.stack, self.frame)
    }
}

/// A copy of a stack, from some address up.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) address: usize,
    pub(super) bytes: Vec<u8>,
}

impl Copy {
    /// Copies what there is, at most `len` bytes.
    pub(super) fn of(memory: &Memory, address: usize, len: usize) -> Option<Self> {
        let mut bytes = vec![0; len];
        let read = memory.read(address, &mut bytes);
        bytes.truncate(read);
        (read > 0).then_some(Self { address, bytes })
    }

    fn range(&self) -> Range<usize> {
        self.address..self.address + self.bytes.len()
    }

    fn word(&self, address: usize) -> Option<u64> {
        let offset = address.checked_sub(self.address)?;
        let bytes = self.bytes.get(offset..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    }

    /// Those of a suspended coroutine.
    fn saved_registers(&self) -> Option<Registers> {
        Registers::saved(self.address, |address| self.word(address))
    }

    /// Where return addresses may lie, from the innermost on.
    fn return_addresses(&self, is_code: impl Fn(u64) -> bool) -> Vec<usize> {
        let words = self.range().step_by(8).skip(1);
        words.filter(|&address| self.word(address).is_some_and(&is_code)).collect()
    }
}
