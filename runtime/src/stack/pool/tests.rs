//! Stacks are never lost and never handed out twice, move in batches, and run out with an error that names the knob.

use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;

use corosensei::stack::Stack as _;
use corosensei::{Coroutine, CoroutineResult};

use super::super::child::{End, run};
use super::super::{StackShortage, guard};
use super::*;

const USABLE: usize = 64 << 10;

fn bases(stacks: &[Stack]) -> HashSet<usize> {
    stacks.iter().map(|stack| stack.base().get()).collect()
}

fn at_home(pool: &StackPool) -> usize {
    lock(pool.home).len()
}

fn handed_out(pool: &StackPool) -> u32 {
    let growth = lock(&pool.growth);
    growth.reserved - growth.slab.map_or(0, Slab::slots) + growth.next
}

fn take(cache: &mut StackCache, pool: &StackPool, number: usize) -> Vec<Stack> {
    (0..number).map(|_| cache.take(pool).expect("a stack")).collect()
}

#[test]
fn a_new_pool_reserves_nothing() {
    let pool = StackPool::new(USABLE);
    assert_eq!((lock(&pool.growth).reserved, at_home(&pool)), (0, 0));
    assert_eq!(pool.usable_size(), USABLE);
}

#[test]
fn the_pool_grows_by_slabs_and_never_hands_out_a_stack_twice() {
    let pool = StackPool::new(USABLE);
    let mut stacks = Vec::new();
    for (number, reserved) in [(1, 64), (64, 64), (65, 128), (129, 256), (257, 512)] {
        while stacks.len() < number {
            stacks.push(pool.allocate().expect("a stack"));
        }
        assert_eq!(lock(&pool.growth).reserved, reserved);
    }
    assert_eq!(bases(&stacks).len(), stacks.len());
    for stack in &stacks {
        assert_eq!(stack.base().get() - stack.limit().get(), pool.shape.stride());
        // SAFETY: the highest and the lowest usable byte of a stack on which nobody runs.
        unsafe {
            ((stack.base().get() - 1) as *mut u8).write(1);
            ((stack.base().get() - USABLE) as *mut u8).write(1);
        }
    }
}

#[test]
fn the_cache_hands_out_first_what_was_put_last() {
    let pool = StackPool::new(USABLE);
    let mut cache = StackCache::new();
    let stacks = take(&mut cache, &pool, 3);
    let order: Vec<usize> = stacks.iter().map(|stack| stack.base().get()).collect();
    stacks.into_iter().for_each(|stack| cache.put(stack, &pool));
    let again = take(&mut cache, &pool, 3);
    assert!(again.iter().map(|stack| stack.base().get()).eq(order.into_iter().rev()));
}

#[test]
fn a_full_cache_sends_its_oldest_half_home_and_an_empty_one_fetches_half() {
    let pool = StackPool::new(USABLE);
    let mut cache = StackCache::new();
    let stacks = take(&mut cache, &pool, CACHE + 1);
    let all = bases(&stacks);
    let oldest = bases(&stacks[..BATCH]);
    stacks.into_iter().for_each(|stack| cache.put(stack, &pool));
    assert_eq!((cache.stacks.len(), at_home(&pool)), (CACHE + 1 - BATCH, BATCH));

    let mut other = StackCache::new();
    let mut fetched = take(&mut other, &pool, 1);
    assert_eq!((other.stacks.len(), at_home(&pool)), (BATCH - 1, 0));
    fetched.extend(take(&mut other, &pool, BATCH - 1));
    assert_eq!(bases(&fetched), oldest);

    // Nothing is lost, and nothing fresh was needed.
    fetched.extend(take(&mut cache, &pool, CACHE + 1 - BATCH));
    assert_eq!(bases(&fetched), all);
    assert_eq!(handed_out(&pool) as usize, all.len());
}

#[test]
fn a_refill_makes_no_more_than_the_one_fresh_stack_it_needs() {
    let pool = StackPool::new(USABLE);
    let mut cache = StackCache::new();
    let stack = cache.take(&pool).expect("a stack");
    assert_eq!((handed_out(&pool), cache.stacks.len()), (1, 0));
    drop(stack);
}

#[test]
fn dropped_stacks_and_those_of_a_dropped_cache_go_home() {
    let pool = StackPool::new(USABLE);
    let mut cache = StackCache::new();
    let mut stacks = take(&mut cache, &pool, 3);
    let all = bases(&stacks);
    cache.put(stacks.pop().expect("three"), &pool);
    drop(stacks);
    drop(cache);
    assert_eq!(at_home(&pool), 3);
    let again: Vec<Stack> = (0..3).map(|_| pool.allocate().expect("a stack")).collect();
    assert_eq!(bases(&again), all);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn deep_stacks_beyond_the_warm_ones_go_home_to_the_cold_end_without_their_pages() {
    let pool = StackPool::new(USABLE);
    let mut cache = StackCache::new();
    let stacks = take(&mut cache, &pool, WARM + CACHE + 1);
    for stack in &stacks {
        // SAFETY: a usable byte of a stack on which nobody runs.
        unsafe { ((stack.base().get() - USABLE / 2) as *mut u8).write(1) };
    }
    stacks.into_iter().for_each(|stack| cache.put(stack, &pool));
    let home = lock(pool.home);
    assert_eq!(home.len(), WARM + BATCH);
    assert!(home.iter().take(BATCH).all(|slot| !slot.was_deep()), "the cold end");
    assert!(home.iter().skip(BATCH).all(|slot| slot.was_deep()), "the warm ones");
}

#[test]
fn a_coroutine_runs_on_a_stack_and_leaves_it_behind() {
    let pool = StackPool::new(USABLE);
    let mut cache = StackCache::new();
    let mut stack = cache.take(&pool).expect("a stack");
    for round in 0..3 {
        let mut coroutine = Coroutine::with_stack(stack, move |yielder, ()| {
            let local = [round; 1000];
            yielder.suspend(local.iter().sum::<usize>());
        });
        assert!(matches!(coroutine.resume(()), CoroutineResult::Yield(sum) if sum == 1000 * round));
        assert!(matches!(coroutine.resume(()), CoroutineResult::Return(())));
        cache.put(coroutine.into_stack(), &pool);
        stack = cache.take(&pool).expect("a stack");
    }
    assert_eq!(handed_out(&pool), 1);
}

#[test]
fn threads_share_a_pool_and_no_two_hold_the_same_stack() {
    let pool = StackPool::new(USABLE);
    let all_hold_theirs = Barrier::new(4);
    thread::scope(|scope| {
        for mark in 1..=4_u8 {
            let (pool, all_hold_theirs) = (&pool, &all_hold_theirs);
            scope.spawn(move || {
                let mut cache = StackCache::new();
                let mut shared = 0;
                for round in 0..50 {
                    let stacks = take(&mut cache, pool, 3 * (round % 40) + 1);
                    let tops = || stacks.iter().map(|stack| (stack.base().get() - 1) as *mut u8);
                    // SAFETY: the stacks are held here, and nobody runs on them.
                    tops().for_each(|top| unsafe { top.write(mark) });
                    all_hold_theirs.wait();
                    // SAFETY: as above.
                    shared += tops().filter(|&top| unsafe { top.read() } != mark).count();
                    stacks.into_iter().for_each(|stack| cache.put(stack, pool));
                }
                // Not before: a thread that fails leaves the others waiting.
                assert_eq!(shared, 0);
            });
        }
    });
    assert_eq!(at_home(&pool) as u32, handed_out(&pool));
}

#[test]
fn a_limit_on_the_address_space_is_named_and_what_is_free_can_still_be_had() {
    assert_eq!(run(module_path!(), "take_all_address_space").0, End::Exit(0));
}

#[test]
#[ignore = "limits the address space of its process"]
fn take_all_address_space() {
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    // SAFETY: the limit is valid.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let error = shortage_after_many(1 << 20);
    assert_eq!(error.shortage(), StackShortage::AddressSpace, "{error}");
    assert!(error.to_string().contains("ulimit -v"), "{error}");
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn where_guards_take_mappings_a_limit_on_those_is_named() {
    let allowed = std::fs::read_to_string("/proc/sys/vm/max_map_count").expect("a number");
    // Where an administrator has raised it far, the child would have to make millions of stacks.
    if allowed.trim().parse::<usize>().expect("a number") <= 1 << 17 {
        assert_eq!(run(module_path!(), "take_all_mappings").0, End::Exit(0));
    }
}

#[test]
#[ignore = "takes all mappings of its process"]
fn take_all_mappings() {
    guard::refuse_advice();
    let error = shortage_after_many(1 << 17);
    assert_eq!(error.shortage(), StackShortage::Mappings, "{error}");
    assert!(error.to_string().contains("vm.max_map_count"), "{error}");
}

/// Takes stacks until there is no more, and checks that the pool lives on.
fn shortage_after_many(most: usize) -> StackError {
    let pool = StackPool::new(256 << 10);
    let mut stacks = Vec::with_capacity(most);
    let error = loop {
        match pool.allocate() {
            Ok(stack) => stacks.push(stack),
            Err(error) => break error,
        }
        assert!(stacks.len() < most, "there is no limit");
    };
    let reserved = lock(&pool.growth).reserved;
    assert_eq!(pool.allocate().expect_err("the limit is still there").shortage(), error.shortage());
    assert_eq!(lock(&pool.growth).reserved, reserved, "a refused request takes nothing");
    assert_eq!(bases(&stacks).len(), stacks.len());
    stacks.pop();
    pool.allocate().expect("the one that came back");
    error
}
