//! Where the stack of a suspended green thread begins.
//!
//! corosensei keeps the stack pointer of a suspended coroutine in a private field of its `Coroutine`, and three saved registers where that points to
//! (`arch/` of the crate has the pictures). To write the stack pointer down a second time would cost at each switch. So the field is read
//! where it is, once it has been *found*: a probe coroutine is suspended, and the one word of it counts that
//!
//! 1. pointed to the upper end of its stack before its first turn,
//! 2. points further down while it is suspended, and
//! 3. is null when it has returned.
//!
//! And the registers count if a backtrace from there leads to the beginning of the probe (`unwind.rs`). All coroutines are of one type, so what holds for the
//! probe holds for each. If a later version of the crate does it in another way, nothing is found, and there are no backtraces of suspended green threads.

use super::memory::Memory;
use crate::green::switch::{Coroutine, Suspended, Suspender, Turn};
use crate::primitive::{AtomicUsize, Ordering};
use crate::stack::Stack;
use core::ptr::NonNull;

/// Where the stack pointer lies in an `Option<Coroutine>`; not before it has been found.
static OFFSET: AtomicUsize = AtomicUsize::new(NOT_FOUND);

const NOT_FOUND: usize = usize::MAX;

/// Registers from which a stack can be followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registers {
    /// Where it goes on.
    pub(crate) instruction: u64,
    pub(crate) stack: u64,
    /// The frame pointer.
    pub(crate) frame: u64,
    /// The link register, where there is one.
    #[cfg_attr(target_arch = "x86_64", expect(dead_code, reason = "this processor has none"))]
    pub(crate) link: u64,
}

impl Registers {
    /// Those of a suspended coroutine, from the stack above its stack pointer.
    pub(crate) fn saved(stack_pointer: usize, word: impl Fn(usize) -> Option<u64>) -> Option<Self> {
        let (instruction, frame, popped) = if cfg!(target_arch = "x86_64") { (0, 2, 3) } else { (2, 1, 4) };
        let at = |number: usize| word(stack_pointer + number * size_of::<u64>());
        Some(Self {
            instruction: at(instruction)?,
            stack: (stack_pointer + popped * size_of::<u64>()) as u64,
            frame: at(frame)?,
            link: at(instruction)?,
        })
    }
}

/// The stack pointer in a copy of an `Option<Coroutine>`. None: it runs, or has none, or the place is not known.
///
/// # Safety
/// `copy` points to as many bytes as an `Option<Coroutine>` has.
pub(crate) unsafe fn stack_pointer_in(copy: *const u8) -> Option<usize> {
    let offset = OFFSET.load(Ordering::Relaxed);
    if offset == NOT_FOUND {
        return None;
    }
    // SAFETY: the offset is within by `find`, and any bytes are a number.
    let word = unsafe { copy.add(offset).cast::<usize>().read_unaligned() };
    (word != 0).then_some(word)
}

/// Where the stack pointer lies in an `Option<Coroutine>`.
pub(crate) fn offset() -> Option<usize> {
    Some(OFFSET.load(Ordering::Relaxed)).filter(|&offset| offset != NOT_FOUND)
}

/// Finds the place, with a probe on `stack`. While the probe is suspended, `follow` is lent its stack pointer; it says whether a
/// backtrace from there leads to its beginning.
pub(crate) fn find(memory: &Memory, stack: Stack, follow: impl FnOnce(usize) -> bool) -> bool {
    /// # Safety
    /// `suspender` is the coroutine's own.
    #[inline(never)]
    unsafe fn probe(suspender: NonNull<Suspender>) {
        // SAFETY: by contract; this runs on the coroutine's stack.
        unsafe { suspender.as_ref().suspend(Suspended::Yield) };
    }
    let suspender = Suspender::new();
    let own = NonNull::from(&suspender);
    let usable = stack.usable();
    // SAFETY: the suspender outlives the coroutine, which returns before this function does.
    let mut slot = Some(unsafe { Coroutine::new(stack, own, probe, own) });
    let before = words(memory, &slot);
    let turn = slot.as_mut().map(Coroutine::resume);
    debug_assert_eq!(turn, Some(Turn::Suspended(Suspended::Yield)));
    let suspended = words(memory, &slot);
    let points_down =
        |n: &usize| usable.contains(&(before[*n] - 1)) && usable.contains(&suspended[*n]) && suspended[*n] < before[*n];
    let candidates: Vec<usize> = (0..before.len()).filter(|n| before[*n] > 0).filter(points_down).collect();
    let follows = match candidates[..] {
        [only] => follow(suspended[only]),
        _ => false,
    };
    let turn = slot.as_mut().map(Coroutine::resume);
    debug_assert_eq!(turn, Some(Turn::Returned));
    let after = words(memory, &slot);
    drop(slot.take().map(Coroutine::into_stack));
    match candidates[..] {
        [only] if follows && after[only] == 0 => {
            OFFSET.store(only * size_of::<usize>(), Ordering::Relaxed);
            true
        }
        _ => false,
    }
}

/// What lies there, padding included: so through the kernel.
fn words(memory: &Memory, slot: &Option<Coroutine>) -> Vec<usize> {
    let mut bytes = vec![0; size_of_val(slot)];
    let read = memory.read(core::ptr::from_ref(slot).expose_provenance(), &mut bytes);
    let words = bytes[..read].chunks_exact(size_of::<usize>());
    words.map(|word| usize::from_ne_bytes(word.try_into().expect("a word"))).collect()
}
