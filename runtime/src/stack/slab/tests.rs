//! Slots lie where they should, are found by their addresses, and end in a guard.

use std::collections::HashSet;

use super::*;

fn slab(slots: u32, usable: usize) -> &'static Slab {
    Slab::reserve(slots, Shape::new(usable), Box::leak(Box::default())).expect("a small slab")
}

/// Whether the byte at `address` can be read: the kernel is asked, so that a "no" is not a fault.
fn is_readable(address: usize) -> bool {
    let mut pipe = [0; 2];
    // SAFETY: pipe writes two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    // SAFETY: the kernel reads the byte, or answers EFAULT.
    let written = unsafe { libc::write(pipe[1], address as *const _, 1) };
    // SAFETY: nobody else knows these descriptors.
    pipe.iter().for_each(|&end| _ = unsafe { libc::close(end) });
    written == 1
}

#[test]
fn a_shape_has_at_least_the_size_asked_for_and_its_guard_comes_on_top() {
    let page = page_size();
    for usable in [0, 1, MIN_STACK_SIZE, 100_000, 256 << 10] {
        let shape = Shape::new(usable);
        assert!(shape.usable() >= usable.max(MIN_STACK_SIZE) && shape.usable() < usable.max(MIN_STACK_SIZE) + page);
        assert_eq!(shape.usable() % page, 0);
        assert!(shape.stride() - shape.usable() >= guard::SIZE);
    }
}

#[test]
fn slots_lie_side_by_side_and_are_found_by_every_address_in_them() {
    let slab = slab(10, 50_000);
    let stride = slab.shape.stride();
    for index in 0..10 {
        let slot = slab.slot(index);
        assert_eq!(slot.bottom().get() % page_size(), 0);
        assert_eq!(slot.top().get() - slot.bottom().get(), stride);
        for address in [slot.bottom().get(), slot.usable().start, slot.top().get() - 1] {
            assert_eq!(find(address).map(Slot::bottom), Some(slot.bottom()));
        }
        assert!(slot.is_guarded_at(slot.usable().start - 1) && !slot.is_guarded_at(slot.usable().start));
        assert!(slot.is_below_top(slot.top().get()) && !slot.is_below_top(slot.bottom().get()));
        assert_eq!(slot.bottom().get(), slab.start + index as usize * stride);
    }
    assert!(find(slab.start - 1).is_none(), "the owner table belongs to no slot");
    assert!(find(slab.owners.as_ptr().addr()).is_none());
    assert!(find(0).is_none() && find(usize::MAX).is_none());
}

#[test]
fn each_slot_has_its_own_owner_cell_and_neighbours_do_not_share_a_cache_line() {
    for slots in [1, 64, 513, 5000] {
        let cells: Vec<usize> = (0..slots).map(Slab::cell).collect();
        assert!(cells.iter().all(|&cell| cell < Slab::cells(slots)));
        assert_eq!(cells.iter().collect::<HashSet<_>>().len(), cells.len());
        let line = |cell: usize| cell / CELLS_PER_LINE as usize;
        assert!(cells.windows(2).all(|pair| line(pair[0]) != line(pair[1])));
    }
}

#[test]
fn the_guard_refuses_access_and_every_usable_byte_allows_it() {
    let slot = slab(2, 64 << 10).slot(1);
    slot.guard().expect("a guard");
    let (bottom, Range { start, end }) = (slot.bottom().get(), slot.usable());
    assert!(!is_readable(bottom) && !is_readable(start - 1));
    assert!(is_readable(start) && is_readable(end - 1));
    assert!(is_readable(bottom - 1), "the slot below keeps its top");
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_deep_stack_gives_its_lower_pages_back_and_keeps_its_top_and_its_guard() {
    let slot = slab(1, 128 << 10).slot(0);
    slot.guard().expect("a guard");
    let lower = slot.below_kept().expect("the stack is larger than what is kept");
    let top = (slot.top().get() - 1) as *mut u8;
    // SAFETY: usable bytes of a slot that nobody else knows.
    unsafe { top.write(1) };
    assert!(!slot.was_deep());
    let deep = (lower.end - 1) as *mut u8;
    // SAFETY: as above.
    unsafe { deep.write(1) };
    assert!(slot.was_deep());
    // SAFETY: no frame lives there.
    unsafe { slot.give_back() };
    assert!(!slot.was_deep());
    // SAFETY: as above.
    unsafe { assert_eq!((top.read(), deep.read()), (1, 0)) };
    assert!(!is_readable(slot.usable().start - 1));
}

#[test]
fn a_stack_as_small_as_what_is_kept_has_nothing_to_give_back() {
    let slot = slab(1, MIN_STACK_SIZE).slot(0);
    slot.guard().expect("a guard");
    assert!(!slot.was_deep());
    // SAFETY: no frame lives there.
    unsafe { slot.give_back() };
    assert!(is_readable(slot.top().get() - 1));
}

#[test]
fn a_slab_that_fits_in_no_address_space_is_refused() {
    let refused = Slab::reserve(2, Shape::new(usize::MAX), Box::leak(Box::default()));
    assert_eq!(refused.expect_err("no such slab").raw_os_error(), Some(libc::ENOMEM));
}
